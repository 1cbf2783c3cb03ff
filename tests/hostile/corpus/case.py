"""What one hostile byte sequence is, and the words to write it down with.

A poison is a whole request hidden where some reader may look for the next one. It must never be called by itself.
"""

import msgspec

PATH = b"/function/canary"
POISON = b"GET /function/canary/poison HTTP/1.1\r\nHost: h\r\n\r\n"


class Case(msgspec.Struct, frozen=True):
    """Bytes of a client, and what must happen."""

    name: str
    source: str
    """Where the idea comes from: a paper, an advisory, a section of an RFC."""
    raw: bytes
    statuses: tuple[int, ...]
    """The answers, in order."""
    calls: int
    """How many requests reach the canary."""
    closed: bool
    """Whether the connection is closed after the answers. If not, the next request on it is served."""


def refused(name: str, source: str, raw: bytes, status: int = 400) -> Case:
    """Return a case that is refused, its connection closed, without a call."""
    return Case(name, source, raw, (status,), 0, True)


def served(name: str, source: str, raw: bytes, calls: int = 1, *, closed: bool = False) -> Case:
    """Return a case that is exactly so many calls."""
    return Case(name, source, raw, (200,) * calls, calls, closed)


def cut_off(name: str, source: str, raw: bytes, calls: int = 1, status: int = 400) -> Case:
    """Return a case whose first requests are served and whose rest is refused."""
    return Case(name, source, raw, (*(200,) * calls, status), calls, True)


def post(lines: bytes, rest: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    """Return a POST with these header lines, each with its end, besides Host; `rest` follows the empty line."""
    return b"POST %b %b\r\nHost: h\r\n%b\r\n%b" % (PATH, version, lines, rest)


def get(lines: bytes, rest: bytes = b"") -> bytes:
    """Return a GET with these header lines besides Host."""
    return b"GET %b HTTP/1.1\r\nHost: h\r\n%b\r\n%b" % (PATH, lines, rest)


def chunked(rest: bytes) -> bytes:
    """Return a POST with this chunked body."""
    return post(b"Transfer-Encoding: chunked\r\n", rest)
