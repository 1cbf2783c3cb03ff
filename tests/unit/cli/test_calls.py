"""`dayfly calls` and `dayfly call`: what is asked, and what is printed."""

import csv
import io
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import msgspec
import pytest

from dayfly.cli.calls import took
from dayfly.model.invocation import Invocation
from dayfly.model.log import LogLine
from dayfly.model.names import ReplicaId, parse_function_key
from dayfly.model.queued import CallStatus
from dayfly.model.rollup import Rollup
from dayfly.model.table import LATENCY_BUCKETS_S

Run = Callable[..., Any]
LINE = LogLine(1, parse_function_key("hello"), ReplicaId("r" * 10), "stdout", "call-1", "said so")


def a_call(number: int = 1, **fields: Any) -> Invocation:
    """Return a call that went so."""
    given: dict[str, Any] = {
        "id": "call-1", "trigger": "http", "method": "GET", "path": "/x", "status": 200, "run_ms": 1.5,
        "started_unix_ms": 1_700_000_000_000, "replica": "r1", "revision": 2, "address": "127.0.0.1", **fields,
    }  # fmt: skip
    return Invocation(number=number, function="hello", namespace="openfaas-fn", **given)


class FakeRecords:
    """Answers as the gateway does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pages: list[list[Invocation]] = [[a_call()]]
        self.status: CallStatus | None = None
        self.rollups: list[Rollup] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(f"{request.method} {request.url.raw_path.decode()}")
        path = request.url.path
        if path.endswith("/rollups"):
            return httpx2.Response(200, content=msgspec.json.encode(self.rollups))
        if path.endswith("/logs"):
            return httpx2.Response(200, content=msgspec.json.encode(LINE) + b"\n")
        if path.endswith("/records"):
            page = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
            if not page and path.startswith("/v1/calls/"):
                return self._missing()
            return httpx2.Response(200, content=msgspec.json.encode(page))
        return (
            self._missing() if self.status is None else httpx2.Response(200, content=msgspec.json.encode(self.status))
        )

    @staticmethod
    def _missing() -> httpx2.Response:
        told = {"type": "urn:dayfly:problem:not_found", "code": "not_found", "detail": "There is none", "status": 404}
        return httpx2.Response(404, json=told, headers={"content-type": "application/problem+json"})


@pytest.fixture
def records(platform: Any) -> FakeRecords:
    """The platform's records."""
    platform.queue = FakeRecords()
    return platform.queue  # type: ignore[no-any-return] # it was made in the line above


def test_calls_are_a_table_of_the_newest(dayfly: Run, records: FakeRecords) -> None:
    records.pages = [[a_call(2, status=500, error="function_error", trigger="cron"), a_call(1, cold=True, init_ms=8.0)]]
    outcome = dayfly("calls")
    head, failed, cold = outcome.stdout.splitlines()
    assert [word.strip() for word in head.split("\t")] == [
        "STARTED", "ID", "FUNCTION", "TRIGGER", "STATUS", "TOOK", "COLD", "ERROR",
    ]  # fmt: skip
    assert [word.strip() for word in failed.split("\t")] == [
        "2023-11-14T22:13:20Z", "call-1", "hello", "cron", "500", "1.5ms", "", "function_error",
    ]  # fmt: skip
    assert [word.strip() for word in cold.split("\t")][5:7] == ["9.5ms", "cold"]
    assert records.asked == ["GET /v1/namespaces/openfaas-fn/records?limit=50"]


def test_what_is_asked_for_goes_to_the_gateway(dayfly: Run, records: FakeRecords) -> None:
    options = ("--failed", "--function", "hello", "--since", "1h", "--until", "5m", "--slow", "500ms")
    outcome = dayfly("calls", *options, "--status", "5xx", "--trigger", "route shop", "--limit", "7", "-o", "json")
    assert json.loads(outcome.stdout)[0]["id"] == "call-1"
    (asked,) = records.asked
    assert sorted(asked.partition("?")[2].split("&")) == [
        "failed=true", "function=hello", "limit=7", "since=1h", "slow=500ms", "status=5xx", "trigger=route%20shop",
        "until=5m",
    ] or "trigger=route+shop" in asked  # fmt: skip


def test_sums_are_a_line_for_each_function_and_hour(dayfly: Run, records: FakeRecords) -> None:
    records.rollups = [
        Rollup(
            function="hello", namespace="openfaas-fn", at_unix_s=1_700_000_000, calls=4, failed=1, cold=2, seconds=0.2,
            run_s=1.5, request_bytes=2048, response_bytes=10, latencies=(3, 1, *[0] * 10),
        )
    ]  # fmt: skip
    _, line = dayfly("calls", "--by", "hour", "--since", "24h").stdout.splitlines()
    assert [word.strip() for word in line.split("\t")] == [
        "2023-11-14T22:13:20Z", "hello", "4", "1", "2", "50ms", "<10ms", "1.50s", "2Ki", "10",
    ]  # fmt: skip
    assert records.asked == ["GET /v1/namespaces/openfaas-fn/rollups?by=hour&limit=50&since=24h"]
    assert dayfly("calls", "--by", "hour", "--failed").exit_code != 0
    assert "--by goes with" in dayfly("calls", "--by", "hour", "--until", "1h").stderr


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_calls_as_csv_have_what_the_table_has_and_the_record_holds(dayfly: Run, records: FakeRecords) -> None:
    hostile = a_call(2, id="=1+1", path="/x,\r\n", caller="@cmd", error="+x", cold=True, init_ms=8.0, cpu_ms=0.25)
    records.pages = [[hostile, a_call(1)]]
    data = dayfly("calls", "-o", "csv").stdout_bytes
    head = data.partition(b"\r\n")[0].decode().split(",")
    assert head[:8] == ["started", "id", "function", "trigger", "status", "total_ms", "cold", "error"]
    assert sorted(head[1:]) == sorted({*Invocation.__struct_fields__, "total_ms"})
    first, second = read_csv(data)
    assert (first["started"], first["total_ms"], first["cold"]) == ("2023-11-14T22:13:20Z", "9.5", "true")
    assert (first["id"], first["caller"], first["error"]) == ("'=1+1", "'@cmd", "'+x"), "no spreadsheet runs it"
    assert (first["path"], first["cpu_ms"], second["cpu_ms"]) == ("/x,\r\n", "0.25", "")
    records.pages = [[]]
    assert read_csv(dayfly("calls", "-o", "csv").stdout_bytes) == []
    assert dayfly("calls", "-o", "csv", "--follow").exit_code == 64


def test_sums_as_csv_have_the_calls_of_each_bound(dayfly: Run, records: FakeRecords) -> None:
    latencies = tuple(range(len(LATENCY_BUCKETS_S) + 1))
    records.rollups = [
        Rollup(
            function="hello", namespace="openfaas-fn", at_unix_s=1_700_000_000, calls=4, failed=1, cold=2, seconds=0.2,
            run_s=1.5, request_bytes=2048, response_bytes=10, latencies=latencies,
        )
    ]  # fmt: skip
    (row,) = read_csv(dayfly("calls", "--by", "hour", "-o", "csv").stdout_bytes)
    assert (row["from"], row["calls"], row["run_s"]) == ("2023-11-14T22:13:20Z", "4", "1.5")
    assert [row[f"up_to_{bound:g}s"] for bound in LATENCY_BUCKETS_S] == [str(each) for each in latencies[:-1]]
    assert row["longer"] == str(latencies[-1])


def test_no_calls_are_said_to_be_none(dayfly: Run, records: FakeRecords) -> None:
    records.pages = [[]]
    outcome = dayfly("calls")
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert "No such calls are recorded in openfaas-fn." in outcome.stderr


def test_following_goes_on_from_the_newest_until_it_is_ended(
    dayfly: Run, records: FakeRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rest(_seconds: float) -> None:
        if len(records.asked) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", rest)
    records.pages = [[a_call(4, id="one")], [a_call(6, id="three"), a_call(5, id="two")], []]
    outcome = dayfly("calls", "--follow")
    shown = [line.split("\t")[1].strip() for line in outcome.stdout.splitlines()]
    assert shown == ["ID", "one", "two", "three"]
    assert [asked.partition("after=")[2] for asked in records.asked] == ["", "4", "6"]
    assert dayfly("calls", "--follow", "-o", "json").exit_code != 0
    assert "leave --until out" in dayfly("calls", "--follow", "--until", "1h").stderr


def test_a_call_is_shown_with_its_time_and_its_lines(dayfly: Run, records: FakeRecords) -> None:
    records.pages = [[a_call(cold=True, init_ms=10.0, run_ms=30.0, caller="key:ci", cpu_ms=2.0, memory_bytes=2**20)]]
    shown = dayfly("call", "call-1").stdout
    assert "Function: hello.openfaas-fn, revision 2, replica r1" in shown
    assert "Caller:   key:ci at 127.0.0.1" in shown
    assert "|::::::::::##############################| 40ms: init 10ms, run 30ms, cold" in shown
    assert "CPU:      2.0ms" in shown
    assert "Memory:   1Mi" in shown
    assert shown.endswith("Log:\n  said so\n")
    assert "said so" not in dayfly("call", "call-1", "--no-logs").stdout


def test_a_queued_call_is_shown_with_its_attempts(dayfly: Run, records: FakeRecords) -> None:
    records.status = CallStatus(
        id="call-1", function="hello.openfaas-fn", namespace="openfaas-fn", state="dead", attempts=2,
        accepted_unix_ms=1, reason="The function answered 500.",
    )  # fmt: skip
    records.pages = [[a_call(1, status=500, error="function_error"), a_call(2, status=500, error="function_error")]]
    shown = dayfly("call", "call-1").stdout
    assert "State:    dead" in shown
    assert "Attempt 1 of 2\n" in shown
    assert "Attempt 2 of 2\n" in shown
    records.pages = [[]]
    assert "State:    dead" in dayfly("call", "call-1").stdout


def test_a_call_that_nobody_knows_is_an_error(dayfly: Run, records: FakeRecords) -> None:
    records.pages = [[]]
    outcome = dayfly("call", "call-1")
    assert outcome.exit_code != 0
    assert "There is none" in outcome.stderr


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0.04, "0.0ms"), (1.26, "1.3ms"), (10, "10ms"), (999, "999ms"), (1240, "1.24s")]
)
def test_times_are_short(milliseconds: float, text: str) -> None:
    assert took(milliseconds) == text
