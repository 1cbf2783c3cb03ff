"""Log lines out of the stream that the API answers with."""

from collections.abc import Iterator

import msgspec

from dayfly.model.errors import InternalError
from dayfly.model.log import LogLine

_MAX_LOG_LINE = 1024 * 1024


class LogLines:
    """Log lines out of a stream that arrives in pieces.

    Lines end at a newline only: text may hold other characters that end a line elsewhere.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[LogLine]:
        """Yield the lines that are complete with this piece. Raises InternalError for what is none."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _MAX_LOG_LINE:
            raise InternalError("The log stream has a line of more than 1 MiB, which the API never sends.")
        for line in whole:
            yield from _log_line(line)

    def finish(self) -> Iterator[LogLine]:
        """Yield what is left when the stream has ended."""
        yield from _log_line(self._rest)


def _log_line(line: bytes) -> Iterator[LogLine]:
    if not line.strip():
        # Blank lines keep a quiet stream alive.
        return
    try:
        yield msgspec.json.decode(line, type=LogLine)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InternalError(f"A line of the log stream cannot be read: {error}.") from error
