"""Plans: what follows from a request's head alone, worked out once and kept with it."""

from dayfly.gateway.headers import ClientHeaders, depth_line, forwarded
from dayfly.gateway.ids import Ident, Ids
from dayfly.gateway.routes import FunctionRoute
from dayfly.http1.exchange import SAFE_METHODS
from dayfly.http1.head import CHUNKED, Header, RequestHead
from dayfly.http1.trailers import announced
from dayfly.model.invocation import ORIGIN_PATH, Origin

_BODY_EXPECTED = frozenset((b"POST", b"PUT", b"PATCH"))
_TOLD_BYTES = 200


class Plan:
    """A call of the function `name`. `prefix` is the head to send without the lines that differ from call to call.

    Without a `peer` the call comes from the queue, and all its headers pass: a gateway has looked at them before.
    `passed` are the caller's headers where not all of them are for the function.
    """

    __slots__ = ("_call_id", "_trace", "depth", "keyed", "name", "origin", "own_ident", "prefix", "queued", "tail")

    def __init__(
        self,
        head: RequestHead,
        route: FunctionRoute,
        peer: bytes | None,
        secure: bool,
        passed: list[Header] | None = None,
        trigger: str = "http",
    ) -> None:
        headers = ClientHeaders(head.headers if passed is None else passed, trusted=peer is None)
        self.name = route.name
        self.keyed = bool(headers.key) and not route.queued and peer is not None and head.method not in SAFE_METHODS
        """Whether the queue makes the call while its caller waits, once for its Idempotency-Key."""
        self.queued = route.queued or self.keyed
        """Whether it is the queue's."""
        self.tail = route.tail
        self.depth = headers.depth
        self.prefix = request_prefix(head, route.tail, headers.lines + depth_line(self.depth + 1), peer, secure)
        self._call_id = headers.call_id
        self._trace = headers.trace
        self.own_ident = bool(headers.call_id or headers.trace)
        """Whether the caller brought a call id or a trace of its own."""
        self.origin = origin(head, route.tail, peer, trigger)
        """Where the call comes from, for its record."""

    def named(self, name: bytes) -> "Plan":
        """Return the plan of the same call of another function."""
        other = object.__new__(Plan)
        other.name = name
        other.prefix = self.prefix
        other._call_id = self._call_id
        other._trace = self._trace
        other.own_ident = self.own_ident
        other.depth = self.depth
        other.keyed, other.queued, other.tail = self.keyed, self.queued, self.tail
        other.origin = self.origin
        return other

    @property
    def choice(self) -> bytes:
        """The line that tells the queue that the call's id is of its caller's choice, if it is."""
        return b"X-Dayfly-Named: true\r\n" if self._call_id else b""

    def ident(self, ids: Ids) -> Ident:
        """Return the identity of one such call, with what the caller brought."""
        line, lines = ids.take()
        if self._call_id:
            line = b"X-Call-Id: %b\r\n" % self._call_id
        return line, line + (self._trace or lines.partition(b"\r\n")[2])


def origin(head: RequestHead, target: bytes, peer: bytes | None, trigger: str) -> Origin:
    """Return where a call comes from; without a `peer` it comes from the queue, whose headers say it."""
    path = target.partition(b"?")[0][:ORIGIN_PATH]
    if peer is not None:
        return Origin(head.method, path, trigger, peer)
    told = {name.lower(): value[:_TOLD_BYTES].decode("ascii", "replace") for name, value in head.headers}
    caller = f"{told[b'x-dayfly-auth']}:{told.get(b'x-dayfly-subject', '')}" if b"x-dayfly-auth" in told else ""
    address = told.get(b"x-forwarded-for", "").encode()
    return Origin(head.method, path, told.get(b"x-dayfly-trigger", "queue"), address, caller)


def request_prefix(head: RequestHead, target: bytes, lines: bytes, peer: bytes | None, secure: bool) -> bytes:
    """Return the request line and all headers that follow from `head`, without the empty line."""
    block = b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b" % (
        head.method,
        target,
        head.host or b"localhost",
        lines,
        forwarded(peer, head.host, secure) if peer is not None else b"",
    )
    if head.length == CHUNKED:
        block += b"Transfer-Encoding: chunked\r\n"
        names = announced(head.trailer)
        if names:
            block += b"Trailer: %b\r\n" % names
    elif head.length > 0 or head.method in _BODY_EXPECTED:
        block += b"Content-Length: %d\r\n" % head.length
    if head.takes_trailers:
        block += b"TE: trailers\r\n"
    if head.upgrade:
        block += b"Upgrade: %b\r\n" % head.upgrade
    if head.upgrade or head.takes_trailers:
        hops = [name for name, said in ((b"Upgrade", head.upgrade), (b"TE", head.takes_trailers)) if said]
        block += b"Connection: %b\r\n" % b", ".join(hops)
    return block
