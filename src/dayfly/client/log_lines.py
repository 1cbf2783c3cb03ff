"""Log lines out of the stream that the API answers with."""

from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

from dayfly.model.errors import InternalError
from dayfly.model.log import LogLine
from dayfly.model.machine import PartLine

Line = TypeVar("Line", LogLine, PartLine)
_MAX_LOG_LINE = 1024 * 1024


class LogLines(Generic[Line]):
    """Log lines of one kind out of a stream that arrives in pieces.

    Lines end at a newline only: text may hold other characters that end a line elsewhere.
    """

    def __init__(self, kind: type[Line]) -> None:
        self._kind: type[Line] = kind
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[Line]:
        """Yield the lines that are complete with this piece. Raises InternalError for what is none."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _MAX_LOG_LINE:
            raise InternalError("The log stream has a line of more than 1 MiB, which the API never sends.")
        for line in whole:
            yield from self._line(line)

    def finish(self) -> Iterator[Line]:
        """Yield what is left when the stream has ended."""
        yield from self._line(self._rest)

    def _line(self, line: bytes) -> Iterator[Line]:
        if not line.strip():
            # Blank lines keep a quiet stream alive.
            return
        try:
            yield msgspec.json.decode(line, type=self._kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InternalError(f"A line of the log stream cannot be read: {error}.") from error
