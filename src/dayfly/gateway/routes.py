"""Routes: which function a request target means, if any.

The name part (`NAME` or `NAME.NAMESPACE`) is decoded once and checked; what could be read as another path by some later
reader is refused with 400, what is simply no function's name is `UNKNOWN`, a 404. What follows the name belongs to the
function and is passed on untouched, byte for byte.
"""

import re

import msgspec

from dayfly.http1.refusal import malformed

PREFIX = b"/function/"
QUEUED_PREFIX = b"/async-function/"
_NAME = re.compile(rb"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)?")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_CONFUSING = frozenset(b"/\\;%\x00")


class FunctionRoute(msgspec.Struct, frozen=True):
    """A target below `/function/` or `/async-function/`."""

    name: bytes
    """`NAME` or `NAME.NAMESPACE` as asked for; empty when it can be nobody's name."""
    tail: bytes
    """The path after the name, at least `/`, with the query."""
    queued: bool = False
    """Whether the call is to be queued."""


def route(target: bytes) -> FunctionRoute | None:
    """Return the function a request target means; None when it is not a function's. Raises Refusal (400)."""
    queued = target.startswith(QUEUED_PREFIX)
    if not queued and not target.startswith(PREFIX):
        return None
    path, mark, query = target[len(QUEUED_PREFIX if queued else PREFIX) :].partition(b"?")
    raw, slash, rest = path.partition(b"/")
    return FunctionRoute(_name(raw, bool(slash)), b"/" + rest + mark + query, queued)


def _name(raw: bytes, followed: bool) -> bytes:
    if _NAME.fullmatch(raw):
        return raw
    if not raw and followed:
        raise malformed("The function's name in the path is empty: two slashes follow each other.")
    name = _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), raw)
    if not _CONFUSING.isdisjoint(name) or b".." in name or name == b".":
        raise malformed(
            "The function's name in the path holds an encoded slash, a backslash, '%', ';', NUL or '..'.",
            "Write /function/NAME or /function/NAME.NAMESPACE, then the function's own path.",
        )
    return name if _NAME.fullmatch(name) else b""
