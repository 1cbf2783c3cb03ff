"""A replica's log pipe as log lines.

The pipe outlives us: the zygote holds a second copy of its reading end, and hands it over again after a restart. What
is in it was written by function code; times it claims are kept only where they are possible.
"""

import asyncio
import os
import time
from collections.abc import Callable

from dayfly.model.log import MAX_LINE_BYTES, LogLine
from dayfly.model.names import FunctionKey, ReplicaId
from dayfly.runtimes.python.output import parse_line

_READ_BYTES = 65_536
_MOST_PER_TURN = 1 << 20
"""Bytes read from one pipe before others get their turn."""
_MAX_RAW = MAX_LINE_BYTES + 256
"""A line with its frame; longer ones come from raw writes and are cut."""
_DAY_NS = 86_400 * 10**9


class LogReader:
    """Reads one pipe until it is closed; whole lines go to `on_line` as they come."""

    def __init__(self, fd: int, key: FunctionKey, replica: ReplicaId, on_line: Callable[[LogLine], None]) -> None:
        self.failure = ""
        """What the runtime said about a start that failed."""
        self._fd = fd
        self._key = key
        self._replica = replica
        self._on_line = on_line
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    def finish(self) -> None:
        """Read what is there, and close. Idempotent."""
        if self._fd < 0:
            return
        self._read()
        if self._rest:
            self._line(self._rest)
            self._rest = b""
        self.close()

    def close(self) -> None:
        """Close without reading. Idempotent."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> None:
        for _ in range(_MOST_PER_TURN // _READ_BYTES):
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                self._loop.remove_reader(self._fd)
                return
            self._take(data)

    def _take(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        while len(rest) > _MAX_RAW:
            self._line(rest[:MAX_LINE_BYTES])
            rest = rest[MAX_LINE_BYTES:]
        self._rest = rest

    def _line(self, raw: bytes) -> None:
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
