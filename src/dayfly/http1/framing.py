"""Framing: where a body ends.

A body of known length is counted. A chunked one is taken apart here and not by the HTTP parser, for two reasons: the
parser cannot say at which byte a message ended, which pipelining needs to know, and cannot be told that the answer to
HEAD has no body.
"""

import re

from dayfly.http1.refusal import malformed

LAST_CHUNK = b"0\r\n\r\n"
_MAX_LINE = 1_024
_MAX_TRAILERS = 8_192
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})(?:[ \t]*;[\t -~\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*")

_SIZE_LINE, _DATA, _DATA_END, _TRAILER_LINE, _DONE = range(5)


class ChunkedDecoder:
    """Takes a chunked body apart as it arrives. Chunk extensions and trailers are checked and dropped."""

    __slots__ = ("_left", "_line", "_state", "_trailers")

    def __init__(self) -> None:
        self._state = _SIZE_LINE
        self._line = b""
        self._left = 0
        self._trailers = 0

    @property
    def done(self) -> bool:
        """Whether the last chunk and the trailers' end were seen."""
        return self._state == _DONE

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in `data` and, once the body has ended, the bytes after its end.

        Raises Refusal where the framing is not exactly that of RFC 9112 7.1, bare line feeds included.
        """
        pieces: list[bytes] = []
        at, size = 0, len(data)
        while at < size and self._state != _DONE:
            if self._state == _DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _DATA_END
            else:
                at = self._take_line(data, at)
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), data[at:]

    def _take_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        line = self._line + data[at : end + 1 if end >= 0 else len(data)]
        if len(line) > _MAX_LINE:
            raise malformed("A line of the chunked body's framing is too long.")
        if end < 0:
            if line.find(b"\r", 0, -1) >= 0:
                raise malformed("The chunked body holds a bare carriage return in its framing.")
            self._line = line
            return len(data)
        self._line = b""
        if line[-2:] != b"\r\n" or line.find(b"\r", 0, -2) >= 0:
            raise malformed("A line of the chunked body's framing does not end with CR LF.")
        self._read_line(line[:-2])
        return end + 1

    def _read_line(self, line: bytes) -> None:
        if self._state == _SIZE_LINE:
            match = _SIZE.fullmatch(line)
            if match is None:
                raise malformed("The size of a chunk is not a hexadecimal number.")
            self._left = int(match[1], 16)
            self._state = _DATA if self._left else _TRAILER_LINE
        elif self._state == _DATA_END:
            if line:
                raise malformed("A chunk is longer than it says.")
            self._state = _SIZE_LINE
        elif not line:
            self._state = _DONE
        else:
            self._trailers += len(line)
            if self._trailers > _MAX_TRAILERS or not _TRAILER.fullmatch(line):
                raise malformed("The trailers after the chunked body are too long or malformed.")


def chunk(data: bytes | memoryview) -> bytes:
    """Return `data` as one chunk. It must not be empty: an empty chunk ends the body."""
    return b"".join((b"%x\r\n" % len(data), data, b"\r\n"))
