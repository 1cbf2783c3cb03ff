"""What the supervisor waits for: signals, its processes' words, and the log that they write."""

import contextlib
import os
import select
import signal
from collections.abc import Iterable

from dayfly.runtimes.scribe import Scribe


class Lookout:
    """One poll for all of it. What is said for the log is passed on in passing."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._wakeup, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def wait(self, fds: Iterable[int], patience_ms: int | None) -> set[int]:
        """Wait until a signal comes, one of these can be read or a line is written; return those that can be read."""
        poll = select.poll()
        for fd in (self._wakeup, *fds, *self._scribe.reads):
            poll.register(fd, select.POLLIN)
        for fd in self._scribe.writes:
            poll.register(fd, select.POLLOUT)
        woken = {fd for fd, _ in poll.poll(patience_ms)}
        if self._wakeup in woken:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakeup, 4096)
        self._scribe.turn(woken)
        return woken
