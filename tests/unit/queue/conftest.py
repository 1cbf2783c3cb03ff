"""A queue on a store in memory, functions by script, and as many lives as a test wants."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from dayfly.decide.queueing import Outcome
from dayfly.model.queued import CallStatus, QueuedCall, Request, Result
from dayfly.model.retry import RetryPolicy
from dayfly.queue import steps
from dayfly.queue.desk import Desk
from dayfly.queue.dispatcher import Dispatcher
from dayfly.queue.invocation import Attempt
from dayfly.queue.ledger import Ledger
from dayfly.queue.limits import QueueLimits
from dayfly.queue.memory import MemoryQueueStore

DEADLINE_S = 60.0
QUICK = RetryPolicy(attempts=3, min_wait_s=0.001, max_wait_s=0.002)
Function = Callable[[QueuedCall, Request], Awaitable[Attempt]]


def answer(status: int, body: bytes = b"", reason: str = "") -> Attempt:
    """Return what a function's answer comes to."""
    return Attempt(outcome=Outcome(status=status, reason=reason), body=body, lines=b"X-Mine: 1\r\n")


class Rig:
    """One store, and whoever works on it."""

    def __init__(self) -> None:
        self.store = MemoryQueueStore()
        self.alive: set[str] = set()
        self.runs: list[str] = []
        """The ids of the calls that reached the function, in order."""
        self.posts: list[tuple[str, Result]] = []
        self.refusals: list[str] = []
        """What the next callbacks fail with."""
        self.function: Function = self.succeed
        self._numbers = itertools.count(1)

    async def succeed(self, call: QueuedCall, request: Request) -> Attempt:
        """A function that says what it was sent."""
        del call
        return answer(200, b"echo:" + request.body)

    async def invoke(self, call: QueuedCall, request: Request, /) -> Attempt:
        """Run a call."""
        self.runs.append(call.id)
        return await self.function(call, request)

    async def deliver(self, url: str, result: Result, /) -> str:
        """Take a callback, or not."""
        if self.refusals:
            return self.refusals.pop(0)
        self.posts.append((url, result))
        return ""

    @contextlib.asynccontextmanager
    async def life(self, name: str = "one", limits: QueueLimits | None = None) -> AsyncIterator["Worker"]:
        """Work on the store as one life of the queue's process; killed at the end."""
        worker = Worker(self, name, limits or QueueLimits())
        self.alive.add(name)
        await worker.dispatcher.load()
        task = asyncio.create_task(worker.dispatcher.run())
        try:
            yield worker
        finally:
            self.alive.discard(name)
            under_way = list(worker.dispatcher.under_way())
            for each in (task, *under_way):
                each.cancel()
            await asyncio.wait([task, *under_way])

    def call(self, **fields: object) -> QueuedCall:
        """Return a call that nobody else has."""
        known = {
            "id": f"call-{next(self._numbers)}", "function": "f.n", "target": "/", "accepted_unix_ms": 1,
            "due_unix_ms": 1, "retry": QUICK,
        }  # fmt: skip
        return QueuedCall(**(known | fields))  # type: ignore[arg-type] # as msgspec checks


class Worker:
    """One life."""

    def __init__(self, rig: Rig, name: str, limits: QueueLimits) -> None:
        self.ledger = Ledger()
        self.dispatcher = Dispatcher(
            rig.store,
            self.ledger,
            limits,
            owner=name,
            invoke=rig.invoke,
            deliver=rig.deliver,
            is_alive=lambda owner: owner in rig.alive,
            jitter=lambda: 0.5,
        )
        self.desk = Desk(rig.store, self.ledger, self.dispatcher, limits)

    async def submit(self, call: QueuedCall, body: bytes = b"hello") -> str:
        """Submit a call."""
        return await self.desk.submit(call, Request(b"", body))

    async def over(self, call_id: str) -> CallStatus:
        """Return how a call stands that is over, or dead."""
        status = await self.desk.status(call_id, DEADLINE_S)
        assert status.state in ("done", "dead", "cancelled")
        return status


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A fresh rig, whose store is asked again soon when it is away."""
    monkeypatch.setattr(steps, "AGAIN_S", 0.005)
    monkeypatch.setattr("dayfly.queue.dispatcher.AGAIN_S", 0.005)
    monkeypatch.setattr("dayfly.queue.dispatcher._LOOK_S", 0.005)
    return Rig()


async def until(is_true: Callable[[], bool]) -> None:
    """Return once it is; the story's own deadline ends a wait in vain."""
    while True:
        if is_true():
            return
        await asyncio.sleep(0.001)


def play(story: Awaitable[None]) -> None:
    """Run a story to its end."""

    async def body() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await story

    asyncio.run(body())
