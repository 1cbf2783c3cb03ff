"""A partition: batches of records one after another, as they were produced but for their offsets."""

import struct
from collections.abc import Callable

_OFFSET, _LENGTH_AT, _LAST_DELTA_AT, _PREFIX = struct.Struct(">q"), 8, 23, 12
_INT = struct.Struct(">i")


class Log:
    """The batches (message format 2: https://kafka.apache.org/documentation/#recordbatch)."""

    def __init__(self) -> None:
        self.end = 0
        """The offset that the next record gets."""
        self.alter: Callable[[bytes], bytes] = bytes
        """What is done to a batch before it is kept."""
        self._batches: list[tuple[int, bytes]] = []
        """Each with the offset after its last record."""

    def append(self, batches: bytes) -> int:
        """Add batches; return the first one's offset. A batch's checksum does not cover its offset."""
        first, at = self.end, 0
        while at < len(batches):
            size = _PREFIX + _INT.unpack_from(batches, at + _LENGTH_AT)[0]
            batch = self.alter(_OFFSET.pack(self.end) + batches[at + _OFFSET.size : at + size])
            self.end += _INT.unpack_from(batch, _LAST_DELTA_AT)[0] + 1
            self._batches.append((self.end, batch))
            at += size
        return first

    def read(self, offset: int, most: int, *, first: bool) -> bytes:
        """Return whole batches from that which holds the offset; the first of an answer however large it is."""
        found = b""
        for end, batch in self._batches:
            if end > offset:
                if len(found) + len(batch) > most and not (first and not found):
                    break
                found += batch
        return found
