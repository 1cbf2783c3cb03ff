"""The zygote's event loop: descriptors and timers, one thread, nothing else.

asyncio would do, but every function's process begins as a copy of this one and would carry a running loop it must not
touch. This one is an epoll descriptor, a dictionary and a heap.
"""

import heapq
import itertools
import logging
import select
import time
from collections.abc import Callable

_log = logging.getLogger("dayfly.runtimes.zygote")

Callback = Callable[[], None]


class Reactor:
    """Calls back when a descriptor can be read or written, or a time has come."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Callback] = {}
        self._writers: dict[int, Callback] = {}
        self._timers: list[tuple[float, int, Callback]] = []
        self._order = itertools.count()

    def on_readable(self, fd: int, callback: Callback) -> None:
        """Call back whenever `fd` can be read or has ended; until `forget`."""
        self._readers[fd] = callback
        self._epoll.register(fd, select.EPOLLIN)

    def on_writable(self, fd: int, callback: Callback | None) -> None:
        """Call back, too, when `fd`, which is being read, can be written; None ends it."""
        if callback is None:
            self._writers.pop(fd, None)
        else:
            self._writers[fd] = callback
        self._epoll.modify(fd, select.EPOLLIN | (select.EPOLLOUT if callback else 0))

    def forget(self, fd: int) -> None:
        """Stop calling back for `fd`; to be called before it is closed. Unknown ones are no error."""
        self._writers.pop(fd, None)
        if self._readers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def call_later(self, delay_s: float, callback: Callback) -> None:
        """Call back once after `delay_s` seconds."""
        heapq.heappush(self._timers, (time.monotonic() + delay_s, next(self._order), callback))

    def run(self) -> None:
        """Serve for ever."""
        while True:
            self.step()

    def step(self) -> None:
        """Wait for the next event or timer and serve what is due."""
        timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else -1
        for fd, events in self._epoll.poll(timeout):
            if events & select.EPOLLOUT and (writer := self._writers.get(fd)):
                _guarded(writer)
            if events & ~select.EPOLLOUT and (reader := self._readers.get(fd)):
                _guarded(reader)
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _guarded(heapq.heappop(self._timers)[2])


def _guarded(callback: Callback) -> None:
    """Call back; a failure is logged and goes no further, since every replica dies with this process."""
    try:
        callback()
    except Exception:  # whatever it was, the other functions must not pay for it
        _log.exception("a callback of the zygote failed")
