"""Flows as code: turns of a function, the steps that it asks for, and the log that both are told from."""

import asyncio
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.decide.test_flow import Story

from dayfly.decide.flow_code import MAX_WANTED
from dayfly.decide.flow_plan import Order
from dayfly.decide.flow_records import Records
from dayfly.decide.flow_view import view, waits_for_judgement
from dayfly.model.flow_run import Begun, Ended, FlowError, Judged, Signalled
from dayfly.model.flow_turn import Answer, Failure, Turn
from dayfly.runtimes.python.replay import Failed, Flow, play

CODE: dict[str, Any] = {"do": "code", "name": "main", "function": "orders"}


def take_turn(code: Any, body: Any) -> Any:
    """Do as the function does, over the same JSON."""
    turn = msgspec.json.decode(msgspec.json.encode(body), type=Turn)
    try:
        answer = play(code, turn)
    except Failed as error:
        answer = Answer(state="failed", error=Failure(code=error.code, message=str(error), status=error.status))
    return msgspec.json.decode(msgspec.json.encode(answer))


class Coded(Story):
    """A run of a flow that is code."""

    def __init__(self, code: Any, given: Any = None, **fields: Any) -> None:
        self.code = code
        super().__init__({**CODE, **fields}, given=given)

    def order(self, path: str) -> Order:
        return next(order for order in self.plan.orders if order.path == path)

    def turn(self, number: int, inside: str = "main") -> None:
        """Have the function take the turn that is ordered."""
        path = f"{inside}.turn-{number}"
        self.answer(path, take_turn(self.code, self.order(path).body))


async def _order(ctx: Flow, given: Any) -> Any:
    charged = await ctx.call("charge", given["sum"])
    parcels = await asyncio.gather(*(ctx.call("pack", item) for item in given["items"]))
    await ctx.sleep(60)
    return {"charged": charged, "parcels": parcels}


def test_turn_by_turn_the_code_gets_on_and_its_steps_are_the_runs() -> None:
    story = Coded(_order, {"sum": 7, "items": ["a", "b"]})
    assert set(story.orders) == {"main.turn-1"}
    assert story.order("main.turn-1").function == "orders"
    story.turn(1)
    assert story.orders == {"main.call-1": 7}
    story.answer("main.call-1", "paid")
    assert set(story.orders) == {"main.turn-2"}
    story.turn(2)
    assert story.orders == {"main.call-2": "a", "main.call-3": "b"}
    story.answer("main.call-3", "B")
    assert set(story.orders) == {"main.call-2", "main.turn-3"}, "what is under way is not let go of"
    told = story.order("main.turn-3").body
    story.answer("main.call-2", "A")
    assert story.order("main.turn-3").body == told, "a turn is told again word for word, whatever comes meanwhile"
    story.turn(3)
    story.turn(4)
    assert (story.orders, story.plan.wake_unix_ms) == ({}, story.now + 60_000)
    story.wait(60)
    story.turn(5)
    assert story.end.result == {"charged": "paid", "parcels": ["A", "B"]}
    begun = [logged.entry for logged in story.log if isinstance(logged.entry, Begun) and "turn" in logged.entry.path]
    assert [entry.input for entry in begun] == [[], [1], [3], [2], [4]]


async def _tangled(ctx: Flow, given: Any) -> Any:
    async def worker(name: int) -> Any:
        try:
            first = await ctx.call("work", [name, 0])
        except Failed as error:
            first = error.code
        return [first, await ctx.call("work", [name, 1])]

    tasks = [asyncio.ensure_future(worker(name)) for name in range(given)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await ctx.sleep(1)
    return await asyncio.gather(*tasks)


@given(st.integers(1, 4), st.randoms(use_true_random=False), st.booleans())
def test_whoever_is_first_and_whenever_it_is_decided_anew_it_comes_to_the_same(
    workers: int, order: random.Random, fails: bool
) -> None:
    story = Coded(_tangled, workers)
    for _ in range(300):
        if story.plan.wake_unix_ms == 0:
            break
        open_ = list(story.plan.orders)
        if not open_:
            story.wait(1)
            continue
        picked = order.choice(open_)
        if "turn" in picked.path:
            story.answer(picked.path, take_turn(_tangled, picked.body))
        elif fails and picked.body == [0, 0]:
            story.fail(picked.path, "boom")
        else:
            story.answer(picked.path, picked.body)
        bodies = story.orders
        assert story.go().entries == ()
        assert story.orders == bodies
    assert story.end.result == [["boom" if fails and name == 0 else [name, 0], [name, 1]] for name in range(workers)]


def test_each_way_of_waiting_is_a_step_and_people_can_answer() -> None:
    async def code(ctx: Flow, _: Any) -> Any:
        went = await ctx.wait_for_event("go", timeout=30)
        try:
            await ctx.approval("sure?")
        except ctx.Failed as error:
            return [went, error.code]

    story = Coded(code)
    story.turn(1)
    story.write(Signalled(id="s", event="go", payload={"n": 1}))
    story.go()
    story.turn(2)
    records = Records(story.log)
    assert waits_for_judgement(story.run.spec, records) == ["main.approval-2"]
    assert [(each.path, each.state) for each in view(story.run.spec, records)][-1] == ("main.approval-2", "waiting")
    story.write(Judged(path="main.approval-2", approved=False, by="ann"))
    story.go()
    story.turn(3)
    assert story.end.result == [{"n": 1}, "rejected"]


def test_what_takes_too_long_fails_in_the_code_and_calls_are_tried_again_as_it_says() -> None:
    async def code(ctx: Flow, _: Any) -> Any:
        try:
            await ctx.wait_for_event("never", timeout=5)
        except ctx.Failed as error:
            return [error.code, await ctx.call("f", attempts=2)]

    story = Coded(code)
    story.turn(1)
    story.wait(5)
    story.turn(2)
    story.fail("main.call-2")
    story.wait(1)
    assert story.order("main.call-2").attempt == 2
    story.answer("main.call-2", "fine", attempt=2)
    story.turn(3)
    assert story.end.result == ["timeout", "fine"]


def test_what_the_code_does_not_catch_is_the_steps_error_and_a_retry_begins_anew() -> None:
    async def code(ctx: Flow, _: Any) -> Any:
        return await ctx.call("f")

    story = Coded(code, retry={"attempts": 2})
    story.turn(1)
    story.fail("main.call-1", "boom")
    story.turn(2)
    story.wait(1)
    story.turn(1, "main~2")
    story.answer("main~2.call-1", "fine")
    story.turn(2, "main~2")
    assert story.end.result == "fine"

    story = Coded(code)
    story.turn(1)
    story.fail("main.call-1", "boom")
    story.turn(2)
    assert story.end.error == FlowError(code="boom", message="It failed.", step="main.turn-2")


def test_what_the_code_waits_for_no_more_is_let_go_of() -> None:
    async def code(ctx: Flow, _: Any) -> Any:
        await asyncio.wait([ctx.call("a"), ctx.call("b")], return_when=asyncio.FIRST_COMPLETED)  # type: ignore[type-var]  # they are futures
        return "first"

    story = Coded(code)
    story.turn(1)
    story.answer("main.call-2")
    assert set(story.orders) == {"main.call-1", "main.turn-2"}
    story.turn(2)
    assert (story.end.result, story.plan.orders) == ("first", ())


def _waiting(*wanted: Any) -> dict[str, Any]:
    return {"state": "waiting", "wanted": list(wanted)}


CALL = {"do": "call", "function": "f"}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("hello", "bad_answer"),
        (None, "bad_answer"),
        ({"state": "sleeping"}, "bad_answer"),
        (_waiting({"do": "shell", "function": "rm"}), "bad_answer"),
        (_waiting({"do": "call", "function": "../etc"}), "bad_answer"),
        (_waiting({"do": "call", "function": "f", "attempts": 10**9}), "bad_answer"),
        (_waiting({"do": "call", "function": "f", "namespace": "other"}), "bad_answer"),
        (_waiting({"do": "wait", "event": "a b\n"}), "bad_answer"),
        (_waiting({"do": "delay", "seconds": 1e300}), "bad_answer"),
        (_waiting({"do": "approval", "prompt": "x" * 10_000}), "bad_answer"),
        (_waiting(*[CALL] * (MAX_WANTED + 1)), "limit"),
        ({"state": "failed", "error": {"code": "mine", "message": "No."}}, "mine"),
        ({"state": "failed", "error": {"code": "Of no\nkind", "message": "No."}}, "failed"),
        ({"state": "failed"}, "failed"),
    ],
)
def test_an_answer_that_cannot_be_is_the_runs_end(answer: Any, code: str) -> None:
    story = Story(CODE)
    story.answer("main.turn-1", answer)
    assert (story.end.state, story.end.error and story.end.error.code) == ("failed", code)


def test_a_history_that_no_turn_can_hold_is_told() -> None:
    story = Story(CODE)
    story.answer("main.turn-1", _waiting(CALL, CALL))
    story.write(Ended(path="main.call-1", result="x" * 600_000), Ended(path="main.call-2", result="x" * 600_000))
    story.go()
    assert story.end.error is not None
    assert story.end.error.code == "too_large"
