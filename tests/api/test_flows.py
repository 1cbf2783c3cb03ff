"""Flows and their runs over HTTP: what each request does, and what is refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from dayfly.events.flows import engine, flows, runs
from dayfly.model.names import parse_namespace
from dayfly.model.namespace import NamespaceChange
from dayfly.model.token import TokenRequest

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Play, Stage

FLOW = "/v1/namespaces/openfaas-fn/flows/bill"
RUNS = "/v1/namespaces/openfaas-fn/flow-runs"
CALLS = [{"do": "call", "name": "a", "function": "load"}, {"do": "call", "name": "b", "function": "send"}]
WAITS = [{"do": "wait", "name": "w", "event": "paid"}, {"do": "approval", "name": "ok"}]
JSON = {"content-type": "application/json"}


async def put(stage: Stage, steps: list[dict[str, Any]], **fields: Any) -> Answer:
    return await stage.ask("PUT", FLOW, data={"steps": steps, **fields})


async def begin(stage: Stage, body: bytes = b"", *, wait: str = "", **headers: str) -> Any:
    given = {**stage.bearer, **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer = await stage.ask("POST", FLOW + "/runs" + (f"?wait={wait}" if wait else ""), headers=given, body=body)
    assert answer.status in (200, 202), answer.body
    return answer.json()["run"]


async def over(stage: Stage, run: str) -> Any:
    return (await stage.ask("GET", f"{RUNS}/{run}?wait=10s")).json()


async def state_of(stage: Stage, run: str, step: str, wanted: str) -> None:
    """Return once a step stands like this."""
    async with asyncio.timeout(60):
        while True:
            steps = (await stage.ask("GET", f"{RUNS}/{run}")).json()["steps"]
            if wanted in [each["state"] for each in steps if each["path"] == step]:
                return


def test_a_flow_is_written_described_listed_and_removed(play: Play) -> None:
    async def story(stage: Stage) -> None:
        made = await put(stage, CALLS, description="Bills.")
        assert (made.status, made.json()["spec"]["name"]) == (201, "bill")
        assert (await put(stage, CALLS)).status == 200
        assert (await stage.ask("PUT", FLOW + "?mode=create", data={"steps": CALLS})).status == 409
        other = FLOW.replace("bill", "other")
        assert (await stage.ask("PUT", other + "?mode=update", data={"steps": CALLS})).status == 404
        assert (await stage.ask("GET", FLOW)).json()["runs_under_way"] == 0
        listed = (await stage.ask("GET", "/v1/namespaces/openfaas-fn/flows")).json()
        assert [each["spec"]["name"] for each in listed] == ["bill"]
        assert (await stage.ask("DELETE", FLOW)).status == 204
        assert (await stage.ask("GET", FLOW)).status == 404
        assert (await stage.ask("DELETE", FLOW)).status == 404

    play(story)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"steps": []}, "one at least"),
        ({"steps": CALLS, "name": "else"}, "another flow"),
        ({"steps": CALLS, "namespace": "else"}, "another flow"),
        ({"steps": [{"do": "jump", "name": "a"}]}, "Invalid value"),
        ({"steps": [{**CALLS[0], "fonction": 1}]}, "unknown field"),
        ({"steps": [{"do": "set", "name": "a", "value": "b.c"}]}, "not known there"),
        ({"steps": [{"do": "set", "name": "a", "value": "("}]}, "cannot be read"),
        ({"steps": [CALLS[0], CALLS[0]]}, "two steps"),
    ],
)
def test_what_is_no_flow_is_refused_and_nothing_kept(play: Play, body: dict[str, Any], said: str) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask("PUT", FLOW, data=body)
        assert answer.status == 400
        assert said in answer.json()["detail"]
        assert (await stage.ask("GET", FLOW)).status == 404

    play(story)


def test_a_run_goes_from_step_to_step(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.calls.answers = {"load": {"n": 2}, "send": "sent"}
        await put(stage, CALLS)
        run = await begin(stage, b'{"id": 7}', **JSON)
        report = await over(stage, run["id"])
        assert (report["run"]["state"], report["run"]["result"], report["run"]["started_by"]) == (
            "done",
            "sent",
            "local",
        )
        assert [(order.function, order.body) for order in stage.calls.made] == [("load", {"id": 7}), ("send", {"n": 2})]
        assert [(step["path"], step["state"]) for step in report["steps"]] == [("a", "done"), ("b", "done")]
        waited = await stage.ask("POST", FLOW + "/runs?wait=10s", body=b"x")
        assert (waited.status, waited.json()["run"]["input"]) == (200, "x")

    play(story)


def test_a_run_is_as_deep_as_who_began_it(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.calls.answers = {"load": 1, "send": 2}
        await put(stage, CALLS)
        run = await begin(stage, b"1", x_dayfly_depth="7")
        assert run["depth"] == 7
        await over(stage, run["id"])
        deeper = {**stage.bearer, "x-dayfly-depth": "8"}
        again = await stage.ask("POST", f"{RUNS}/{run['id']}/rerun", data={"from": "a"}, headers=deeper)
        assert again.json()["run"]["depth"] == 8
        for wrong in ("12345", "-1", "x"):
            answer = await stage.ask(
                "POST", FLOW + "/runs", body=b"1", headers={**stage.bearer, "x-dayfly-depth": wrong}
            )
            assert (answer.status, "whole number" in answer.json()["detail"]) == (400, True)

    play(story)


def test_an_idempotency_key_begins_one_run(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await put(stage, WAITS)
        first = await begin(stage, b"x", idempotency_key="k")
        assert (await begin(stage, b"x", idempotency_key="k"))["id"] == first["id"]
        given = {**stage.bearer, "idempotency-key": "k"}
        assert (await stage.ask("POST", FLOW + "/runs", headers=given, body=b"y")).status == 422
        bad = {**stage.bearer, "idempotency-key": "k" * 129}
        assert (await stage.ask("POST", FLOW + "/runs", headers=bad)).status == 400
        assert len((await stage.ask("GET", RUNS)).json()) == 1

    play(story)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [(b"{", "application/json", 400), (b"[" * 65 + b"]" * 65, "application/json", 400),
     (b"x" * 1_048_577, "text/plain", 413)],
)  # fmt: skip
def test_what_a_flow_cannot_take_is_refused(play: Play, body: bytes, kind: str, status: int) -> None:
    async def story(stage: Stage) -> None:
        await put(stage, CALLS)
        headers = {**stage.bearer, "content-type": kind}
        assert (await stage.ask("POST", FLOW + "/runs", headers=headers, body=body)).status == status
        assert (await stage.ask("GET", RUNS)).json() == []

    play(story)


def test_a_run_is_told_of_events_and_judged(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await put(stage, WAITS, output="{paid: w, by: ok.by}")
        run = (await begin(stage))["id"]
        assert (await stage.ask("POST", f"{RUNS}/{run}/approvals/ok", data={"approve": True})).status == 404
        headers = {**stage.bearer, **JSON}
        sent = await stage.ask("POST", f"{RUNS}/{run}/events/paid", headers=headers, body=b'{"n": 1}')
        assert sent.status == 204
        await state_of(stage, run, "ok", "waiting")
        assert (await stage.ask("POST", f"{RUNS}/{run}/approvals/w", data={"approve": True})).status == 409
        judged = await stage.ask("POST", f"{RUNS}/{run}/approvals/ok", data={"approve": True, "comment": "fine"})
        assert judged.status == 204
        report = await over(stage, run)
        assert report["run"]["result"] == {"paid": {"n": 1}, "by": "local"}
        assert report["steps"][1]["comment"] == "fine"
        for path, data in ((f"{RUNS}/{run}/approvals/ok", {"approve": True}), (f"{RUNS}/{run}/events/paid", None)):
            late = await stage.ask("POST", path, data=data)
            assert late.status == 409
            assert "is over" in late.json()["detail"]
        assert (await stage.ask("DELETE", f"{RUNS}/{run}")).status == 409

    play(story)


def test_an_event_with_a_key_comes_once(play: Play) -> None:
    async def story(stage: Stage) -> None:
        twice = [{"do": "wait", "name": "one", "event": "e"}, {"do": "wait", "name": "two", "event": "e"}]
        await put(stage, twice, output="[one, two]")
        run = (await begin(stage))["id"]
        bad = {**stage.bearer, "idempotency-key": " "}
        assert (await stage.ask("POST", f"{RUNS}/{run}/events/e", headers=bad)).status == 400
        for key, body in (("a", b"first"), ("a", b"first"), ("b", b"second")):
            headers = {**stage.bearer, "idempotency-key": key}
            assert (await stage.ask("POST", f"{RUNS}/{run}/events/e", headers=headers, body=body)).status == 204
        assert (await over(stage, run))["run"]["result"] == ["first", "second"]

    play(story)


def test_what_cannot_be_told_is_refused(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        await put(stage, WAITS)
        run = (await begin(stage))["id"]
        assert (await stage.ask("POST", f"{RUNS}/{run}/events/a%20b")).status == 400
        long = {"approve": True, "comment": "x" * 501}
        assert (await stage.ask("POST", f"{RUNS}/{run}/approvals/w", data=long)).status == 400
        monkeypatch.setattr(runs, "MAX_SIGNALS", 1)
        assert (await stage.ask("POST", f"{RUNS}/{run}/events/e")).status == 204
        assert (await stage.ask("POST", f"{RUNS}/{run}/events/e")).status == 429
        for path in ("", "/events/e", "/approvals/w", "/rerun"):
            method, data = (
                ("GET", None) if not path else ("POST", {"approve": True} if "approv" in path else {"from": "w"})
            )
            assert (await stage.ask(method, f"{RUNS}/none{path}", data=data)).status == 404

    play(story)


def test_a_cancelled_run_cancels_what_it_calls(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await put(stage, CALLS)
        run = (await begin(stage))["id"]
        await state_of(stage, run, "a", "running")
        assert (await stage.ask("DELETE", f"{RUNS}/{run}")).status == 200
        report = await over(stage, run)
        assert (report["run"]["state"], report["steps"][0]["state"]) == ("cancelled", "stopped")
        assert stage.calls.cancelled == ["call a"]

    play(story)


def test_a_run_goes_on_from_a_step_of_another(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.calls.answers = {"load": 1, "send": 2}
        await put(stage, CALLS)
        first = (await over(stage, (await begin(stage))["id"]))["run"]["id"]
        await put(stage, [*CALLS, {"do": "set", "name": "c", "value": "[a, b]"}])
        for current, result in ((False, 3), (True, [1, 3])):
            stage.calls.made.clear()
            stage.calls.answers["send"] = 3
            asked = await stage.ask("POST", f"{RUNS}/{first}/rerun", data={"from": "b", "current": current})
            assert (asked.status, asked.json()["run"]["rerun_of"]) == (202, first)
            assert (await over(stage, asked.json()["run"]["id"]))["run"]["result"] == result
            assert [order.path for order in stage.calls.made] == ["b"]
        assert (await stage.ask("POST", f"{RUNS}/{first}/rerun", data={"from": "nope"})).status == 404
        assert (await stage.ask("POST", f"{RUNS}/{first}/rerun", data={"from": "b", "more": 1})).status == 400
        await put(stage, WAITS)
        open_ = (await begin(stage))["id"]
        assert (await stage.ask("POST", f"{RUNS}/{open_}/rerun", data={"from": "w"})).status == 409

    play(story)


def test_a_run_does_not_go_on_inside_a_step_that_has_changed(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.calls.answers = {"load": 1}
        inside = {"do": "map", "name": "m", "over": "`[1, 2]`", "steps": [CALLS[0]]}
        await put(stage, [inside])
        run = (await over(stage, (await begin(stage))["id"]))["run"]["id"]
        await put(stage, [{"do": "group", "name": "m", "steps": [CALLS[0]]}])
        for step, current, status in (("m.1.a", True, 409), ("m.1.a", False, 202), ("m", True, 202)):
            asked = await stage.ask("POST", f"{RUNS}/{run}/rerun", data={"from": step, "current": current})
            assert asked.status == status, step
            if status == 202:
                assert (await over(stage, asked.json()["run"]["id"]))["run"]["state"] == "done"
        await put(stage, [CALLS[0]])
        assert (await stage.ask("POST", f"{RUNS}/{run}/rerun", data={"from": "m", "current": True})).status == 409

    play(story)


def test_runs_are_listed_the_newest_first(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.calls.answers = {"load": 1, "send": 2}
        await put(stage, CALLS)
        one = (await over(stage, (await begin(stage))["id"]))["run"]["id"]
        stage.clock.advance(1)
        await put(stage, WAITS)
        two = (await begin(stage))["id"]
        listed = (await stage.ask("GET", RUNS)).json()
        assert [(each["id"], each["state"]) for each in listed] == [(two, "running"), (one, "done")]
        assert "input" not in listed[0]
        assert [each["id"] for each in (await stage.ask("GET", RUNS + "?state=done&flow=bill&limit=1")).json()] == [one]
        assert (await stage.ask("GET", RUNS + "?flow=else")).json() == []
        for query in ("limit=0", "limit=1001", "state=odd", "flow=No", "more=1"):
            assert (await stage.ask("GET", f"{RUNS}?{query}")).status == 400

    play(story)


def test_without_a_queue_flows_are_kept_and_runs_refused(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.calls.missing = "there is no nats-server"
        assert (await put(stage, CALLS)).status == 201
        answer = await stage.ask("POST", FLOW + "/runs")
        assert answer.status == 501
        assert "there is no nats-server" in answer.json()["detail"]

    play(story)


def test_a_namespace_has_so_many_flows_and_runs_under_way(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        monkeypatch.setattr(engine, "MAX_OPEN", 1)
        monkeypatch.setattr(flows, "MAX_FLOWS", 1)
        await put(stage, WAITS)
        assert (await put(stage, WAITS)).status == 200
        assert (await stage.ask("PUT", FLOW + "2", data={"steps": WAITS})).status == 429
        run = (await begin(stage))["id"]
        refused = await stage.ask("POST", FLOW + "/runs")
        assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        await stage.ask("DELETE", f"{RUNS}/{run}")
        await over(stage, run)
        assert (await stage.ask("POST", FLOW + "/runs")).status == 202

    play(story)


def test_a_run_is_found_in_its_own_namespace_only(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await put(stage, WAITS)
        run = (await begin(stage))["id"]
        await stage.namespaces.create(stage.team, NamespaceChange())
        token = await stage.tokens.issue(stage.team, TokenRequest(role="admin"))
        headers = {"authorization": f"Bearer {token.token}"}
        elsewhere = RUNS.replace("openfaas-fn", "team")
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/events/paid")):
            assert (await stage.ask(method, f"{RUNS}/{run}{path}", headers=headers)).status == 403
            assert (await stage.ask(method, f"{elsewhere}/{run}{path}", headers=headers)).status == 404
        assert (await stage.ask("GET", elsewhere, headers=headers)).json() == []

    play(story)


@pytest.mark.parametrize(
    ("role", "may"),
    [("view", {"looks", "lists"}), ("invoke", {"looks", "begins", "sends"}),
     ("deploy", {"looks", "lists", "begins", "sends", "approves", "deploys"})],
)  # fmt: skip
def test_roles(play: Play, role: Any, may: set[str]) -> None:
    async def story(stage: Stage) -> None:
        await put(stage, [WAITS[1]])
        run = (await begin(stage))["id"]
        await state_of(stage, run, "ok", "waiting")
        token = await stage.tokens.issue(parse_namespace(""), TokenRequest(role=role))
        headers = {"authorization": f"Bearer {token.token}"}
        asked = {
            "looks": await stage.ask("GET", f"{RUNS}/{run}", headers=headers),
            "lists": await stage.ask("GET", RUNS, headers=headers),
            "sends": await stage.ask("POST", f"{RUNS}/{run}/events/e", headers=headers),
            "begins": await stage.ask("POST", FLOW + "/runs", headers=headers),
            "approves": await stage.ask("POST", f"{RUNS}/{run}/approvals/ok", headers=headers, data={"approve": True}),
            "deploys": await stage.ask("PUT", FLOW, headers=headers, data={"steps": WAITS}),
        }
        assert {what for what, answer in asked.items() if answer.status != 403} == may

    play(story)


def test_a_namespace_goes_with_its_flows_and_runs_or_not_at_all(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.namespaces.create(stage.team, NamespaceChange())
        flow = FLOW.replace("openfaas-fn", "team")
        await stage.ask("PUT", flow, data={"steps": CALLS})
        run = (await stage.ask("POST", flow + "/runs")).json()["run"]["id"]
        await stage.ask("DELETE", flow)
        refused = await stage.ask("DELETE", "/v1/namespaces/team")
        assert refused.status == 409
        assert run in refused.json()["detail"]
        assert (await stage.ask("DELETE", "/v1/namespaces/team?force=true")).status == 204
        assert stage.calls.cancelled == ["call a"]
        assert stage.flow_engine.under_way("team") == []
        await stage.namespaces.create(stage.team, NamespaceChange())
        assert (await stage.ask("GET", "/v1/namespaces/team/flow-runs")).json() == []

    play(story)


def test_runs_begun_keep_their_steps(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await put(stage, WAITS)
        run = (await begin(stage))["id"]
        await put(stage, CALLS)
        assert [step["name"] for step in (await stage.ask("GET", f"{RUNS}/{run}")).json()["run"]["spec"]["steps"]] == [
            "w", "ok",
        ]  # fmt: skip
        await stage.ask("DELETE", FLOW)
        assert (await stage.ask("POST", f"{RUNS}/{run}/events/paid")).status == 204

    play(story)


def test_the_figures_of_flows(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.calls.answers = {"load": 1, "send": 2}
        await put(stage, CALLS)
        await over(stage, (await begin(stage))["id"])
        stage.calls.answers.clear()
        await begin(stage)
        text = (await stage.ask("GET", "/metrics", app="metrics")).body.decode()
        assert 'dayfly_flow_runs_under_way{flow_name="bill.openfaas-fn"} 1' in text
        assert 'dayfly_flow_runs_total{flow_name="bill.openfaas-fn",outcome="done"} 1' in text
        await stage.namespaces.create(stage.team, NamespaceChange())
        assert b"bill" not in (await stage.ask("GET", "/v1/namespaces/team/metrics")).body

    play(story)
