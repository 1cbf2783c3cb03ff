"""Flows as code: each turn runs the code from its start, and it comes to the same place."""

import asyncio
import contextlib
import random
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.flow_turn import VERSION, Answer, Came, Failure, Turn, Wanted
from dayfly.runtimes.python.replay import Failed, Flow, NotAFlow, play

Code = Any


class Platform:
    """Runs a flow's code turn by turn, as the platform does; `world` says what comes of what is asked for."""

    def __init__(self, code: Code, world: Any = None, given: Any = None) -> None:
        self.code = code
        self.given = given
        self.wanted: tuple[Wanted, ...] = ()
        self.came: tuple[Came, ...] = ()
        self.seen = -1
        self.world = world or (lambda wanted: wanted.body)

    def turn(self) -> Answer:
        """Have a turn taken."""
        answer = play(
            self.code,
            Turn(
                version=VERSION, run="r1", started_unix_ms=1000, input=self.given, wanted=self.wanted, came=self.came,
                seen=self.seen,
            ),
        )  # fmt: skip
        self.seen = len(self.came)
        self.wanted += answer.wanted
        return answer

    def come(self, number: int) -> None:
        """Let one thing come that was asked for."""
        result = self.world(self.wanted[number - 1])
        at = 1000 + 1000 * (len(self.came) + 1)
        failure = result if isinstance(result, Failure) else None
        self.came += (
            Came(number=number, at_unix_ms=at, result=None if failure else result, error=failure),
        )  # fmt: skip

    def open(self) -> list[int]:
        """What was asked for and has not come."""
        come = {each.number for each in self.came}
        return [number for number in range(1, len(self.wanted) + 1) if number not in come]

    def run(self, order: random.Random | None = None) -> Answer:
        """Take turns until the flow is over; what comes comes in the order drawn, one or several a turn."""
        for _ in range(200):
            answer = self.turn()
            if answer.state != "waiting":
                return answer
            left = self.open()
            assert left, "it waits for nothing"
            if order is not None:
                order.shuffle(left)
                left = left[: order.randint(1, len(left))]
            for number in left:
                self.come(number)
        raise AssertionError("it never ends")


def test_it_gets_on_as_far_as_it_can_and_asks_for_what_it_needs() -> None:
    async def code(ctx: Flow, given: Any) -> Any:
        first = await ctx.call("double", given, attempts=3, timeout=timedelta(minutes=1))
        await ctx.sleep(90)
        return [first, await ctx.call("double", first)]

    platform = Platform(code, lambda wanted: (wanted.body or 0) * 2, given=3)
    assert platform.turn() == Answer(
        state="waiting", wanted=(Wanted(do="call", function="double", body=3, attempts=3, timeout_s=60.0),)
    )
    platform.come(1)
    assert platform.turn().wanted == (Wanted(do="delay", seconds=90.0),)
    platform.come(2)
    assert platform.turn().wanted == (Wanted(do="call", function="double", body=6),)
    platform.come(3)
    assert platform.turn() == Answer(state="done", result=[6, 12])


def test_what_is_asked_for_together_goes_on_side_by_side() -> None:
    async def code(ctx: Flow, _: Any) -> Any:
        async def branch(name: str) -> list[Any]:
            return [await ctx.call(name, name), await ctx.call(name, name.upper())]

        both = asyncio.gather(branch("a"), branch("b"))
        return [*await both, await ctx.wait_for_event("go", timeout=5), (await ctx.approval("sure?"))["by"]]

    def world(wanted: Wanted) -> Any:
        return {"by": "me"} if wanted.do == "approval" else wanted.body if wanted.do == "call" else wanted.event

    platform = Platform(code, world)
    assert [each.function for each in platform.turn().wanted] == ["a", "b"]
    platform.come(2)
    assert [(each.function, each.body) for each in platform.turn().wanted] == [("b", "B")]
    assert Platform(code, world).run().result == [["a", "A"], ["b", "B"], "go", "me"]


async def _tangled(ctx: Flow, given: Any) -> Any:
    """Whatever a flow may do: tasks, a race, errors, chance, the clock."""
    seen: list[Any] = []

    async def worker(name: int) -> None:
        for step in range(2):
            try:
                seen.append(await ctx.call("work", [name, step]))
            except Failed as error:
                seen.append(error.code)
            seen.append(ctx.random.randint(0, 9))

    tasks = [asyncio.ensure_future(worker(name)) for name in range(given)]
    first, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    seen.append([tasks.index(each) for each in first])
    seen.append(ctx.now().isoformat())
    seen.append(await ctx.call("between", ctx.uuid()))
    await asyncio.gather(*tasks)
    return seen


@given(st.integers(1, 4), st.randoms(use_true_random=False))
def test_replayed_at_any_point_it_comes_to_the_same_place(workers: int, order: random.Random) -> None:
    def world(wanted: Wanted) -> Any:
        return Failure(code="boom", message="no") if wanted.body == [1, 0] else wanted.body

    platform = Platform(_tangled, world, given=workers)
    answer = platform.run(order)
    assert answer.state == "done"
    # The whole log at once, one entry a turn, and the turns as they were: the code cannot tell them apart.
    again = Platform(_tangled, world, given=workers)
    again.turn()
    for came in platform.came:
        again.come(came.number)
        answer_again = again.turn()
    assert answer_again == answer
    assert (again.wanted, again.came) == (platform.wanted, platform.came)
    whole = Platform(_tangled, world, given=workers)
    whole.wanted, whole.came, whole.seen = platform.wanted, platform.came, len(platform.came) - 1
    assert whole.turn() == answer


def test_errors_can_be_caught_and_are_the_flows_when_they_are_not() -> None:
    async def code(ctx: Flow, given: Any) -> Any:
        try:
            return await ctx.call("fails")
        except ctx.Failed as error:
            if given:
                raise
            return [error.code, error.status, error.body, str(error)]

    world = lambda _: Failure(code="function_error", message="It failed.", status=500, body="oops")  # noqa: E731
    assert Platform(code, world).run().result == ["function_error", 500, "oops", "It failed."]
    with pytest.raises(Failed, match=r"It failed\."):
        Platform(code, world, given=True).run()


def test_time_chance_and_ids_are_the_same_each_time_and_logs_are_written_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: list[Any] = []

    async def code(ctx: Flow, _: Any) -> Any:
        ctx.log("begun")
        before = [ctx.now(), ctx.uuid(), ctx.random.random(), ctx.run_id]
        seen.append(before)
        await ctx.sleep(1)
        ctx.log("slept", ctx.now().isoformat())
        await ctx.sleep(1)
        ctx.log("done")

    Platform(code).run()
    assert [each == seen[0] for each in seen] == [True] * 3
    assert seen[0][0] == datetime.fromtimestamp(1, UTC)
    assert capsys.readouterr().out == "begun\nslept 1970-01-01T00:00:02+00:00\ndone\n"


def _differs(times: list[int]) -> Code:
    async def code(ctx: Flow, _: Any) -> Any:
        times.append(1)
        await ctx.call("first", len(times))
        return None

    return code


async def _asks_less(ctx: Flow, given: list[int]) -> Any:
    given.append(1)
    if len(given) == 1:
        await asyncio.gather(ctx.call("a"), ctx.call("b"))
    await ctx.call("a")


def test_code_that_does_something_else_the_next_time_is_told_so() -> None:
    with pytest.raises(NotAFlow, match="asks for call first where it had asked for call first before"):
        Platform(_differs([])).run()
    with pytest.raises(NotAFlow, match="asks for 1 things where it had asked for 2 before"):
        Platform(_asks_less, given=[]).run()


async def _sleeps(_: Flow, __: Any) -> None:
    await asyncio.sleep(1)


async def _times_out(ctx: Flow, _: Any) -> None:
    await asyncio.wait_for(ctx.sleep(1), 5)


async def _begins_a_thread(_: Flow, __: Any) -> None:
    with contextlib.suppress(Exception):
        await asyncio.to_thread(print)


async def _connects(_: Flow, __: Any) -> None:
    with socket.socket() as one:
        one.setblocking(False)
        await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", 9))


async def _hangs(_: Flow, __: Any) -> None:
    await asyncio.get_running_loop().create_future()


async def _spins(_: Flow, __: Any) -> None:
    while True:  # noqa: ASYNC110  # just this is refused
        await asyncio.sleep(0)


async def _asks_too_much(ctx: Flow, _: Any) -> None:
    await asyncio.gather(*(ctx.call("a", at) for at in range(1001)))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (_sleeps, r"`await ctx\.sleep"),
        (_times_out, r"`timeout=` do instead"),
        (_begins_a_thread, "begins a thread"),
        (_hangs, "await what `ctx` returns"),
        (_spins, "spins without waiting"),
        (_asks_too_much, "more than 1000 things at once"),
    ],
)
def test_what_cannot_be_taken_up_again_is_refused_with_a_word_of_what_to_do(code: Code, told: str) -> None:
    with pytest.raises(NotAFlow, match=told):
        Platform(code).run()


def test_the_loop_has_no_sockets() -> None:
    with pytest.raises(NotImplementedError):
        Platform(_connects).run()
