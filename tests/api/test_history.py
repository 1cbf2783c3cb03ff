"""Prometheus' own API over our history: the shapes of its documentation, and who sees what."""

from __future__ import annotations

import http.server
import json
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from dayfly.api.metrics import everything
from dayfly.api.past import NoHistory
from dayfly.model.access import Role
from dayfly.model.history import HistoryLimits
from dayfly.model.table import FunctionLoad, Load
from dayfly.model.token import TokenRequest
from dayfly.observe.history.past import Past
from dayfly.observe.history.remote import Prometheus
from dayfly.observe.history.scrape import Group
from dayfly.observe.history.store import HistoryStore
from dayfly.server.apps import build_apps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.api.conftest import Play, Stage

FORM = {"content-type": "application/x-www-form-urlencoded"}
"""Of a question that is too long for an address."""


def merge(stage: Stage, calls: int) -> None:
    loads = tuple(
        FunctionLoad(name, 0, 0, calls, {200: (calls, 0.1 * calls, (0, calls, *(0,) * 10))})
        for name in ("hello.openfaas-fn", "theirs.team")
    )
    stage.meter.merge("gw0", "a", Load(loads))


async def credential(stage: Stage, role: Role) -> dict[str, str]:
    """Return the headers of one that is good for the namespace team."""
    issued = await stage.tokens.issue(stage.team, TokenRequest(role=role))
    return {"authorization": f"Bearer {issued.token}"}


async def past(stage: Stage, path: Path, prometheus: Prometheus | None = None) -> HistoryStore:
    """Let the stage have a history that samples whenever it is asked."""
    store = HistoryStore(path / "history.db", HistoryLimits(), stage.clock)
    await store.open()

    async def gather() -> tuple[Callable[[], tuple[Group, ...]], dict[Any, Any]]:
        make = await everything(stage.services, stage.meter.figures_ever)
        return lambda: (Group("a", tuple(make())),), {}

    history = Past(store, gather, stage.clock, is_kept=True, prometheus=prometheus)
    stage.services = replace(stage.services, history=history)
    stage.apps = build_apps(stage.services, stage.credentials)
    await stage.deploy()
    await stage.deploy("theirs", namespace="team")
    return store


def test_answers_have_the_shapes_of_prometheus(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        store = await past(stage, tmp_path)

        async def ask(path: str, **asked: str) -> Any:
            answer = await stage.ask("GET", f"/api/v1/{path}?{urlencode(asked)}")
            assert answer.status == 200, answer.body
            assert answer.headers["content-type"] == "application/json"
            told = json.loads(answer.body)
            assert told["status"] == "success"
            return told["data"]

        name = 'gateway_function_invocation_total{function_name="hello.openfaas-fn"}'
        for calls in (3, 6):
            merge(stage, calls)
            found = await ask("query", query=name)
            stage.clock.advance(30)
        begin = stage.clock.unix_ms() / 1000 - 60
        labels = {
            "__name__": "gateway_function_invocation_total", "code": "200", "function_name": "hello.openfaas-fn",
        }  # fmt: skip
        assert found == {"resultType": "vector", "result": [{"metric": labels, "value": [begin + 30, "6"]}]}
        span = {"start": str(begin), "end": str(begin + 60), "step": "30s"}
        assert await ask("query_range", query=name, **span) == {
            "resultType": "matrix",
            "result": [{"metric": labels, "values": [[begin, "3"], [begin + 30, "6"], [begin + 60, "6"]]}],
        }
        assert (await ask("query", query=f"{name}[1m]", time=str(begin + 30)))["result"][0]["values"] == [
            [begin, "3"], [begin + 30, "6"],
        ]  # fmt: skip
        assert await ask("query", query="1.5e-9", time="2023-11-14T22:13:20.5Z") == {
            "resultType": "scalar", "result": [1_700_000_000.5, "0.0000000015"],
        }  # fmt: skip
        assert (await ask("query", query='"text"'))["resultType"] == "string"
        assert (await ask("query", query="1/0"))["result"][1] == "+Inf"
        latency = "histogram_quantile(0.5, sum by (le) (gateway_functions_seconds_bucket))"
        assert (await ask("query", query=latency))["result"][0]["value"][1] == "0.0075"
        assert labels in await ask("series", **{"match[]": name})
        assert {"__name__", "code", "le", "function_name"} <= set(await ask("labels"))
        assert await ask("labels", **{"match[]": name}) == ["__name__", "code", "function_name"]
        assert await ask("label/function_name/values") == ["hello.openfaas-fn", "theirs.team"]
        assert "gateway_functions_seconds_bucket" in await ask("label/__name__/values")
        told = await ask("metadata", metric="gateway_functions_seconds")
        assert told == {
            "gateway_functions_seconds": [
                {"type": "histogram", "help": "How long calls of functions took.", "unit": ""}
            ]
        }
        assert (await ask("status/buildinfo"))["version"] == "2.42.0"
        assert await ask("query_exemplars", query=name) == []
        await store.close()

    play(story)


def test_what_is_wrong_is_told_as_prometheus_tells_it(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        store = await past(stage, tmp_path)
        asked = {
            "query?query=sum(": (400, "bad_data", "1:5: parse error: unexpected end of input"),
            "query?query=up&time=never": (400, "bad_data", 'invalid parameter "time"'),
            "query": (400, "bad_data", 'invalid parameter "query"'),
            "query_range?query=up&start=0&end=20000&step=1": (422, "execution", "11,000 points per timeseries"),
            "query_range?query=up&start=0&end=1": (400, "bad_data", 'invalid parameter "step"'),
            "query_range?query=up&start=0&end=1&step=x": (400, "bad_data", 'invalid parameter "step"'),
            f"query_range?query={quote('up[1m]')}&start=0&end=1&step=1": (422, "execution", "invalid expression type"),
            "series": (400, "bad_data", "match[]"),
            f"series?{urlencode({'match[]': 'rate(up[1m])'})}": (400, "bad_data", "1:1"),
            "query_exemplars?query=sum(": (400, "bad_data", "1:5: parse error"),
            "query_exemplars": (400, "bad_data", 'invalid parameter "query"'),
            "labels?limit=-1": (400, "bad_data", 'invalid parameter "limit"'),
            "labels?limit=%C2%B2": (400, "bad_data", 'invalid parameter "limit"'),
            f"query?query={quote('a+a')}{quote('+a' * 200)}": (400, "bad_data", "more than 150 operators"),
        }
        for target, (status, kind, text) in asked.items():
            answer = await stage.ask("GET", f"/api/v1/{target}")
            told = json.loads(answer.body)
            assert (answer.status, told["status"], told["errorType"]) == (status, "error", kind), target
            assert text in told["error"], target
        form = urlencode({"query": "a" * 300_000}).encode()
        answer = await stage.ask("POST", "/api/v1/query", headers={**stage.bearer, **FORM}, body=form)
        assert answer.status == 413
        answer = await stage.ask("GET", "/api/v1/query?query=up", headers={})
        assert (answer.status, json.loads(answer.body)["errorType"]) == (401, "unauthorized")
        await store.close()

    play(story)


def test_lists_are_cut_where_it_is_asked_and_say_so(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        store = await past(stage, tmp_path)
        merge(stage, 3)
        await stage.ask("GET", "/api/v1/query?query=up")
        for path in ("labels", "label/__name__/values", f"series?{urlencode({'match[]': 'gateway_service_count'})}"):
            sign = "&" if "?" in path else "?"
            cut = json.loads((await stage.ask("GET", f"/api/v1/{path}{sign}limit=1")).body)
            assert (len(cut["data"]), cut["warnings"]) == (1, ["results truncated due to limit"])
            for limit in ("0", "40000"):
                whole = json.loads((await stage.ask("GET", f"/api/v1/{path}{sign}limit={limit}")).body)
                assert (len(whole["data"]) > 1, "warnings" in whole) == (True, False), path
        found = json.loads((await stage.ask("GET", "/api/v1/metadata?limit=2&limit_per_metric=1")).body)
        assert len(found["data"]) == 2
        await store.close()

    play(story)


def test_a_credential_of_a_namespace_sees_its_series_only(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        store = await past(stage, tmp_path)
        merge(stage, 3)
        everything_ = '{__name__=~".+"}'
        assert b"dayfly_gateways" in (await stage.ask("GET", f"/api/v1/query?query={quote(everything_)}")).body
        roles: tuple[Role, ...] = ("view", "deploy")
        for role in roles:
            token = await credential(stage, role)
            for method, target, body in (
                ("GET", f"query?query={quote(everything_)}", b""),
                ("POST", "query", urlencode({"query": everything_}).encode()),
                ("GET", f"series?{urlencode({'match[]': everything_})}", b""),
                ("GET", "label/function_name/values", b""),
                ("POST", "query_range", urlencode(
                    {"query": everything_, "start": "1699999000", "end": "1700001000", "step": "60"}).encode()),
            ):  # fmt: skip
                answer = await stage.ask(method, f"/api/v1/{target}", headers={**token, **FORM}, body=body)
                assert answer.status == 200, answer.body
                assert b"theirs.team" in answer.body, target
                assert b"openfaas-fn" not in answer.body, target
                assert b"dayfly_gateways" not in answer.body, target
        caller = await credential(stage, "invoke")
        assert (await stage.ask("GET", "/api/v1/query?query=up", headers=caller)).status == 403
        await store.close()

    play(story)


def test_a_prometheus_is_asked_instead_by_those_who_may_see_everything(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        with server() as (url, heard):
            store = await past(stage, tmp_path, Prometheus(url.replace("//", "//me:it%40s@") + "/prom"))
            merge(stage, 3)
            answer = await stage.ask(
                "POST", "/api/v1/query", headers={**stage.bearer, **FORM}, body=urlencode({"query": "up"}).encode()
            )
            assert (answer.status, answer.body) == (422, b'{"theirs":true}')
            assert heard == ["/prom/api/v1/query?query=up Basic bWU6aXRAcw=="]
            team = await credential(stage, "view")
            answer = await stage.ask("GET", "/api/v1/query?query=gateway_function_invocation_total", headers=team)
            assert b"theirs.team" in answer.body
            assert len(heard) == 1
            # Led elsewhere, the credential stays: what says so is the answer.
            answer = await stage.ask("GET", "/api/v1/query?query=elsewhere")
            assert answer.status == 302
            assert len(heard) == 2
            # Who asks is let in, and is not told otherwise when we are not.
            answer = await stage.ask("GET", "/api/v1/query?query=locked")
            assert answer.status == 503
            assert "does not let Dayfly in: it answers 401" in json.loads(answer.body)["error"]
        answer = await stage.ask("GET", "/api/v1/query?query=up")
        assert answer.status == 503
        assert "DAYFLY_PROMETHEUS_URL" in json.loads(answer.body)["error"]
        await store.close()

    play(story)


def test_without_a_history_the_setting_is_named(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.services = replace(stage.services, history=NoHistory())
        stage.apps = build_apps(stage.services, stage.credentials)
        answer = await stage.ask("GET", "/api/v1/query?query=up")
        assert answer.status == 501
        assert "DAYFLY_HISTORY=off" in json.loads(answer.body)["error"]

    play(story)


@contextmanager
def server() -> Iterator[tuple[str, list[str]]]:
    """Something that answers as if it were a Prometheus which finds fault with everything."""
    heard: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(f"{self.path} {self.headers['Authorization']}")
            is_elsewhere = "elsewhere" in self.path
            self.send_response(302 if is_elsewhere else 401 if "locked" in self.path else 422)
            if is_elsewhere:
                self.send_header("Location", f"http://{self.headers['Host']}/taken")
            self.end_headers()
            self.wfile.write(b'{"theirs":true}')

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}", heard
        finally:
            listening.shutdown()
