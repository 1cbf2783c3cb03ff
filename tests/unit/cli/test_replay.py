"""`dayfly replay` and `dayfly call --payload`: what is asked, what is printed, and what is edited."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from tests.unit.cli.test_calls import a_call

from dayfly.cli.payload_edit import read, written
from dayfly.model.errors import InvalidRequest
from dayfly.model.invocation import Invocation
from dayfly.model.payload import CallPayload
from dayfly.model.replay import Replay, ReplayedRequest, ReplayOrder, ReplaySide

Run = Callable[..., Any]
NOISE = (("date", "today"), ("x-call-id", "b"), ("x-duration-seconds", "1"))


def side(**fields: Any) -> ReplaySide:
    given: dict[str, Any] = {
        "call_id": "call-1", "revision": 1, "status": 200, "headers": (("x-a", "1"),), "body": b"fine", "cut": False,
        "milliseconds": 1.5, **fields,
    }  # fmt: skip
    return ReplaySide(**given)


def kept(**fields: Any) -> CallPayload:
    given: dict[str, Any] = {
        "number": 3, "method": "POST", "target": "/x?y=1", "headers": (("host", "h"), ("x-mine", "1")),
        "body": b'{"n":1}', "status": 500, "answer_headers": (), "answer_body": b"\xff\x00", **fields,
    }  # fmt: skip
    return CallPayload(**given)


class FakeReplays:
    """Answers as the gateway does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, ReplayOrder]] = []
        self.old = side(status=500, body=b'{"why": "no"}')
        self.new = side(headers=(("x-a", "1"), *NOISE), call_id="call-2", revision=2, body=b'{"why": "yes"}')
        self.calls: list[Invocation] = []
        self.refused: set[str] = set()
        self.refusal = ("conflict", 409)
        self.payloads = [kept()]

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path.endswith("/payloads"):
            return httpx2.Response(200, content=msgspec.json.encode(self.payloads))
        if path.endswith("/records"):
            return httpx2.Response(200, content=msgspec.json.encode(self.calls))
        call = path.split("/")[-2]
        self.orders.append((call, msgspec.json.decode(request.content, type=ReplayOrder)))
        if call in self.refused:
            code, status = self.refusal
            told = {"type": f"urn:dayfly:problem:{code}", "code": code, "detail": "It was cut", "status": status}
            return httpx2.Response(status, json=told, headers={"content-type": "application/problem+json"})
        told_of = Replay(function="hello.openfaas-fn", method="POST", target="/x", old=self.old, new=self.new)
        return httpx2.Response(200, content=msgspec.json.encode(told_of))


@pytest.fixture
def replays(platform: Any) -> FakeReplays:
    """The platform's records and replays."""
    platform.queue = FakeReplays()
    return platform.queue  # type: ignore[no-any-return] # it was made in the line above


@pytest.fixture
def dayfly(dayfly: Run) -> Run:
    """Run the command line, and expect its exit code; None expects nothing."""

    def run(*args: str, code: int | None = 0) -> Any:
        outcome = dayfly(*args)
        assert code is None or outcome.exit_code == code, outcome
        return outcome

    return run


def test_a_payload_is_shown_as_it_was_sent(dayfly: Run, replays: FakeReplays) -> None:
    shown = dayfly("call", "call-1", "--payload").stdout
    assert "  POST /x?y=1\n  host: h\n  x-mine: 1\n" in shown
    assert '  {\n    "n": 1\n  }\n' in shown
    assert "  (2 bytes, sha256 " in shown
    replays.payloads = []
    assert "com.dayfly.record.payloads" in dayfly("call", "call-1", "--payload").stderr


def test_a_replay_shows_what_differs(dayfly: Run, replays: FakeReplays) -> None:
    outcome = dayfly("replay", "call-1", code=1)
    lines = outcome.stdout.splitlines()
    assert "Status:   500 → 200" in lines
    assert "Revision: 1 → 2" in lines
    assert "Headers:  the same" in lines
    assert [line for line in lines if "why" in line] == ['  -  "why": "no"', '  +  "why": "yes"']
    assert replays.orders == [("call-1", ReplayOrder())]


def test_the_same_answer_is_the_same_whatever_the_time_took(dayfly: Run, replays: FakeReplays) -> None:
    replays.old = side(headers=(("x-a", "1"), ("date", "then")), milliseconds=900.0)
    replays.new = side(headers=(("x-a", "1"), *NOISE))
    shown = dayfly("replay", "call-1", "--revision", "2").stdout
    assert "Body:     the same, 4 bytes" in shown
    assert "Time:     900ms → 1.5ms" in shown
    assert replays.orders == [("call-1", ReplayOrder(revision=2))]
    replays.old = side(headers=(("x-a", "2"),))
    shown = dayfly("replay", "call-1", code=1).stdout
    assert "  -x-a: 2\n  +x-a: 1\n" in shown
    replays.old = side(headers=(), body=b"\xff")
    assert "(1 bytes, sha256" in dayfly("replay", "call-1", code=1).stdout


def test_that_each_answer_tells_its_own_id_is_no_difference(dayfly: Run, replays: FakeReplays) -> None:
    replays.old, replays.new = side(body=b"of call-1"), side(body=b"of call-2", call_id="call-2")
    assert "Body:     the same" in dayfly("replay", "call-1").stdout


def test_of_a_body_that_was_cut_the_beginning_is_compared(dayfly: Run, replays: FakeReplays) -> None:
    replays.old, replays.new = side(body=b"abc", cut=True), side(body=b"abcdef")
    assert "only the beginnings" in dayfly("replay", "call-1").stdout


@pytest.mark.usefixtures("replays")
def test_json_has_both_answers(dayfly: Run) -> None:
    told = json.loads(dayfly("replay", "call-1", "-o", "json", code=1).stdout)
    assert (told["old"]["status"], told["new"]["status"]) == (500, 200)


def test_failed_calls_are_replayed_oldest_first_and_counted(dayfly: Run, replays: FakeReplays) -> None:
    replays.calls = [
        a_call(4, id="again", trigger="replay one"), a_call(3, id="three"), a_call(2, id="two"), a_call(1, id="one"),
    ]  # fmt: skip
    replays.refused = {"two"}
    outcome = dayfly("replay", "--failed", "--since", "1h", code=1)
    assert replays.orders == [(name, ReplayOrder(number=at)) for at, name in enumerate(("one", "two", "three"), 1)]
    assert outcome.stdout.count("500 → 200") == 2
    assert "not replayed: It was cut" in outcome.stdout
    assert outcome.stdout.endswith("2 replayed: 0 the same, 2 different; 1 not.\n")
    replays.calls = []
    assert "0 replayed" in dayfly("replay", "--failed").stdout


@pytest.mark.parametrize("refusal", [("function_failed", 500), ("build_failed", 422), ("quota_exceeded", 403)])
def test_a_revision_that_one_function_cannot_have_leaves_the_others(
    dayfly: Run, replays: FakeReplays, refusal: tuple[str, int]
) -> None:
    replays.calls = [a_call(2, id="two"), a_call(1, id="one")]
    replays.refused, replays.refusal = {"one"}, refusal
    outcome = dayfly("replay", "--failed", "--revision", "3", code=1)
    assert replays.orders == [(name, ReplayOrder(number=at, revision=3)) for at, name in enumerate(("one", "two"), 1)]
    assert "not replayed: It was cut" in outcome.stdout
    assert outcome.stdout.endswith("1 replayed: 0 the same, 1 different; 1 not.\n")


@pytest.mark.parametrize(
    "given",
    [(), ("one", "--failed"), ("one", "--since", "1h"), ("--failed", "--edit"), ("one", "--revision", "x")],
)
def test_what_means_nothing_is_refused(dayfly: Run, replays: FakeReplays, given: tuple[str, ...]) -> None:
    assert dayfly("replay", *given, code=None).exit_code in (2, 64)
    assert replays.orders == []


def test_an_edited_request_is_sent(
    dayfly: Run, replays: FakeReplays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "edit er"
    seen = tmp_path / "seen"
    editor.write_text(f'#!/bin/sh\nstat -c %a "$1" > {seen}\necho "$1" >> {seen}\nsed -i s/1/2/ "$1"\necho >> "$1"\n')
    editor.chmod(0o700)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"'{editor}'")
    dayfly("replay", "call-1", "--edit", code=1)
    mode, path = seen.read_text().split()
    assert int(mode, 8) & (stat.S_IRWXG | stat.S_IRWXO) == 0
    assert not Path(path).parent.exists()
    sent = ReplayedRequest(method="POST", target="/x?y=2", headers=(("x-mine", "2"),), body=b'{"n":2}')
    assert replays.orders == [("call-1", ReplayOrder(number=3, request=sent))]
    monkeypatch.setenv("EDITOR", "/bin/false")
    assert dayfly("replay", "call-1", "--edit", code=None).exit_code == 64
    monkeypatch.setenv("EDITOR", str(tmp_path / "missing"))
    assert dayfly("replay", "call-1", "--edit", code=None).exit_code == 69
    assert len(replays.orders) == 1


def test_a_file_is_read_as_it_was_written_and_holds_nothing_redacted() -> None:
    body = b"\x00\xff\n\nrest"
    told = read(written(kept(headers=(("x-mine", "\xe4"), ("idempotency-key", "[redacted]")), body=body)))
    assert told == ReplayedRequest(target="/x?y=1", headers=(("x-mine", "\xe4"),), body=body)
    for wrong in (b"", b"nonsense /\n\n", b"GET /\nno header\n\n", b"GET /\nauthorization: [redacted]\n\n"):
        with pytest.raises(InvalidRequest):
            read(wrong)
