"""What goes on beside everything else for as long as a process serves."""

import asyncio
import logging
from collections.abc import Callable, Coroutine

Job = Callable[[], Coroutine[None, None, None]]
_log = logging.getLogger("dayfly.server")


class Background:
    """Jobs that run until they are stopped. One that ends before is a bug, and told as one."""

    def __init__(self, *jobs: Job) -> None:
        self._jobs = jobs
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin with all of them."""
        self._tasks = [asyncio.create_task(job()) for job in self._jobs]
        for task in self._tasks:
            task.add_done_callback(_tell)

    async def stop(self) -> None:
        """End them. Idempotent, also before they were begun."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # `_tell` has told


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        _log.error("bug: what goes on in the background has ended", exc_info=task.exception())
