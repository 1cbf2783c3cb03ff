"""How a flow goes on, kind by kind: what is begun, ordered and written, and when."""

from typing import Any

import msgspec
import pytest

from dayfly.decide import flow
from dayfly.decide.flow import decide
from dayfly.decide.flow_names import check_names
from dayfly.decide.flow_plan import Plan
from dayfly.decide.flow_records import Records
from dayfly.model.errors import InvalidSpec
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import (
    Begun,
    Cancelled,
    Ended,
    Entry,
    Failed,
    Finished,
    FlowError,
    FlowRun,
    Judged,
    Logged,
    Signalled,
)

START = 1_000_000


def spec_of(*steps: dict[str, Any], **fields: Any) -> FlowSpec:
    spec = msgspec.convert({"name": "test", "steps": list(steps), **fields}, FlowSpec)
    spec.check()
    check_names(spec)
    return spec


class Story:
    """A run and its log, driven by hand."""

    def __init__(self, *steps: dict[str, Any], given: Any = None, **fields: Any) -> None:
        self.run = FlowRun(
            id="r", namespace="n", flow="test", spec=spec_of(*steps, **fields), input=given, started_unix_ms=START
        )
        self.now = START
        self.log: list[Logged] = []
        self.plan = Plan()
        self.go()

    def go(self) -> Plan:
        """Decide from the log alone, and write what was decided."""
        self.plan = decide(self.run, Records(self.log), self.now)
        self.write(*self.plan.entries)
        return self.plan

    def write(self, *entries: Entry) -> None:
        for entry in entries:
            self.log.append(Logged(len(self.log) + 1, self.now, entry))

    def answer(self, path: str, result: Any = None, *, attempt: int = 1) -> Plan:
        assert (path, attempt) in [(order.path, order.attempt) for order in self.plan.orders]
        self.write(Ended(path=path, attempt=attempt, result=result))
        return self.go()

    def fail(self, path: str, code: str = "function_failed", *, attempt: int = 1) -> Plan:
        self.write(Failed(path=path, attempt=attempt, error=FlowError(code=code, message="It failed.", step=path)))
        return self.go()

    def wait(self, seconds: float) -> Plan:
        self.now += round(seconds * 1000)
        return self.go()

    @property
    def orders(self) -> dict[str, Any]:
        return {order.path: order.body for order in self.plan.orders}

    @property
    def end(self) -> Finished:
        last = self.log[-1].entry
        assert isinstance(last, Finished)
        return last


def call(name: str, **fields: Any) -> dict[str, Any]:
    return {"do": "call", "name": name, "function": "f", **fields}


def put(name: str, value: str, **fields: Any) -> dict[str, Any]:
    return {"do": "set", "name": name, "value": value, **fields}


def test_a_sequence_hands_each_result_to_the_next() -> None:
    story = Story(call("a"), call("b"), given={"x": 1})
    assert story.log[-1].entry == Begun(path="a", input={"x": 1})
    assert story.orders == {"a": {"x": 1}}
    story.answer("a", {"x": 2})
    assert story.orders == {"b": {"x": 2}}
    story.answer("b", "end")
    assert story.end == Finished(state="done", result="end")


def test_what_is_under_way_is_ordered_again_and_not_begun_again() -> None:
    story = Story(call("a"))
    before = len(story.log)
    assert story.go().orders == story.go().orders
    assert len(story.log) == before


def test_nothing_is_decided_for_a_run_that_is_over() -> None:
    story = Story(put("a", "`1`"))
    assert story.end.state == "done"
    assert story.go() == Plan()


def test_expressions_see_the_input_and_earlier_steps() -> None:
    story = Story(
        call("a"), put("b", "{was: input.n, got: a.m}"), call("c", body="[b.was, b.got, last.got]"), given={"n": 1}
    )
    story.answer("a", {"m": 2})
    assert story.orders == {"c": [1, 2, 2]}


def test_the_output_may_be_worked_out_of_all() -> None:
    story = Story(put("a", "`1`"), put("b", "`2`"), output="[a, b]")
    assert story.end.result == [1, 2]


def test_a_choice_takes_the_first_branch_that_holds() -> None:
    branches = [
        {"when": "input > `10`", "steps": [put("big", "'big'")]},
        {"when": "input > `5`", "steps": [put("middle", "'middle'")]},
    ]
    choice = {"do": "choice", "name": "c", "branches": branches}
    assert Story(choice, given=20).end.result == "big"
    assert Story(choice, given=7).end.result == "middle"
    assert Story(choice, given=1).end.result == 1, "without a branch what came before goes on"
    assert Story({**choice, "otherwise": [put("small", "'small'")]}, given=1).end.result == "small"


def test_a_choice_is_made_once() -> None:
    story = Story({"do": "choice", "name": "c", "branches": [{"when": "input", "steps": [call("a")]}]}, given=True)
    assert Begun(path="c", input=0) in [logged.entry for logged in story.log]
    assert story.orders == {"c.0.a": True}


def test_parallel_branches_go_on_side_by_side_and_are_named_in_the_result() -> None:
    story = Story({"do": "parallel", "name": "p", "branches": {"left": [call("a")], "right": [call("b"), call("c")]}})
    assert set(story.orders) == {"p.left.a", "p.right.b"}
    story.answer("p.right.b", 1)
    assert set(story.orders) == {"p.left.a", "p.right.c"}
    story.answer("p.right.c", "R")
    story.answer("p.left.a", "L")
    assert story.end.result == {"left": "L", "right": "R"}


def test_a_map_keeps_the_order_and_its_concurrency() -> None:
    each = {"do": "map", "name": "m", "over": "input", "steps": [call("a", body="[index, item]")], "concurrency": 2}
    story = Story(each, given=["x", "y", "z"])
    assert story.orders == {"m.0.a": [0, "x"], "m.1.a": [1, "y"]}
    story.answer("m.1.a", "Y")
    assert story.orders == {"m.0.a": [0, "x"], "m.2.a": [2, "z"]}
    story.answer("m.2.a", "Z")
    story.answer("m.0.a", "X")
    assert story.end.result == ["X", "Y", "Z"]


def test_a_map_over_nothing_is_nothing() -> None:
    assert Story({"do": "map", "name": "m", "over": "input", "steps": [call("a")]}, given=[]).end.result == []


@pytest.mark.parametrize("given", ["text", {"a": 1}, None, 3])
def test_a_map_takes_a_list(given: Any) -> None:
    end = Story({"do": "map", "name": "m", "over": "input", "steps": [call("a")]}, given=given).end
    assert end.error is not None
    assert (end.state, end.error.code, end.error.step) == ("failed", "expression", "m")


def test_the_first_in_order_that_fails_decides_whoever_was_faster() -> None:
    each = {"do": "map", "name": "m", "over": "input", "steps": [call("a")], "concurrency": 3}
    early = Story(each, given=[0, 1, 2])
    early.fail("m.1.a")
    assert set(early.orders) == {"m.0.a"}, "those after it end, those before it may still decide"
    early.fail("m.0.a")
    late = Story(each, given=[0, 1, 2])
    late.fail("m.0.a")
    assert early.end.error == late.end.error
    assert late.end.error is not None
    assert late.end.error.step == "m.0.a"


def test_a_filter_keeps_what_holds() -> None:
    keep = {"do": "filter", "name": "k", "over": "input.all", "keep": "item.n > input.least && index < `3`"}
    given = {"least": 1, "all": [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}]}
    assert Story(keep, given=given).end.result == [{"n": 2}, {"n": 3}]


def test_a_split_cuts_lists_and_texts() -> None:
    assert Story({"do": "split", "name": "s", "over": "input", "size": 2}, given=[1, 2, 3]).end.result == [[1, 2], [3]]
    assert Story({"do": "split", "name": "s", "over": "input", "by": ","}, given="a,b").end.result == ["a", "b"]
    for wrong in ({"size": 2}, {"by": ","}):
        assert Story({"do": "split", "name": "s", "over": "input", **wrong}, given=1).end.state == "failed"


def test_a_delay_waits_and_hands_on_what_came_before() -> None:
    story = Story({"do": "delay", "name": "d", "for": "10m"}, given="kept")
    assert story.plan.wake_unix_ms == START + 600_000
    story.wait(599)
    assert story.log[-1].entry == Begun(path="d", due_unix_ms=START + 600_000)
    story.wait(1)
    assert story.end.result == "kept"


def test_a_delay_may_name_a_moment() -> None:
    story = Story({"do": "delay", "name": "d", "until": "input.at"}, given={"at": "1970-01-01T01:00:00Z"})
    assert story.plan.wake_unix_ms == 3_600_000
    assert Story({"do": "delay", "name": "d", "until": "input.at"}, given={"at": "soon"}).end.state == "failed"


def test_a_step_is_tried_again_after_waits_that_double() -> None:
    story = Story(call("a", retry={"attempts": 4, "wait": "1s", "max_wait": "3s"}))
    for attempt, wait_s in ((1, 1), (2, 2), (3, 3)):
        story.fail("a", attempt=attempt)
        assert story.plan.wake_unix_ms == story.now + wait_s * 1000
        story.wait(wait_s - 0.001)
        assert not story.orders
        story.wait(0.001)
        assert story.plan.orders[0].attempt == attempt + 1
    story.fail("a", attempt=4)
    assert story.end.state == "failed"


def test_a_retry_may_name_the_errors_it_is_for() -> None:
    named = {"attempts": 2, "on": ["busy"]}
    story = Story(call("a", retry=named))
    story.fail("a", "other")
    assert story.end.state == "failed"
    story = Story(call("a", retry=named))
    story.fail("a", "busy")
    story.wait(1)
    assert story.plan.orders[0].attempt == 2


def test_what_would_only_be_repeated_is_not_tried_again() -> None:
    story = Story(put("a", "abs(input)", retry={"attempts": 9}), given="x")
    assert story.end.error is not None
    assert story.end.error.code == "expression"


def test_steps_inside_a_step_that_is_tried_again_are_taken_anew() -> None:
    story = Story({"do": "group", "name": "g", "steps": [call("a"), call("b")], "retry": {"attempts": 2, "wait": "1s"}})
    story.answer("g.a", 1)
    story.fail("g.b")
    story.wait(1)
    assert set(story.orders) == {"g~2.a"}
    story.answer("g~2.a", 2)
    story.answer("g~2.b", 3)
    assert story.end.result == 3


def test_a_catch_makes_good_and_sees_the_error() -> None:
    catch = {"steps": [call("c", body="[error.code, error.step, input]")]}
    story = Story(call("a", catch=catch), put("after", "a"), given=7)
    story.fail("a", "broken")
    assert story.orders == {"a~catch.c": ["broken", "a", 7]}
    story.answer("a~catch.c", "mended")
    assert story.end == Finished(state="done", result="mended")


def test_a_catch_is_for_the_codes_it_names_and_may_fail_itself() -> None:
    story = Story(call("a", catch={"on": ["timeout"], "steps": [put("c", "`1`")]}))
    story.fail("a", "other")
    assert story.end.state == "failed"
    story = Story(call("a", catch={"steps": [call("c")]}))
    story.fail("a")
    story.fail("a~catch.c", "worse")
    assert story.end.error is not None
    assert story.end.error.code == "worse"


def test_a_catch_comes_after_the_last_attempt() -> None:
    story = Story(call("a", retry={"attempts": 2}, catch={"steps": [put("c", "`1`")]}))
    story.fail("a")
    assert len(story.log) == 2
    story.wait(1)
    story.fail("a", attempt=2)
    assert story.end.result == 1


def test_a_timeout_ends_an_attempt_and_its_call() -> None:
    story = Story(call("a", timeout="5s", catch={"on": ["timeout"], "steps": [put("c", "'late'")]}))
    assert story.plan.wake_unix_ms == START + 5000
    story.wait(5)
    assert not story.orders
    assert story.end.result == "late"


def test_a_timeout_of_steps_together_ends_what_is_inside() -> None:
    story = Story({"do": "group", "name": "g", "timeout": "5s", "steps": [call("a"), call("b")]})
    story.wait(3)
    story.answer("g.a", 1)
    assert set(story.orders) == {"g.b"}
    story.wait(2)
    assert story.end.error is not None
    assert (story.end.error.code, story.end.error.step) == ("timeout", "g")


def test_a_run_has_a_timeout() -> None:
    story = Story(call("a"), timeout="1m")
    assert story.plan.wake_unix_ms == START + 60_000
    story.wait(60)
    assert story.end.error is not None
    assert story.end.error.code == "timeout"


def test_an_event_that_came_before_it_was_waited_for_is_kept() -> None:
    story = Story(call("a"), {"do": "wait", "name": "w", "event": "paid"})
    story.write(Signalled(id="1", event="paid", payload={"n": 1}), Signalled(id="2", event="other"))
    story.go()
    story.answer("a")
    assert story.end.result == {"n": 1}


def test_an_event_is_taken_once_and_the_oldest_first() -> None:
    story = Story({"do": "wait", "name": "w", "event": "e"}, {"do": "wait", "name": "v", "event": "e"}, output="[w, v]")
    story.write(Signalled(id="1", event="e", payload=1))
    story.go()
    assert Ended(path="w", result=1, signal="1") in [logged.entry for logged in story.log]
    story.write(Signalled(id="2", event="e", payload=2))
    story.go()
    assert story.end.result == [1, 2]


def test_waiting_has_a_timeout_but_what_came_in_time_counts() -> None:
    wait = {"do": "wait", "name": "w", "event": "e", "timeout": "1s"}
    late = Story(wait)
    late.wait(1)
    assert late.end.state == "failed"
    down = Story(wait)
    down.write(Signalled(id="1", event="e", payload="in time"))
    down.wait(100)
    assert down.end.result == "in time"


def test_a_person_approves_or_rejects() -> None:
    ask = {"do": "approval", "name": "ok", "prompt": "Ship it?"}
    story = Story(ask)
    assert story.log[-1].entry == Begun(path="ok", input="Ship it?")
    story.write(Judged(path="ok", approved=True, by="ada", comment="fine"))
    story.go()
    assert story.end.result == {"approved": True, "by": "ada", "comment": "fine"}
    story = Story({**ask, "catch": {"on": ["rejected"], "steps": [put("no", "error.message")]}})
    story.write(Judged(path="ok", approved=False, by="ada", comment="not today"))
    story.go()
    assert story.end.result == "ada rejected it: not today"


def test_an_approval_is_of_one_attempt() -> None:
    story = Story({"do": "approval", "name": "ok", "retry": {"attempts": 2, "on": ["rejected"]}})
    story.write(Judged(path="ok", approved=False))
    story.go()
    story.wait(1)
    assert story.log[-1].entry == Begun(path="ok", attempt=2, input="")


def test_a_flow_may_fail_by_its_own_word() -> None:
    story = Story({"do": "fail", "name": "no", "code": "too_dear", "message": "It costs too much."})
    assert story.end.error == FlowError(code="too_dear", message="It costs too much.", step="no")


def test_a_cancelled_run_ends_with_all_that_is_under_way() -> None:
    story = Story(call("a"))
    story.write(Cancelled(by="ada"))
    story.go()
    assert story.end.state == "cancelled"
    assert not story.orders


def test_a_run_begins_only_so_many_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "MAX_ATTEMPTS", 5)
    each = {"do": "map", "name": "m", "over": "input", "steps": [put("a", "item")]}
    assert Story(each, given=[1, 2, 3, 4]).end.state == "done"
    end = Story(each, given=[1, 2, 3, 4, 5]).end
    assert end.error is not None
    assert end.error.code == "limit"


def test_a_value_that_the_log_cannot_hold_is_an_error() -> None:
    double = "[last, last]"
    steps = [put(f"s{at}", double) for at in range(12)]
    end = Story(*steps, given="x" * 1000).end
    assert end.error is not None
    assert end.error.code == "expression"


def test_a_value_is_what_the_log_will_say_it_is() -> None:
    assert Story(put("a", "to_number('nan')"), put("b", "[a]")).end.result == [None]


def test_others_get_their_turn_while_a_run_only_reckons() -> None:
    steps = [put(f"s{at}", "length(input[?@ > `0`])") for at in range(6)]
    story = Story(*steps, given=[1] * 10_000)
    assert story.plan.wake_unix_ms == story.now
    turns = 1
    while not isinstance(story.log[-1].entry, Finished):
        story.go()
        turns += 1
    assert 2 <= turns <= 6


@pytest.mark.parametrize(
    ("steps", "word"),
    [
        ([put("a", "b"), put("b", "`1`")], "'b'"),
        ([put("a", "item")], "'item'"),
        ([put("a", "error")], "'error'"),
        ([put("a", "a")], "'a'"),
        ([{"do": "group", "name": "g", "steps": [put("a", "`1`")]}, put("b", "a")], "'a'"),
        ([put("a", "foo(")], "cannot be read"),
        ([call("a", body="nope.x")], "'nope'"),
        ([{"do": "map", "name": "m", "over": "item", "steps": [put("a", "item")]}], "'item'"),
    ],
)  # fmt: skip
def test_an_expression_names_only_what_is_there(steps: list[dict[str, Any]], word: str) -> None:
    with pytest.raises(InvalidSpec, match=word):
        spec_of(*steps)


def test_an_expression_may_name_all_that_is_there() -> None:
    inside = {"do": "map", "name": "m", "over": "a.list", "steps": [put("b", "[item, index, a, input, last]")]}
    spec_of(put("a", "input"), {**inside, "catch": {"steps": [put("c", "[error, a]")]}}, put("d", "m"), output="d")
    with pytest.raises(InvalidSpec, match="output"):
        spec_of(put("a", "input"), output="nope")
