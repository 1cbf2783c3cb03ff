"""A container's output as the engine sends it: frames of one stream each, and a time before each line. Pure.

    1 byte stream (1 stdout, 2 stderr) · 3 bytes zero · 4 bytes length, big-endian · that many bytes: TIME SP TEXT [LF]

A line longer than 16 KiB comes in pieces, each a frame with a time of its own.
"""

import functools
import re
import struct
from collections.abc import Iterator
from datetime import datetime

import msgspec

_HEADER = struct.Struct(">B3xI")
_STREAMS = {1: "stdout", 2: "stderr"}
_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


class Frames:
    """Takes the bytes as they come and gives whole frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Yield the stream and the content of each frame that is complete now."""
        data = self._rest + data
        at = 0
        while len(data) - at >= _HEADER.size:
            stream, length = _HEADER.unpack_from(data, at)
            end = at + _HEADER.size + length
            if end > len(data):
                break
            yield _STREAMS.get(stream, "stdout"), data[at + _HEADER.size : end]
            at = end
        self._rest = data[at:]


class Cursor(msgspec.Struct, frozen=True):
    """Up to where an output was read: a time, and how many lines that bear it. Podman tells times to the second."""

    unix_ns: int = 0
    lines: int = 0

    def after(self, unix_ns: int) -> "Cursor":
        """Return where one more line leads to, which bears this time."""
        if unix_ns > self.unix_ns:
            return Cursor(unix_ns, 1)
        return Cursor(self.unix_ns, self.lines + 1) if unix_ns == self.unix_ns else self

    @property
    def since(self) -> str:
        """The time as the engine takes it; what it gives then begins with the lines that bear it."""
        seconds, rest = divmod(self.unix_ns, 10**9)
        return f"{seconds}.{rest:09d}"


class Resumption:
    """Tells the lines that were read before from the others, of an output that is read again since a cursor."""

    def __init__(self, cursor: Cursor) -> None:
        self._at = cursor.unix_ns
        self._left = cursor.lines

    def is_known(self, unix_ns: int) -> bool:
        """Whether the next line, which bears this time, was read before."""
        if unix_ns == self._at and self._left:
            self._left -= 1
            return True
        return 0 < unix_ns < self._at


def split_time(content: bytes) -> tuple[int, str]:
    """Return when a line was written, in nanoseconds of Unix time, and its text; 0 when it bears no time."""
    stamp, space, text = content.partition(b" ")
    match = _TIME.fullmatch(stamp) if space else None
    if match is None:
        return 0, content.decode(errors="replace").rstrip("\n")
    fraction = (match[2] or b"").ljust(9, b"0")
    return _seconds(match[1] + match[3]) * 10**9 + int(fraction), text.decode(errors="replace").rstrip("\r\n")


@functools.lru_cache(maxsize=4)
def _seconds(stamp: bytes) -> int:
    return int(datetime.fromisoformat(stamp.decode()).timestamp())
