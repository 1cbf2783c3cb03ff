"""Headers: which ones cross the gateway, in which direction.

Hop-by-hop and framing headers never reach this module; `http1` ends them. Here end those that say something only the
gateway may say (who called, by which way, as which call) and those with which a function could command a proxy in front
of us. Whether a name passes is looked up by its bytes as written, and remembered, so that the warm path neither lowers
nor compares it.
"""

import re
from collections.abc import Iterable

from dayfly.http1.head import Header
from dayfly.http1.refusal import malformed
from dayfly.model.depth import HEADER
from dayfly.model.names import is_call_id

_FROM_CLIENT = frozenset((b"forwarded", b"x-real-ip", b"x-start-time", b"x-duration-seconds"))
_FROM_CLIENT_PREFIXES = (b"x-forwarded-", b"x-function-", b"x-dayfly-")
_FROM_FUNCTION = frozenset((b"server", b"x-call-id", b"x-start-time", b"x-duration-seconds"))
_FROM_FUNCTION_PREFIXES = (b"x-accel-", b"x-dayfly-")
_PARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def ends_from_function(name: bytes) -> bool:
    """Whether a function's response header is not passed on to its caller. `name` is in lower case."""
    return name in _FROM_FUNCTION or name.startswith(_FROM_FUNCTION_PREFIXES)


def ends_from_control(name: bytes) -> bool:
    """Whether a response header of the control plane is not passed on. `name` is in lower case."""
    return name == b"server"


_PASS, _END, _CALL_ID, _TRACEPARENT, _TRACESTATE, _DEPTH, _KEY = range(7)
_READ = {
    b"x-call-id": _CALL_ID,
    b"traceparent": _TRACEPARENT,
    b"tracestate": _TRACESTATE,
    HEADER.lower().encode(): _DEPTH,
    b"idempotency-key": _KEY,
}
_NUMBER = re.compile(rb"[0-9]{1,4}")
_REMEMBERED = 4_096

_kinds: dict[bytes, int] = {}


class ClientHeaders:
    """What the gateway makes of a request's headers. Raises Refusal (400)."""

    __slots__ = ("call_id", "depth", "key", "lines", "trace")

    def __init__(self, headers: Iterable[Header], *, trusted: bool = False) -> None:
        self.call_id = b""
        """The caller's own call id, when it is one."""
        self.depth = 0
        """How deep the call is that made this one; 0 when it comes from outside. The most that was said."""
        self.key = b""
        """Its Idempotency-Key, which passes too."""
        parent = state = b""
        lines = []
        for header in headers:
            kind = _kinds.get(header[0])
            if kind is None:
                kind = _classify(header[0])
            if kind == _PASS or (trusted and kind == _END):
                lines.append(b"%b: %b\r\n" % header)
            elif kind == _CALL_ID:
                self.call_id = header[1] if is_call_id(header[1].decode("latin-1")) else b""
            elif kind == _KEY:
                self.key = header[1]
                lines.append(b"%b: %b\r\n" % header)
            elif kind == _TRACEPARENT and _PARENT.fullmatch(header[1]):
                parent = b"%b: %b\r\n" % header
            elif kind == _TRACESTATE:
                state += b"%b: %b\r\n" % header
            elif kind == _DEPTH:
                self.depth = max(self.depth, _depth(header[1]))
        self.lines = b"".join(lines)
        """The lines that pass."""
        self.trace = parent + state if parent else b""
        """The caller's trace, as lines; empty when it brought none that is well formed."""


def passes_as_trailer(name: bytes) -> bool:
    """Whether the gateway lets a request's trailer of this name reach the function."""
    kind = _kinds.get(name)
    return (_classify(name) if kind is None else kind) == _PASS


def depth_line(depth: int) -> bytes:
    """Return the line that says how deep a call is."""
    return b"%b: %d\r\n" % (HEADER.encode(), depth)


def _depth(value: bytes) -> int:
    if not _NUMBER.fullmatch(value):
        raise malformed(
            f"The header {HEADER} is not one whole number of up to four digits.",
            "Pass it on as the function got it, or leave it out where no function makes the call.",
        )
    return int(value)


def _classify(name: bytes) -> int:
    lower = name.lower()
    ends = lower in _FROM_CLIENT or lower.startswith(_FROM_CLIENT_PREFIXES)
    kind = _READ.get(lower, _END if ends else _PASS)
    if len(_kinds) < _REMEMBERED and len(name) <= 64:
        _kinds[name] = kind
    return kind


def forwarded(peer: bytes, host: bytes, secure: bool) -> bytes:
    """Return the lines that say where a request came from. No proxy in front of us is trusted to say it."""
    scheme = b"https" if secure else b"http"
    return b"X-Forwarded-For: %b\r\nX-Forwarded-Host: %b\r\nX-Forwarded-Proto: %b\r\n" % (peer, host, scheme)
