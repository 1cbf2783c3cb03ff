"""Changes of one thing after another, each carried through.

Two deployments of the same function must not interleave: the store and the lifecycle would end up with different ones.
Changes of different functions do not wait for each other. A key is whatever names one thing: a function's key, the
secrets of a namespace.
"""

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any, TypeVar

Result = TypeVar("Result")


class Sequence:
    """Runs work for the same key in the order in which it came."""

    def __init__(self) -> None:
        self._last: dict[Hashable, asyncio.Task[Any]] = {}

    async def run(self, key: Hashable, work: Coroutine[Any, Any, Result]) -> Result:
        """Run the work after all earlier work for the key, and return its result or raise its error.

        The work is carried through when the caller is cancelled: half a change is worse than one nobody waits for.
        """
        return await asyncio.shield(self.begin(key, work))

    def begin(self, key: Hashable, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Have the work run after all earlier work for the key; nobody need wait for it."""
        task = asyncio.get_running_loop().create_task(self._after(self._last.get(key), work))
        self._last[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))
        return task

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while self._last:
            await asyncio.wait(list(self._last.values()))

    async def _after(self, before: asyncio.Task[Any] | None, work: Coroutine[Any, Any, Result]) -> Result:
        if before is not None:
            await asyncio.wait([before])
        return await work

    def _forget(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._last.get(key) is task:
            del self._last[key]
        if not task.cancelled():
            # Whoever asked may be gone; asyncio must not complain that nobody looked at the error.
            task.exception()
