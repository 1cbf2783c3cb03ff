"""Queued calls by the API: what one came to, waiting for it, following it, and dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.api.conftest import BEARER

from dayfly.model.access import Role
from dayfly.model.token import TokenRequest

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

DEAD = "/v1/namespaces/team/dead-letters"


def test_a_call_is_told_as_it_stands(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.queue.add("c1", "team", "done", status=201, body=b"\x00\xff", headers=(("x-a", "b"),))
        answer = await stage.ask("GET", "/v1/calls/c1")
        assert answer.status == 200
        told = answer.json()
        assert (told["state"], told["status"], told["body"]) == ("done", 201, "AP8=")
        assert told["headers"] == [["x-a", "b"]]

    play(story)


@pytest.mark.parametrize("path", ["/v1/calls/nobody", "/v1/calls/" + "x" * 65, "/v1/calls/a%20b"])
def test_a_call_that_is_not_there_is_not_found(play: Play, path: str) -> None:
    async def story(stage: Stage) -> None:
        for method in ("GET", "DELETE"):
            assert (await stage.ask(method, path)).status == 404
        assert stage.queue.changes == []

    play(story)


def test_waiting_is_for_what_is_not_over(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.queue.add("going", "team", "running")
        stage.queue.add("over", "team", "done")
        for call_id in ("going", "over"):
            assert (await stage.ask("GET", f"/v1/calls/{call_id}?wait=30s")).status == 200
        assert stage.queue.changes == ["wait going 30"]
        for wrong in ("61s", "soon", "-1"):
            assert (await stage.ask("GET", f"/v1/calls/going?wait={wrong}")).status == 400

    play(story)


def test_another_tenants_call_is_as_if_it_were_not_there(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("hello", namespace="team")
        await stage.deploy("hello", namespace="other")
        token = await stage.tokens.issue(stage.team, TokenRequest(role="deploy"))
        mine = {"authorization": f"Bearer {token.token}"}
        stage.queue.add("c1", "team", "dead")
        stage.queue.add("c2", "other", "dead")
        assert (await stage.ask("GET", "/v1/calls/c1", headers=mine)).status == 200
        absent = await stage.ask("GET", "/v1/calls/absent", headers=mine)
        foreign = await stage.ask("GET", "/v1/calls/c2", headers=mine)
        assert (foreign.status, foreign.body) == (404, absent.body.replace(b"absent", b"c2"))
        for method, path in (("DELETE", "/v1/calls/c2"), ("GET", "/v1/calls/c2/events")):
            assert (await stage.ask(method, path, headers=mine)).status == 404
        body = {"ids": ["c1", "c2"]}
        assert (await stage.ask("POST", DEAD + "/redrive", headers=mine, data=body)).json() == {"calls": 1}
        assert (await stage.ask("POST", DEAD + "/purge", headers=mine)).json() == {"calls": 1}
        assert stage.queue.changes == ["redrive c1", "purge c1"]

    play(story)


def test_who_may_call_may_ask_and_cancel_and_who_may_look_may_not(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("hello", namespace="team")
        stage.queue.add("c1", "team", "queued")
        statuses = {}
        for role in ("view", "invoke"):
            token = await stage.tokens.issue(stage.team, TokenRequest(role=role))
            headers = {"authorization": f"Bearer {token.token}"}
            asked = [await stage.ask(method, "/v1/calls/c1", headers=headers) for method in ("GET", "DELETE")]
            asked.append(await stage.ask("GET", DEAD, headers=headers))
            statuses[role] = [answer.status for answer in asked]
        assert statuses == {"view": [403, 403, 200], "invoke": [200, 200, 403]}

    play(story)


def test_whether_a_credential_is_good_for_calls_can_be_asked(play: Play) -> None:
    """The queue asks it of whoever wants a callback, also for a function that is not there."""

    async def story(stage: Stage) -> None:
        path = f"/v1/namespaces/{stage.team}/functions/nobody/may-call"
        assert (await stage.ask("GET", path)).status == 204
        assert (await stage.ask("GET", path, headers={})).status == 401
        expected: dict[Role, int] = {"view": 403, "invoke": 204, "deploy": 204}
        for role, status in expected.items():
            token = await stage.tokens.issue(stage.team, TokenRequest(role=role))
            headers = {"authorization": f"Bearer {token.token}"}
            assert (await stage.ask("GET", path, headers=headers)).status == status
            others = "/v1/namespaces/openfaas-fn/functions/nobody/may-call"
            assert (await stage.ask("GET", others, headers=headers)).status == 403

    play(story)


def test_a_call_is_followed_to_its_end(play: Play) -> None:
    async def story(stage: Stage) -> None:
        queued = stage.queue.add("c1", "team", "queued")
        running = msgspec.structs.replace(queued, state="running")
        stage.queue.news = [queued, running, msgspec.structs.replace(queued, state="done", status=200)]
        answer = await stage.ask("GET", "/v1/calls/c1/events")
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [line for line in answer.body.decode().split("\n") if line.startswith(("event", ":"))]
        assert events == ["event: queued", ": still there", "event: running", "event: done"]
        assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-store", "no")

    play(story)


def test_who_comes_back_to_follow_a_call_gets_what_came_since_and_no_more_once_it_is_over(play: Play) -> None:
    async def story(stage: Stage) -> None:
        running = msgspec.structs.replace(stage.queue.add("c1", "team", "running"), attempts=1)
        stage.queue.calls["c1"] = running
        stage.queue.news = [msgspec.structs.replace(running, state="done")]
        answer = await stage.ask("GET", "/v1/calls/c1/events", headers={**BEARER, "last-event-id": "running-1"})
        lines = answer.body.decode().split("\n")
        assert [line for line in lines if line.startswith("id")] == ["id: done-1"]
        stage.queue.calls["c1"] = msgspec.structs.replace(running, state="done")
        answer = await stage.ask("GET", "/v1/calls/c1/events", headers={**BEARER, "last-event-id": "done-1"})
        assert (answer.status, answer.body) == (204, b"")

    play(story)


def test_dead_letters_are_listed_by_function(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("hello", namespace="team")
        stage.queue.add("c1", "team", "dead")
        stage.queue.add("c2", "team", "queued")
        assert [each["id"] for each in (await stage.ask("GET", DEAD)).json()] == ["c1"]
        assert [each["id"] for each in (await stage.ask("GET", DEAD + "?function=hello")).json()] == ["c1"]
        assert (await stage.ask("GET", DEAD + "?function=other")).json() == []
        assert [each["id"] for each in (await stage.ask("GET", "/v1/namespaces/team/calls")).json()] == ["c1", "c2"]
        for wrong in ("limit=0", "limit=1001", "function=..", "limit=x"):
            assert (await stage.ask("GET", f"{DEAD}?{wrong}")).status == 400
        assert (await stage.ask("POST", DEAD + "/redrive", data={"function": "other"})).json() == {"calls": 0}

    play(story)
