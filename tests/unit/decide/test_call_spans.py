"""A call's spans: they make one trace, lie within each other, and join whoever called."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dayfly.decide.call_spans import Parent, parent_of, spans_of
from dayfly.decide.flow_spans import spans_of_run, traceparent
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import FlowError, FlowRun, StepRecord
from dayfly.model.invocation import Note, Origin
from dayfly.model.span import Span, span_id
from dayfly.model.table import Endpoint

CALL = "5e0f3c1a-7d52-4b8e-9a3f-0123456789ab"
OURS = CALL.replace("-", "")
THEIRS = "4bf92f3577b34da6a3ce929d0e0e4736"
START_NS = 1_700_000_000_000_000_000


def note(trace: str = OURS, flags: str = "01", trigger: str = "http", **fields: Any) -> Note:
    told: dict[str, Any] = {
        "ident": f"X-Call-Id: {CALL}\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-{flags}\r\n".encode(),
        "start": b"X-Start-Time: %d\r\n" % START_NS, "function": "hello.team",
        "endpoint": Endpoint("r1", "unix:r1.sock", 3),
        "origin": Origin(b"POST", b"/x", trigger, b"127.0.0.1"), "caller": "", "wait_s": 0.0, "cold": False,
        "run_s": 0.25, "status": 200, "received": 5, "sent": 7, "error": "", **fields,
    }  # fmt: skip
    return Note(**told)


def by_name(spans: list[Span]) -> dict[str, Span]:
    found = {each.name: each for each in spans}
    assert len(found) == len(spans)
    return found


def test_a_call_without_a_trace_has_its_own() -> None:
    spans = by_name(spans_of(note()))
    gateway, run = spans["gateway"], spans["run"]
    assert set(spans) == {"gateway", "run"}
    assert (gateway.trace, gateway.parent, gateway.id) == (OURS, "", "00f067aa0ba902b7"), "what its function is told"
    assert (run.parent, run.start_ns, run.end_ns) == (gateway.id, START_NS, START_NS + 250_000_000)
    assert gateway.attributes["faas.name"] == "hello"
    assert gateway.attributes["http.response.status_code"] == 200
    assert (run.attributes["dayfly.revision"], run.attributes["dayfly.call_id"]) == (3, CALL)


def test_a_call_with_a_trace_is_below_who_made_it() -> None:
    gateway = by_name(spans_of(note(THEIRS)))["gateway"]
    assert (gateway.trace, gateway.parent) == (THEIRS, "00f067aa0ba902b7")
    assert gateway.id not in ("", gateway.parent)


@pytest.mark.parametrize(("cold", "name"), [(True, "start"), (False, "hold")])
def test_what_a_call_waited_for_is_named(cold: bool, name: str) -> None:
    spans = by_name(spans_of(note(cold=cold, wait_s=0.5)))
    waited = spans[name]
    assert (waited.start_ns, waited.end_ns) == (START_NS, START_NS + 500_000_000)
    assert spans["run"].start_ns == waited.end_ns
    assert spans["gateway"].end_ns == spans["run"].end_ns
    assert spans["gateway"].attributes["faas.coldstart"] is cold


def test_a_queued_call_begins_where_it_was_accepted() -> None:
    spans = by_name(spans_of(note(trigger="queue"), accepted_ns=START_NS - 10))
    queue = spans["queue"]
    assert (queue.id, queue.parent, queue.start_ns, queue.end_ns) == (
        "00f067aa0ba902b7", "", START_NS - 10, START_NS,
    )  # fmt: skip
    assert spans["gateway"].parent == queue.id
    again = by_name(spans_of(note(trigger="queue")))
    assert "queue" not in again
    assert again["gateway"].parent == queue.id
    joined = by_name(spans_of(note(THEIRS, trigger="flow r1"), accepted_ns=START_NS - 10))
    assert joined["queue"].parent == "00f067aa0ba902b7"
    assert joined["gateway"].parent == joined["queue"].id


def test_a_call_that_failed_says_why() -> None:
    spans = by_name(spans_of(note(error="timeout", status=504)))
    assert (spans["gateway"].error, spans["run"].error) == ("timeout", "timeout")
    refused = by_name(spans_of(note(error="no_replica", status=503, endpoint=None, wait_s=2.0, run_s=0.0)))
    assert set(refused) == {"gateway", "hold"}


def test_what_its_caller_does_not_want_told_is_not() -> None:
    assert spans_of(note(THEIRS, flags="00")) == []
    assert spans_of(note(ident=b"X-Call-Id: x\r\n")) == []
    assert parent_of(b"X-Call-Id: x\r\nTraceparent: 00-short\r\n") is None
    assert parent_of(note(flags="03").ident) == Parent(OURS, "00f067aa0ba902b7", sampled=True)


@given(
    trace=some.sampled_from([OURS, THEIRS]),
    trigger=some.sampled_from(["http", "queue", "cron", "trigger x", "flow r"]),
    wait_s=some.floats(0, 100), run_s=some.floats(0, 100), cold=some.booleans(),
    accepted=some.sampled_from([0, START_NS - 5]), has_replica=some.booleans(),
)  # fmt: skip
def test_spans_make_one_tree(
    trace: str, trigger: str, wait_s: float, run_s: float, cold: bool, accepted: int, has_replica: bool
) -> None:
    fields: dict[str, Any] = {"wait_s": wait_s, "run_s": run_s, "cold": cold}
    fields |= {} if has_replica else {"endpoint": None}
    spans = spans_of(note(trace, trigger=trigger, **fields), accepted)
    known = {each.id: each for each in spans}
    assert len(known) == len(spans)
    for each in spans:
        assert each.trace == trace
        assert each.start_ns <= each.end_ns
        assert len(each.id) == 16
        if each.parent in known and known[each.parent].name != "queue":
            assert known[each.parent].start_ns <= each.start_ns
            assert each.end_ns <= known[each.parent].end_ns
    assert sum(each.parent not in known for each in spans) == 1
    assert spans == spans_of(note(trace, trigger=trigger, **fields), accepted)


def test_a_run_s_steps_are_below_it_and_their_calls_below_them() -> None:
    run = FlowRun(
        id="r1", namespace="team", flow="order", spec=FlowSpec(name="order", steps=()), input=None,
        started_unix_ms=1000, started_by="admin", state="failed", finished_unix_ms=3000,
        error=FlowError(code="function_failed", message="no"),
    )  # fmt: skip
    steps = (
        StepRecord(path="check", state="done", attempt=1, started_unix_ms=1000, finished_unix_ms=2000),
        StepRecord(
            path="pay", state="failed", attempt=3, started_unix_ms=2000, finished_unix_ms=3000,
            error=FlowError(code="function_failed", message="no"),
        ),
    )  # fmt: skip
    check, pay, whole = spans_of_run(run, steps)
    assert (whole.name, whole.parent, whole.error, whole.end_ns) == ("flow order", "", "function_failed", 3000 * 10**6)
    assert (check.parent, check.error, pay.parent, pay.error) == (whole.id, "", whole.id, "function_failed")
    assert pay.attributes["dayfly.attempts"] == 3
    assert traceparent("r1", "pay") == f"00-{whole.trace}-{pay.id}-01"
    assert span_id("a", "b") != span_id("a\nb", "") != ""
