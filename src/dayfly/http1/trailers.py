"""Trailers: the fields after a chunked body, and which of them may go on.

What comes after a body comes too late to say how the message is framed, where it goes or who sent it, and a reader
that adds trailers to the headers would believe it all the same. RFC 9110 6.5.1 lets a recipient drop any trailer. So
those fields never pass here: where a request's trailers speak of framing or routing nobody means well, and it is
refused; the others that 6.5.1 names are dropped. What is left goes on as trailers, never as headers.
"""

import re
from collections.abc import Sequence

from dayfly.http1.head import HOP_BY_HOP, Header
from dayfly.http1.refusal import malformed

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)")
_FRAMING = frozenset((b"content-length", b"host", b"transfer-encoding"))
_NEVER = _FRAMING | HOP_BY_HOP
_NEVER |= {b"age", b"authentication-info", b"authorization", b"cache-control", b"content-encoding", b"content-range"}
_NEVER |= {b"content-type", b"cookie", b"date", b"expect", b"expires", b"forwarded", b"if-match", b"if-modified-since"}
_NEVER |= {b"if-none-match", b"if-range", b"if-unmodified-since", b"location", b"max-forwards", b"origin", b"pragma"}
_NEVER |= {b"proxy-authentication-info", b"range", b"referer", b"retry-after", b"server", b"set-cookie", b"vary"}
_NEVER |= {b"www-authenticate"}


def may_trail(name: bytes) -> bool:
    """Whether a field of this name may go on as a trailer, as far as HTTP is concerned. `name` is in lower case."""
    return name not in _NEVER and b"_" not in name


def read_trailer(line: bytes) -> Header | None:
    """Return the trailer that a line of a request holds, None if it is to be dropped. Raises Refusal (400)."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise malformed("A line after the chunked body is no header.")
    name, value = match[1], match[2].rstrip(b" \t")
    lower = name.lower()
    if lower.replace(b"_", b"-") in _FRAMING:
        raise malformed("The trailers after the chunked body speak of the request's framing or its host.")
    return (name, value) if may_trail(lower) else None


def trailer_block(trailers: Sequence[Header]) -> bytes:
    """Return the end of a chunked body: the last chunk, the trailers and the empty line."""
    return b"".join((b"0\r\n", *[b"%b: %b\r\n" % trailer for trailer in trailers], b"\r\n"))


def announced(value: bytes) -> bytes:
    """Return what of a Trailer header's value may be announced to the other side; empty when nothing."""
    names = [name.strip(b" \t") for name in value.split(b",")]
    return b", ".join([name for name in names if name and may_trail(name.lower())])
