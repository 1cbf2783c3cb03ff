"""Cross-origin requests: what browsers are told of a route, for pages of other sites.

The gateway alone says it: what a function says in such headers itself is dropped where a route has rules of its own, so
that a browser never finds two answers. An origin is compared whole. `*` never goes with credentials, as the model says.
"""

import re

from dayfly.gateway.gates import values
from dayfly.http1.head import RequestHead
from dayfly.model.route_entry import CorsEntry

_USUAL = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_THEIRS = re.compile(rb"(?im)^access-control-[^\r\n]*\r\n")


def requested_method(head: RequestHead) -> bytes:
    """Return the method that a preflight asks about; empty when the request is none."""
    if head.method != b"OPTIONS" or not values(head, b"origin"):
        return b""
    asked = values(head, b"access-control-request-method")
    return asked[0] if len(asked) == 1 else b""


def answer_lines(cors: CorsEntry, head: RequestHead) -> bytes:
    """Return the lines for the answer to a request."""
    lines = _origin_lines(cors, head)
    if cors.expose and lines.startswith(b"Access"):
        lines += b"Access-Control-Expose-Headers: %b\r\n" % ", ".join(cors.expose).encode()
    return lines


def preflight_lines(cors: CorsEntry, head: RequestHead, methods: tuple[str, ...], credential: tuple[str, ...]) -> bytes:
    """Return the lines for the answer to a preflight; `credential` are headers that the route itself asks for."""
    lines = _origin_lines(cors, head)
    if lines.startswith(b"Access"):
        allowed = cors.methods or methods or _USUAL
        lines += b"Access-Control-Allow-Methods: %b\r\n" % ", ".join(allowed).encode()
        names = tuple(dict.fromkeys((*cors.headers, *credential)))
        if names:
            lines += b"Access-Control-Allow-Headers: %b\r\n" % ", ".join(names).encode()
        lines += b"Access-Control-Max-Age: %d\r\n" % cors.max_age_s
    return lines + b"Vary: Access-Control-Request-Method, Access-Control-Request-Headers\r\n"


def without_theirs(lines: bytes) -> bytes:
    """Return a function's header lines without those that are the gateway's to say."""
    return _THEIRS.sub(b"", lines)


def _origin_lines(cors: CorsEntry, head: RequestHead) -> bytes:
    if cors.origins == ("*",):
        return b"Access-Control-Allow-Origin: *\r\n"
    given = values(head, b"origin")
    if len(given) != 1 or given[0].decode("latin-1") not in cors.origins:
        return b"Vary: Origin\r\n"
    lines = b"Access-Control-Allow-Origin: %b\r\n" % given[0]
    if cors.credentials:
        lines += b"Access-Control-Allow-Credentials: true\r\n"
    return lines + b"Vary: Origin\r\n"
