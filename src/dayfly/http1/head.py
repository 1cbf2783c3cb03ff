"""Heads: what a request's first lines mean, or why they are refused.

Two programs that read one request differently are the root of request smuggling. So whatever RFC 9112 leaves to the
reader's taste is refused here: `judge` is stricter than the RFC, sees only values, and is the one place that decides.
Headers that speak of one connection only (hop-by-hop) end here; those that frame the message become `length`; both
are made anew for the next hop and never copied.
"""

import re
from collections.abc import Sequence
from typing import Any

from dayfly.http1.refusal import Refusal, malformed

CHUNKED = -1
"""The `length` of a body that comes in chunks."""

HOP_BY_HOP = frozenset(
    [
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    ]
)
_PASS, _DROP, _HOST, _LENGTH, _CODING, _CONNECTION, _UPGRADE, _EXPECT, _TE, _TRAILER = range(10)
_READ = {
    b"host": _HOST,
    b"content-length": _LENGTH,
    b"transfer-encoding": _CODING,
    b"connection": _CONNECTION,
    b"upgrade": _UPGRADE,
    b"expect": _EXPECT,
    b"te": _TE,
    b"trailer": _TRAILER,
}
_LISTS = frozenset((_CONNECTION, _TE, _TRAILER))
_TWINS = HOP_BY_HOP | _READ.keys()
_UNNAMEABLE = frozenset((b"host", b"content-length", b"transfer-encoding", b"expect", b"authorization", b"cookie"))
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_METHOD = re.compile(rb"[A-Z]+(?:-[A-Z]+)*")
_USUAL = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
_HOST_NAME = re.compile(rb"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,254}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_NUMBER = re.compile(rb"[0-9]{1,18}")
_PROTOCOL = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~/-]{1,64}")
_TARGET_BYTES = bytes(sorted(set(range(33, 127)) - set(b"#")))
_VALUE_BYTES = bytes((9, *range(32, 127), *range(128, 256)))
_REMEMBERED = 4_096

Header = tuple[bytes, bytes]

_kinds: dict[bytes, int] = {}
"""Header names as written that were classified before: 60 ns each instead of 600."""
_hosts: set[bytes] = set()
"""Host headers that were found good before."""


class RequestHead:
    """A request that is well formed. Read-only once made, as one object may serve equal requests in succession."""

    __slots__ = (
        "expects",
        "headers",
        "host",
        "keep_alive",
        "length",
        "method",
        "minor",
        "plan",
        "takes_trailers",
        "target",
        "trailer",
        "upgrade",
    )

    method: bytes
    target: bytes
    minor: int
    """0 or 1, of HTTP/1.x."""
    host: bytes
    """Empty when an HTTP/1.0 client gave none."""
    headers: list[Header]
    """End-to-end headers, names as they were written; framing headers and names with `_` are not among them."""
    length: int
    """The body's bytes, or CHUNKED; 0 when there is none."""
    keep_alive: bool
    expects: bool
    """Whether the caller waits for `100 Continue` before it sends the body."""
    upgrade: bytes
    """The protocol asked for by a well-formed upgrade, else empty."""
    takes_trailers: bool
    """Whether the caller said `TE: trailers`, for this connection."""
    trailer: bytes
    """The names of the trailers that a chunked body announces, as given; else empty."""
    plan: Any
    """Room for what the application derives from this head alone."""


def judge(method: bytes, target: bytes, version: bytes, headers: Sequence[Header]) -> RequestHead:
    """Return the meaning of a request's first lines. Raises Refusal (400, 417, 505) where it is not beyond doubt.

    `version` is the text of the request line (`HTTP/1.1`); headers are in order, without surrounding blanks.
    """
    return judge_headers(method, target, judge_line(method, target, version), headers)


def judge_headers(method: bytes, target: bytes, minor: int, headers: Sequence[Header]) -> RequestHead:
    """Return the meaning of headers that follow a good request line. Raises Refusal (400, 417)."""
    head = RequestHead()
    head.method, head.target, head.minor, head.plan = method, target, minor, None
    # Joined first: one pass in C over all values costs what a regular expression costs for a single one.
    if b"".join([value for _, value in headers]).translate(None, _VALUE_BYTES):
        raise malformed("A header's value holds a control byte.")
    head.headers = passed = []
    read: list[bytes | None] = [None] * 10
    for header in headers:
        name, value = header
        kind = _kinds.get(name)
        if kind is None:
            kind = _classify(name)
        if kind == _PASS:
            passed.append(header)
        elif kind != _DROP:
            before = read[kind]
            if before is None:
                read[kind] = value
            elif kind in _LISTS:
                read[kind] = before + b"," + value
            else:
                raise malformed(f"The header {_text(name)} is given more than once.")
    host = read[_HOST]
    head.host = host if host in _hosts else _host(host, minor)
    head.length = 0
    if read[_CODING] is not None or read[_LENGTH] is not None:
        head.length = _length(read[_CODING], read[_LENGTH], minor)
    head.expects = read[_EXPECT] is not None and _expects(read[_EXPECT] or b"", head)
    head.keep_alive, head.upgrade, head.takes_trailers = minor == 1, b"", False
    head.trailer = read[_TRAILER] or b"" if head.length == CHUNKED else b""
    connection = read[_CONNECTION]
    if connection is not None:
        _apply_connection(head, connection, read[_UPGRADE] or b"", read[_TE] or b"")
    return head


def judge_line(method: bytes, target: bytes, version: bytes) -> int:
    """Return the x of HTTP/1.x. Raises Refusal (400, 505) for a request line that is not beyond doubt."""
    if version != b"HTTP/1.1" and version != b"HTTP/1.0":
        if re.fullmatch(rb"HTTP/[0-9]\.[0-9]", version):
            raise Refusal(505, "http_version", "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        raise malformed("The request line does not end with HTTP/1.1 or HTTP/1.0.")
    if method not in _USUAL and not _METHOD.fullmatch(method):
        raise malformed("The request's method is not a word of capital letters.")
    if method == b"CONNECT":
        raise malformed("CONNECT is refused: this is no forward proxy.")
    if not target.startswith(b"/") or target.translate(None, _TARGET_BYTES):
        raise malformed(
            "The request target must be a path that begins with / and holds no blank, '#' or byte beyond ASCII.",
            "Percent-encode what is not plain ASCII, and send the path only, not a whole URL.",
        )
    return int(version == b"HTTP/1.1")


def _classify(name: bytes) -> int:
    if not _TOKEN.fullmatch(name):
        raise malformed("A header's name is empty or holds a byte that no header name may hold.")
    lower = name.lower()
    kind = _READ.get(lower, _DROP if lower in HOP_BY_HOP else _PASS)
    if b"_" in lower:
        twin = lower.replace(b"_", b"-")
        if twin in _TWINS:
            raise malformed(f"The header {_text(name)} would be taken for {_text(twin)} by some.")
        kind = _DROP
    if len(_kinds) < _REMEMBERED and len(name) <= 64:
        _kinds[name] = kind
    return kind


def _host(host: bytes | None, minor: int) -> bytes:
    if host is None:
        if minor:
            raise malformed("The Host header is missing.")
        return b""
    if not _HOST_NAME.fullmatch(host):
        raise malformed("The Host header is not a host name or address with an optional port.")
    if len(_hosts) < _REMEMBERED:
        _hosts.add(host)
    return host


def _length(coding: bytes | None, length: bytes | None, minor: int) -> int:
    if coding is not None:
        if length is not None:
            raise malformed("The request carries both Content-Length and Transfer-Encoding.")
        if not minor:
            raise malformed("Transfer-Encoding does not exist in HTTP/1.0.")
        if coding.lower() != b"chunked":
            raise malformed("The only Transfer-Encoding understood is chunked.")
        return CHUNKED
    if length is None:
        return 0
    if not _NUMBER.fullmatch(length):
        raise malformed("Content-Length is not one whole number.")
    return int(length)


def _expects(expectation: bytes, head: RequestHead) -> bool:
    if not head.minor:
        return False
    if expectation.lower() != b"100-continue":
        raise Refusal(417, "invalid_request", "The only expectation understood is 100-continue.")
    return head.length != 0


def _apply_connection(head: RequestHead, connection: bytes, protocol: bytes, te: bytes) -> None:
    tokens = {token.strip(b" \t").lower() for token in connection.split(b",")}
    if b"close" in tokens:
        head.keep_alive = False
    elif b"keep-alive" in tokens:
        head.keep_alive = True
    # h2c would carry further requests past every check here, so an offer of it is simply not passed on (RFC 9110 7.8
    # lets a server ignore an upgrade); nor one with a body, which no upgrade in use needs.
    wanted = b"upgrade" in tokens and head.minor == 1 and head.method == b"GET" and head.length == 0
    if wanted and _PROTOCOL.fullmatch(protocol) and not protocol.lower().startswith(b"h2"):
        head.upgrade = protocol
    # A TE that is not named here was meant for a hop before this one (RFC 9110 10.1.4).
    if b"te" in tokens and head.minor == 1:
        head.takes_trailers = b"trailers" in [token.strip(b" \t").lower() for token in te.split(b",")]
    named = tokens - {b"", b"close", b"keep-alive", b"upgrade"}
    if not named.isdisjoint(_UNNAMEABLE):
        raise malformed("The Connection header names a header that must reach the other end.")
    if named:
        head.headers = [header for header in head.headers if header[0].lower() not in named]


def _text(name: bytes) -> str:
    return name[:60].decode("ascii", "replace")
