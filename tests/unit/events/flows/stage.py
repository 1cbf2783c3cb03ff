"""A run on a stage: an engine over a log in memory, calls that a test answers, and a clock turned by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from dayfly.control.clock import ManualClock
from dayfly.decide.flow_plan import Order
from dayfly.events.flows.engine import Engine
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import Ended, Failed, FlowError, FlowRun
from dayfly.storage.memory_flow_runs import MemoryRuns

TURNS = 20_000


class Called:
    """Keeps what is called until a test answers it."""

    def __init__(self) -> None:
        self.missing = ""
        self.open: dict[str, tuple[Order, asyncio.Future[Ended | Failed]]] = {}
        self.made: list[tuple[str, int]] = []
        self.cancelled: list[str] = []
        self.released: list[str] = []
        self.fault: Exception | None = None

    async def make(self, run: FlowRun, order: Order, accepted: Callable[[str], None]) -> Ended | Failed:
        del run
        if self.fault is not None:
            raise self.fault
        self.made.append((order.path, order.attempt))
        answer: asyncio.Future[Ended | Failed] = asyncio.get_running_loop().create_future()
        self.open[order.path] = (order, answer)
        accepted(f"{order.path} {order.attempt}")
        return await answer

    async def cancel(self, call_id: str) -> None:
        self.cancelled.append(call_id)

    async def release(self, call_id: str) -> None:
        self.released.append(call_id)

    def answer(self, path: str, result: Any = None) -> None:
        order, answer = self.open.pop(path)
        answer.set_result(Ended(path=path, attempt=order.attempt, result=result))

    def fail(self, path: str) -> None:
        order, answer = self.open.pop(path)
        error = FlowError(code="function_failed", message="It failed.", step=path)
        answer.set_result(Failed(path=path, attempt=order.attempt, error=error))


class Stage:
    """Everything a test may look at."""

    def __init__(self) -> None:
        self.log = MemoryRuns()
        self.clock = ManualClock()
        self.calls = Called()
        self.engine = Engine(self.log, self.calls, self.clock)

    async def begin(self, *steps: dict[str, Any], name: str = "r", given: Any = None, **fields: Any) -> FlowRun:
        spec = msgspec.convert({"name": "f", "steps": list(steps), **fields}, FlowSpec)
        run = FlowRun(
            id=name, namespace="n", flow="f", spec=spec, input=given, started_unix_ms=self.clock.unix_ms()
        )  # fmt: skip
        return await self.engine.begin(run)

    async def kill(self) -> None:
        """Let the engine die, and another take its place over the same log."""
        await self.engine.close()
        self.calls = Called()
        self.engine = Engine(self.log, self.calls, self.clock)
        await self.engine.open()

    async def until(self, is_true: Callable[[], object]) -> None:
        """Let everything go on until this is true."""
        for _ in range(TURNS):
            if is_true():
                return
            await asyncio.sleep(0)
        raise AssertionError("it does not come true, however long everything goes on")

    async def rest(self) -> None:
        """Let everything go on until nothing does."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def over(self, name: str = "r") -> FlowRun:
        await self.until(lambda: name not in self.engine.under_way("n"))
        return await self.log.get(name)


def play(story: Callable[[Stage], Awaitable[None]]) -> None:
    async def main() -> None:
        stage = Stage()
        await stage.engine.open()
        try:
            await story(stage)
        finally:
            await stage.engine.close()

    asyncio.run(main())
