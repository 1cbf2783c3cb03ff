"""Threads for handlers that are slow: as many as calls overlap, up to a bound, each kept once made.

Leaner than a `ThreadPoolExecutor`, whose futures and locks cost as much as the hop itself: jobs go through one
`SimpleQueue`, and all counting is done on the event loop, which is told of every end anyway.
"""

import asyncio
import queue
import threading
from collections.abc import Callable

MAX_THREADS = 64
STACK_BYTES = 1 << 20
"""Enough for Python code, and sixty-four of them fit a small memory limit."""

Job = Callable[[], Callable[[], None]]
"""Run on a thread; what it returns is called on the loop afterwards."""


class Threads:
    """A pool of daemon threads that belongs to one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int) -> None:
        self._loop = loop
        self._most = max(1, most)
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._made = 0
        self._unfinished = 0

    def submit(self, job: Job) -> None:
        """Run `job` on a thread, in turn when all are busy. Called on the loop."""
        self._unfinished += 1
        self._jobs.put(job)
        if self._unfinished > self._made and self._made < self._most:
            self._grow()

    def warm(self) -> None:
        """Make the first thread ahead of need."""
        if not self._made:
            self._grow()

    def _grow(self) -> None:
        before = threading.stack_size(STACK_BYTES)
        try:
            threading.Thread(target=self._work, name=f"dayfly-call-{self._made}", daemon=True).start()
        except RuntimeError:  # a limit on processes or memory: those there are do the work, if any
            if not self._made:
                raise
        else:
            self._made += 1
        finally:
            threading.stack_size(before)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            finish = job()
            del job  # an idle thread keeps no request alive
            try:
                self._loop.call_soon_threadsafe(self._finished, finish)
            except RuntimeError:  # the loop is closed: the process is about to end
                return
            del finish

    def _finished(self, finish: Callable[[], None]) -> None:
        self._unfinished -= 1
        finish()
