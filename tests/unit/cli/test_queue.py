"""`dayfly queue` and `dayfly invoke --async`: what is asked, and what is printed."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import msgspec
import pytest

from dayfly.model.queued import CallState, CallStatus

Run = Callable[..., Any]


def a_call(state: CallState, **fields: Any) -> CallStatus:
    """Return a call that stands so."""
    return CallStatus(
        id="call-1", function="hello.openfaas-fn", namespace="openfaas-fn", state=state, attempts=2,
        accepted_unix_ms=1_700_000_000_000, **fields,
    )  # fmt: skip


class FakeQueue:
    """Answers as the gateway does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.moved = 3
        self.states: list[CallStatus] = [a_call("done", status=200, body=b"out", finished_unix_ms=1, seconds=0.5)]

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(f"{request.method} {request.url.raw_path.decode()}")
        self.headers.append(dict(request.headers))
        self.bodies.append(request.content)
        path = request.url.path
        if path.startswith("/async-function/"):
            return httpx2.Response(202, headers={"X-Call-Id": "call-1"})
        if path.endswith(("/redrive", "/purge")):
            return httpx2.Response(200, json={"calls": self.moved})
        if path.endswith("/calls"):
            return httpx2.Response(200, content=msgspec.json.encode(self.states))
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return httpx2.Response(200, content=msgspec.json.encode(state))


@pytest.fixture
def queue(platform: Any) -> FakeQueue:
    """The platform's queue."""
    platform.queue = FakeQueue()
    return platform.queue  # type: ignore[no-any-return] # it was made in the line above


def test_waiting_prints_the_answer(dayfly: Run, queue: FakeQueue) -> None:
    queue.states.insert(0, a_call("running"))
    outcome = dayfly("invoke", "hello", "--async", "--wait", stdin=b"in")
    assert (outcome.exit_code, outcome.stdout_bytes) == (0, b"out")
    assert queue.asked[1:] == ["GET /v1/calls/call-1?wait=30s"] * 2


@pytest.mark.parametrize("state", ["dead", "cancelled"])
def test_waiting_for_what_fails_fails(dayfly: Run, queue: FakeQueue, state: CallState) -> None:
    queue.states = [a_call(state, status=500, body=b"why", reason="The function answered 500.")]
    outcome = dayfly("invoke", "hello", "--async", "--wait")
    assert outcome.exit_code == 1
    assert f"is {state}: The function answered 500. why" in outcome.stderr


@pytest.mark.parametrize("args", [("--wait",), ("--async", "--method", "GET")])
def test_what_makes_no_sense_together_is_refused(dayfly: Run, queue: FakeQueue, args: tuple[str, ...]) -> None:
    assert dayfly("invoke", "hello", *args).exit_code == 64
    assert queue.asked == []


def test_a_state_that_no_waiting_call_has_is_refused(dayfly: Run, queue: FakeQueue) -> None:
    outcome = dayfly("queue", "list", "--state", "done")
    assert (outcome.exit_code, "retrying" in outcome.stderr) == (2, True)
    assert queue.asked == []


def test_calls_are_listed(dayfly: Run, queue: FakeQueue) -> None:
    queue.states = [a_call("retrying", reason="The function answered 500.")]
    outcome = dayfly("queue", "list", "--state", "retrying", "--function", "hello")
    assert "call-1" in outcome.stdout
    assert "retrying" in outcome.stdout
    assert "The function answered 500." in outcome.stdout
    assert queue.asked == ["GET /v1/namespaces/openfaas-fn/calls?limit=100&state=retrying&function=hello"]
    assert dayfly("queue", "dead", "--limit", "5", "--output", "name").stdout == "call-1\n"
    assert queue.asked[1] == "GET /v1/namespaces/openfaas-fn/calls?limit=5&state=dead"
    queue.states = []
    assert dayfly("queue", "list").stdout == "No calls found.\n"


def test_a_call_is_shown(dayfly: Run, queue: FakeQueue) -> None:
    outcome = dayfly("queue", "get", "call-1")
    assert outcome.exit_code == 0
    assert queue.asked == ["GET /v1/calls/call-1"]
    assert all(text in outcome.stdout for text in ("hello.openfaas-fn", "done", "200", "0.500s", "out"))
    told = json.loads(dayfly("queue", "get", "call-1", "--output", "json").stdout)
    assert (told["id"], told["attempts"]) == ("call-1", 2)
    assert dayfly("queue", "get", "a/b").exit_code == 64


def test_a_call_is_cancelled(dayfly: Run, queue: FakeQueue) -> None:
    assert dayfly("queue", "cancel", "call-1").stdout == "Call Cancelled: call-1\n"
    assert queue.asked == ["DELETE /v1/calls/call-1"]


@pytest.mark.parametrize(("verb", "told"), [("redrive", "Redriven: 3\n"), ("purge", "Purged: 3\n")])
def test_dead_letters_are_moved(dayfly: Run, queue: FakeQueue, verb: str, told: str) -> None:
    args: tuple[str, ...]
    for args in (("c1", "c2"), ("--function", "hello"), ("--all",)):
        assert dayfly("queue", verb, *args, "--namespace", "team").stdout == told
    assert queue.asked == [f"POST /v1/namespaces/team/dead-letters/{verb}"] * 3
    assert [json.loads(body) for body in queue.bodies] == [{"ids": ["c1", "c2"]}, {"function": "hello"}, {}]
    wrong: tuple[tuple[str, ...], ...] = ((), ("c1", "--all"), ("--all", "--function", "hello"))
    for args in wrong:
        assert dayfly("queue", verb, *args).exit_code == 64


@pytest.mark.parametrize("verb", ["redrive", "purge"])
def test_an_id_that_no_dead_letter_has_is_told(dayfly: Run, queue: FakeQueue, verb: str) -> None:
    queue.moved = 0
    outcome = dayfly("queue", verb, "gone")
    assert (outcome.exit_code, "gone" in outcome.stderr, outcome.stdout) == (66, True, "")
    assert dayfly("queue", verb, "--all").exit_code == 0
