"""Records of calls by the API: which are found, by whom, and what was printed meanwhile."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

import pytest

from dayfly.model.log import LogLine
from dayfly.model.names import ReplicaId, parse_function_key
from dayfly.model.payload import CallPayload
from dayfly.model.token import TokenRequest

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

TEAM = "/v1/namespaces/team/records"


async def deployed(stage: Stage) -> dict[str, str]:
    """Have two namespaces; return the headers of somebody of the first."""
    await stage.deploy("hello", namespace="team")
    await stage.deploy("hello", namespace="other")
    token = await stage.tokens.issue(stage.team, TokenRequest(role="deploy"))
    return {"authorization": f"Bearer {token.token}"}


def test_calls_are_listed_with_what_gateways_have_just_seen(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await deployed(stage)
        stage.records.add("a", "team", run_ms=1.5, cold=True, init_ms=8.0)
        stage.records.add("b", "team", status=500, error="function_error")
        stage.records.add("c", "other")
        answer = await stage.ask("GET", TEAM)
        assert answer.status == 200
        assert [(each["id"], each["number"]) for each in answer.json()] == [("b", 2), ("a", 1)]
        told = answer.json()[1]
        assert (told["run_ms"], told["cold"], told["init_ms"], told["cpu_ms"]) == (1.5, True, 8.0, None)
        assert stage.plane.refreshed == 1

    play(story)


def test_a_query_is_read_once_and_strictly(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await deployed(stage)
        before_ms = time.time_ns() // 1_000_000 - 3_600_000
        query = "function=hello&failed=true&since=1h&until=1m&slow=500ms&status=5xx&trigger=cron"
        assert (await stage.ask("GET", f"{TEAM}?{query}&limit=7&before=9&after=2")).status == 200
        asked = stage.records.asked[-1]
        assert (asked.namespace, asked.function, asked.failed, asked.slow_ms) == ("team", "hello", True, 500.0)
        assert (asked.status_from, asked.status_to, asked.trigger) == (500, 599, "cron")
        assert (asked.limit, asked.before, asked.after) == (7, 9, 2)
        assert asked.until_unix_ms is not None
        assert before_ms + 3_540_000 <= asked.until_unix_ms <= time.time_ns() // 1_000_000 - 60_000
        assert before_ms <= asked.since_unix_ms <= time.time_ns() // 1_000_000 - 3_600_000
        assert (await stage.ask("GET", f"{TEAM}?status=404")).status == 200
        assert (stage.records.asked[-1].status_from, stage.records.asked[-1].status_to) == (404, 404)
        assert stage.records.asked[-1].until_unix_ms is None

    play(story)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "status=6xx",
        "status=5x",
        "since=soon",
        "until=soon",
        "slow=x",
        "before=-1",
        "function=A_B",
        "x=y&limit=a",
    ],
)
def test_a_query_that_means_nothing_is_refused(play: Play, query: str) -> None:
    async def story(stage: Stage) -> None:
        await deployed(stage)
        assert (await stage.ask("GET", f"{TEAM}?{query}")).status == 400
        assert stage.records.asked == []

    play(story)


def test_a_credential_sees_its_own_namespaces_calls_whoever_took_the_same_id(play: Play) -> None:
    async def story(stage: Stage) -> None:
        mine = await deployed(stage)
        stage.records.add("same", "team")
        stage.records.add("same", "other", path="/theirs")
        stage.records.add("theirs", "other")
        assert (await stage.ask("GET", "/v1/namespaces/other/records", headers=mine)).status == 403
        found = (await stage.ask("GET", "/v1/calls/same/records", headers=mine)).json()
        assert [each["namespace"] for each in found] == ["team"]
        for path in ("", "/records", "/logs"):
            assert (await stage.ask("GET", f"/v1/calls/theirs{path}", headers=mine)).status == 404
            assert (await stage.ask("GET", f"/v1/calls/theirs{path}")).status == 200
        assert (await stage.ask("GET", "/v1/calls/same/records", headers={})).status == 401

    play(story)


def test_who_may_only_call_reads_no_records(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await deployed(stage)
        stage.records.add("a", "team")
        token = await stage.tokens.issue(stage.team, TokenRequest(role="invoke"))
        caller = {"authorization": f"Bearer {token.token}"}
        for path in (TEAM, "/v1/calls/a/records", "/v1/calls/a/logs"):
            assert (await stage.ask("GET", path, headers=caller)).status == 403

    play(story)


def test_a_call_that_was_never_queued_is_told_as_it_ended(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.records.add("a", "team", status=500, error="function_error", run_ms=250.0)
        told = (await stage.ask("GET", "/v1/calls/a")).json()
        assert (told["state"], told["status"], told["reason"], told["seconds"]) == ("done", 500, "function_error", 0.25)
        assert (told["function"], told["accepted_unix_ms"], told["finished_unix_ms"]) == ("hello.team", 1_000, 1_250)
        assert (await stage.ask("DELETE", "/v1/calls/a")).status == 404
        stage.queue.add("a", "team", "running")
        assert (await stage.ask("GET", "/v1/calls/a")).json()["state"] == "running"

    play(story)


def test_the_lines_of_a_call_are_those_that_carry_its_id(play: Play) -> None:
    async def story(stage: Stage) -> None:
        key, now_ns = parse_function_key("hello.team"), time.time_ns()
        for at, (call_id, text) in enumerate((("a", "one"), ("b", "else"), ("a", "two"), ("", "nobody's"))):
            stage.logs.write(LogLine(now_ns + at, key, ReplicaId("r" * 10), "stdout", call_id, text))
        stage.logs.write(LogLine(0, key, ReplicaId("r" * 10), "stdout", "a", "another call's of that id"))
        stage.records.add("a", "team", started_unix_ms=now_ns // 1_000_000)
        answer = await stage.ask("GET", "/v1/calls/a/logs")
        assert [line for line in answer.body.decode().splitlines() if '"one"' in line or '"two"' in line]
        assert answer.body.count(b"\n") == 2

    play(story)


def test_calls_without_a_record_are_counted_for_who_sees_the_installation(play: Play) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask("GET", "/metrics", app="metrics")
        assert b'dayfly_records_dropped_total{reason="rate"} 3\n' in answer.body

    play(story)


def test_roll_ups_are_asked_for_by_span_function_and_time(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await deployed(stage)
        before_s = time.time_ns() // 10**9 - 86_400
        path = "/v1/namespaces/team/rollups"
        assert (await stage.ask("GET", f"{path}?by=minute&function=hello&since=24h&limit=5")).json() == []
        (asked,) = stage.records.asked_rollups
        assert (asked.namespace, asked.span, asked.function, asked.limit) == ("team", "minute", "hello", 5)
        assert before_s <= asked.since_unix_s <= time.time_ns() // 10**9 - 86_400
        for wrong in ("by=day", "limit=0", "limit=10001", "function=A_B", "since=soon"):
            assert (await stage.ask("GET", f"{path}?{wrong}")).status == 400

    play(story)


def test_payloads_are_for_who_deploys_in_that_namespace(play: Play) -> None:
    async def story(stage: Stage) -> None:
        mine = await deployed(stage)
        for namespace in ("team", "other"):
            stage.records.add("same", namespace)
            stage.records.kept[namespace, "same"] = [
                CallPayload(
                    method="POST", target="/", headers=(), body=namespace.encode(), status=200, answer_headers=(),
                    answer_body=b"",
                )
            ]  # fmt: skip
        stage.records.add("theirs", "other")
        path = "/v1/calls/same/payloads"
        found = (await stage.ask("GET", path, headers=mine)).json()
        assert [base64.b64decode(each["body"]) for each in found] == [b"team"]
        assert len((await stage.ask("GET", path)).json()) == 2
        assert (await stage.ask("GET", "/v1/calls/theirs/payloads", headers=mine)).status == 404
        for role in ("view", "invoke"):
            token = await stage.tokens.issue(stage.team, TokenRequest(role=role))
            who = {"authorization": f"Bearer {token.token}"}
            assert (await stage.ask("GET", path, headers=who)).status == 403
        assert (await stage.ask("GET", path, headers={})).status == 401

    play(story)
