"""Framing: where a body ends.

A body of known length is counted. A chunked one is taken apart here and not by the HTTP parser, for two reasons: the
parser cannot say at which byte a message ended, which pipelining needs to know, and cannot be told that the answer to
HEAD has no body.
"""

import re
from collections.abc import Sequence

from dayfly.http1.head import Header
from dayfly.http1.refusal import Refusal, malformed
from dayfly.http1.trailers import read_trailer, trailer_block

LAST_CHUNK = b"0\r\n\r\n"
TRAILER_COUNT, TRAILER_BYTES = 32, 8_192
_MAX_LINE = 1_024
_WORD = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# No blanks, which RFC 9112 7.1.1 calls bad, and nothing that is not an extension by its grammar.
_SIZE = re.compile(rb'([0-9A-Fa-f]{1,12})(?:;%b(?:=(?:%b|"[\t !#-\[\]-~]*"))?)*' % (_WORD, _WORD))

_SIZE_LINE, _DATA, _DATA_END, _TRAILER_LINE, _DONE = range(5)


class ChunkedDecoder:
    """Takes a chunked body apart as it arrives. Chunk extensions are checked and dropped.

    The body may be followed by `trailer_count` lines of together `trailer_bytes`.
    """

    __slots__ = ("_bytes", "_count", "_left", "_line", "_most", "_state", "trailers")

    def __init__(self, trailer_count: int = TRAILER_COUNT, trailer_bytes: int = TRAILER_BYTES) -> None:
        self.trailers: list[Header] = []
        """Those that may go on; see `trailers`."""
        self._most = (trailer_count, trailer_bytes)
        self._state = _SIZE_LINE
        self._line = b""
        self._left = 0
        self._count = self._bytes = 0

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
            self._take_trailer(line)

    def _take_trailer(self, line: bytes) -> None:
        self._count += 1
        self._bytes += len(line)
        if self._count > self._most[0] or self._bytes > self._most[1]:
            raise Refusal(
                431,
                "trailers_too_large",
                f"The request has more than {self._most[0]} trailers, or more than {self._most[1]} bytes of them.",
                "The operator can raise the gateway's limits trailer_count and trailer_bytes.",
            )
        trailer = read_trailer(line)
        if trailer is not None:
            self.trailers.append(trailer)


def chunk(data: bytes | memoryview) -> bytes:
    """Return `data` as one chunk. It must not be empty: an empty chunk ends the body."""
    return b"".join((b"%x\r\n" % len(data), data, b"\r\n"))


def encode(data: bytes | memoryview, complete: bool, trailers: Sequence[Header] = ()) -> bytes:
    """Return `data`, which may be empty, as a chunk, and the body's end with its trailers if that was `complete`."""
    coded = chunk(data) if data else b""
    if not complete:
        return coded
    return coded + (trailer_block(trailers) if trailers else LAST_CHUNK)
