"""The live lines of one reader of a log, and lines as the file and JSON can hold them."""

import asyncio
import collections

import msgspec

from dayfly.model.log import MAX_LINE_BYTES, LogLine
from dayfly.model.names import FunctionKey
from dayfly.observe.log_file import Row

MAX_FOLLOWER_LINES = 10_000


class Follower:
    """The live lines of one reader: bounded, the oldest go first, and their number is told in their place."""

    def __init__(self, key: FunctionKey) -> None:
        self._key = key
        self._lines: collections.deque[Row] = collections.deque()
        self._missed = 0
        self._ended = False
        self._changed = asyncio.Event()

    def put(self, number: int, line: LogLine) -> None:
        """Add a line; beyond MAX_FOLLOWER_LINES the oldest goes."""
        if len(self._lines) >= MAX_FOLLOWER_LINES:
            self._lines.popleft()
            self._missed += 1
        self._lines.append((number, line))
        self._changed.set()

    def end(self) -> None:
        """Let there be no more lines after those that are there."""
        self._ended = True
        self._changed.set()

    async def get(self) -> Row | None:
        """Return the next line, or None when there will be no more."""
        while not self._lines and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if not self._lines:
            return None
        if self._missed:
            number, line = self._lines[0]
            text = f"{self._missed} lines were printed faster than this reader took them"
            self._missed = 0
            return number, LogLine(line.unix_ns, self._key, line.replica, "platform", "", text)
        return self._lines.popleft()


def tidy(line: LogLine) -> LogLine:
    """Return the line as the file and JSON can hold it: within its limit, without halves of surrogate pairs."""
    if line.text.isascii() and len(line.text) <= MAX_LINE_BYTES:
        return line
    text = line.text.encode("utf-8", "replace")[:MAX_LINE_BYTES].decode("utf-8", "ignore")
    return msgspec.structs.replace(line, text=text)
