"""What a program writes to a descriptor, as lines of its function's log."""

from dayfly.model.log import MAX_LINE_BYTES
from dayfly.runtimes.python.output import LogPipe


class Lines:
    """Takes pieces of bytes and writes whole lines to `pipe`, as of the `stream` and the call given."""

    def __init__(self, pipe: LogPipe, stream: str, call_id: str = "") -> None:
        self._pipe = pipe
        self._stream = stream
        self._call_id = call_id
        self._rest = b""

    def take(self, data: bytes) -> list[str]:
        """Take a piece; return the lines that it made whole."""
        *whole, rest = (self._rest + data).split(b"\n")
        while len(rest) > MAX_LINE_BYTES:
            whole.append(rest[:MAX_LINE_BYTES])
            rest = rest[MAX_LINE_BYTES:]
        self._rest = rest
        return [self._line(line) for line in whole]

    def end(self) -> list[str]:
        """Log what was left without a line end."""
        rest, self._rest = self._rest, b""
        return [self._line(rest)] if rest else []

    def _line(self, raw: bytes) -> str:
        text = raw.decode("utf-8", "replace").removesuffix("\r")
        self._pipe.line(self._stream, self._call_id, text)
        return text
