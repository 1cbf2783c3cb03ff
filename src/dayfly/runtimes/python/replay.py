"""Running a flow's code as far as it gets with what has come so far.

The code runs on an event loop in which nothing comes from outside and no time passes: it turns until nobody can go on.
Then the next thing that came is handed to whoever waits for it, in the order in which things came at first, and the
loop turns again. So the same log leads the same code to the same place, `asyncio.gather` and tasks included; and code
that waits for anything else, as a socket or `asyncio.sleep`, is told so instead of hanging.
"""

import asyncio
import contextlib
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from dayfly.model.flow_turn import Answer, Came, Failure, Turn, Wanted

MAX_WANTED = 1000
"""What the code may ask for in one turn, before anything of it has come."""
MAX_SPINS = 100_000
"""Rounds of the loop in which the code may turn without waiting for anything of the flow's."""


class Failed(Exception):
    """What a flow asked for has failed: `code`, `status` (a function's, 0 without an answer) and `body` say how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.code = failure.code
        self.status = failure.status
        self.body = failure.body


class NotAFlow(Exception):
    """The code does something that cannot be taken up again; the text says what, and what to do instead."""


class Flow:
    """What a flow's code has in its hands: `ctx`. All that it waits for comes from here."""

    Failed = Failed

    def __init__(self, turn: Turn, loop: "QuietLoop") -> None:
        self.run_id = turn.run
        self.random = random.Random(turn.run)  # noqa: S311  # the same each time is the point
        self.replaying = False
        """Whether the code has been here before."""
        self._turn = turn
        self._loop = loop
        self._asked: list[tuple[Wanted, asyncio.Future[Any]]] = []
        self._now_unix_ms = turn.started_unix_ms

    def call(
        self, function: str, body: Any = None, *, attempts: int = 1, timeout: float | timedelta = 0
    ) -> Awaitable[Any]:
        """Call a function of the namespace; its answer is the result. Raises Failed when awaited."""
        return self._ask(
            Wanted(do="call", function=function, body=body, attempts=attempts, timeout_s=_seconds(timeout))
        )

    def sleep(self, span: float | timedelta) -> Awaitable[None]:
        """Wait for so many seconds, or days: nothing runs meanwhile."""
        return self._ask(Wanted(do="delay", seconds=_seconds(span)))

    def wait_for_event(self, event: str, *, timeout: float | timedelta = 0) -> Awaitable[Any]:
        """Wait until somebody sends the run this event; what came with it is the result."""
        return self._ask(Wanted(do="wait", event=event, timeout_s=_seconds(timeout)))

    def approval(self, prompt: str = "", *, timeout: float | timedelta = 0) -> Awaitable[Any]:
        """Wait until a person approves; a rejection raises Failed with the code `rejected`."""
        return self._ask(Wanted(do="approval", prompt=prompt, timeout_s=_seconds(timeout)))

    def now(self) -> datetime:
        """Return when the last thing that the code has waited for came: the same each time it is here."""
        return datetime.fromtimestamp(self._now_unix_ms / 1000, UTC)

    def uuid(self) -> str:
        """Return a new id, the same each time the code is here."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def log(self, *values: object) -> None:
        """Print, the first time that the code is here."""
        if not self.replaying:
            print(*values, flush=True)  # noqa: T201  # a function's output

    def advance(self) -> None:
        """Turn until nobody can go on, with all that has come. Raises NotAFlow."""
        turn = self._turn
        for at, came in enumerate((None, *turn.came)):
            self.replaying = at <= turn.seen
            if came is not None:
                self._hand_on(came)
            self._loop.turn()
            if at == turn.seen and len(self._asked) < len(turn.wanted):
                raise NotAFlow(
                    f"the code asks for {len(self._asked)} things where it had asked for {len(turn.wanted)} before: it"
                    " must do the same each time"
                )

    def _hand_on(self, came: Came) -> None:
        if came.number > len(self._asked):
            raise NotAFlow("the code has not asked for what it had asked for before: it must do the same each time")
        self._now_unix_ms = max(self._now_unix_ms, came.at_unix_ms)
        future = self._asked[came.number - 1][1]
        if future.done():  # the code has given it up
            return
        if came.error is not None:
            future.set_exception(Failed(came.error))
        else:
            future.set_result(came.result)

    def new(self) -> tuple[Wanted, ...]:
        """Return what was asked for and not known before."""
        return tuple(wanted for wanted, _ in self._asked[len(self._turn.wanted) :])

    def _ask(self, wanted: Wanted) -> "asyncio.Future[Any]":
        known = self._turn.wanted
        at = len(self._asked)
        if at < len(known) and known[at] != wanted:
            self._loop.refuse(
                f"the code asks for {_say(wanted)} where it had asked for {_say(known[at])} before: it must do the same"
                " each time, so let a function find out what may differ"
            )
        if at - len(known) >= MAX_WANTED:
            self._loop.refuse(f"the code asks for more than {MAX_WANTED} things at once")
        future = self._loop.create_future()
        self._asked.append((wanted, future))
        return future


class QuietLoop(asyncio.BaseEventLoop):
    """An event loop to which nothing comes from outside."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = self
        self._spins = 0
        self._mistake: NotAFlow | None = None

    def refuse(self, text: str) -> NoReturn:
        """End the turn, also if the code catches what is raised here. Raises NotAFlow."""
        self._mistake = NotAFlow(text)
        raise self._mistake

    def turn(self) -> None:
        """Run until nobody can go on. Raises NotAFlow when somebody waits for what does not come here."""
        self._spins = 0
        self.run_forever()
        if self._mistake is not None:
            raise self._mistake
        if any(not handle.cancelled() for handle in self._scheduled):  # type: ignore[attr-defined]  # of BaseEventLoop
            raise NotAFlow(
                "the code waits by the clock of this process; `await ctx.sleep(…)` and `timeout=` do instead"
            )

    def select(self, timeout: float | None) -> list[Any]:
        """Say that nothing has come, and that there is nothing more to wait for."""
        self._spins += 1
        if timeout is None or timeout > 0:
            self.stop()
        elif self._spins > MAX_SPINS:
            raise NotAFlow("the code spins without waiting for anything that the flow can give it")
        return []

    def time(self) -> float:
        """Return the time, which does not pass."""
        return 0.0

    def run_in_executor(self, *_: Any) -> NoReturn:  # type: ignore[override]  # it is never to be called
        """Refuse threads: what they do happens again each time the code runs."""
        self.refuse("the code begins a thread; `await ctx.call(…)` a function that does it")

    def call_soon_threadsafe(self, *_: Any, **__: Any) -> NoReturn:  # type: ignore[override]  # as above
        """Refuse what comes from another thread."""
        self.refuse("another thread meddles with the flow")

    def _process_events(self, event_list: list[Any]) -> None:
        assert not event_list


def play(flow: Callable[[Flow, Any], Coroutine[Any, Any, Any]], turn: Turn) -> Answer:
    """Run the code as far as it gets. Raises what the code raises, and NotAFlow."""
    loop = QuietLoop()
    context = Flow(turn, loop)
    try:
        task = loop.create_task(flow(context, turn.input))
        context.advance()
        if task.done():
            return Answer(state="done", result=task.result())
        wanted = context.new()
        if not wanted and len(turn.came) == len(turn.wanted):
            raise NotAFlow("the code waits for something that the flow cannot give it: await what `ctx` returns")
        return Answer(state="waiting", wanted=wanted)
    finally:
        _close(loop)


def _close(loop: QuietLoop) -> None:
    """Let go of all that still waits, unseen: the next turn runs it again."""
    loop.set_exception_handler(lambda *_: None)
    for task in asyncio.all_tasks(loop):
        task.cancel()
    with contextlib.suppress(NotAFlow):  # what was to be said has been said
        loop.turn()
    loop.close()


def _seconds(span: float | timedelta) -> float:
    return span.total_seconds() if isinstance(span, timedelta) else float(span)


def _say(wanted: Wanted) -> str:
    what = wanted.function or wanted.event or wanted.prompt
    return f"{wanted.do} {what}".strip()
