"""A replica's log pipe as log lines.

The pipe outlives us: the zygote holds a second copy of its reading end, and hands it over again after a restart. What
is in it was written by function code; times it claims are kept only where they are possible.

While a replica prints more than it may (`log_rate`), what comes is counted and thrown away unread, a pipe's worth at a
time with a pause between. So a flood costs us next to nothing, and its author the rest of the time, for a full pipe
makes those who write to it wait.
"""

import asyncio
import os
import re
import time
from collections.abc import Callable

from dayfly.model.log import MAX_LINE_BYTES, LogLine
from dayfly.model.replica import StartOrder
from dayfly.providers.log_rate import PAUSE_S, LogRate
from dayfly.runtimes.python.output import parse_line

_READ_BYTES = 65_536
_MOST_PER_TURN = 1 << 20
"""Bytes read from one pipe before others get their turn."""
_MAX_RAW = MAX_LINE_BYTES + 256
"""A line with its frame; longer ones come from raw writes and are cut."""
_DAY_NS = 86_400 * 10**9
_FAILURE = re.compile(rb"(?:^|\n)(\x1ex[^\n]*)\n")


class LogReader:
    """Reads one pipe until it is closed; whole lines go to `on_line` as they come."""

    def __init__(self, fd: int, order: StartOrder, on_line: Callable[[LogLine], None]) -> None:
        self.failure = ""
        """What the runtime said about a start that failed."""
        self._fd = fd
        self._key = order.key
        self._replica = order.replica
        self._on_line = on_line
        self._rest = b""
        self._rate = LogRate(order.log_rate_bytes)
        self._pause: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    def tell(self, text: str) -> None:
        """Put a line of the platform's own into the log."""
        self._on_line(LogLine(time.time_ns(), self._key, self._replica, "platform", "", text))

    def finish(self) -> None:
        """Read what is there, and close. Idempotent."""
        if self._fd < 0:
            return
        self._read()
        if self._rest:
            self._line(self._rest)
            self._rest = b""
        self._tell_dropped()
        self.close()

    def close(self) -> None:
        """Close without reading. Idempotent."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> None:
        self._rate.fill()
        for _ in range(_MOST_PER_TURN // _READ_BYTES):
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                self._loop.remove_reader(self._fd)
                return
            if self._rate.is_spent:
                self._drop(data)
            else:
                self._take(data)
        if self._rate.is_spent and self._pause is None:
            self._loop.remove_reader(self._fd)
            self._pause = self._loop.call_later(PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._loop.add_reader(self._fd, self._read)

    def _drop(self, data: bytes) -> None:
        """Throw away all but why a start failed, of which much may hang."""
        data = self._rest + data
        whole, mark, rest = data.rpartition(b"\n")
        self._rate.drop(whole.count(b"\n") + len(mark))
        for failure in _FAILURE.findall(whole + mark):
            self.failure = parse_line(failure)[3].replace("\x1f", "\n")
        self._rest = rest if len(rest) <= _MAX_RAW else b""

    def _tell_dropped(self) -> None:
        if account := self._rate.account():
            self.tell(account)

    def _take(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        while len(rest) > _MAX_RAW:
            self._line(rest[:MAX_LINE_BYTES])
            rest = rest[MAX_LINE_BYTES:]
        self._rest = rest

    def _line(self, raw: bytes) -> None:
        self._tell_dropped()
        self._rate.spend(len(raw))
        stream, stamp, call_id, text = parse_line(raw)
        now = time.time_ns()
        stamp = stamp if now - _DAY_NS < stamp <= now else now
        if stream == "failure":
            self.failure = text.replace("\x1f", "\n")
            stream = "platform"
            text = self.failure
        for start in range(0, len(text) or 1, MAX_LINE_BYTES):
            piece = text[start : start + MAX_LINE_BYTES]
            self._on_line(LogLine(stamp, self._key, self._replica, stream, call_id, piece))
