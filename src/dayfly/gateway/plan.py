"""Plans: what follows from a request's head alone, worked out once and kept with it."""

from dayfly.gateway.headers import ClientHeaders, forwarded
from dayfly.gateway.ids import Ident, Ids
from dayfly.gateway.routes import FunctionRoute
from dayfly.http1.head import CHUNKED, RequestHead
from dayfly.http1.trailers import announced

_BODY_EXPECTED = frozenset((b"POST", b"PUT", b"PATCH"))


class Plan:
    """A call of the function `name`. `prefix` is the head to send without the lines that differ from call to call."""

    __slots__ = ("_call_id", "_trace", "name", "own_ident", "prefix")

    def __init__(self, head: RequestHead, route: FunctionRoute, peer: bytes, secure: bool) -> None:
        headers = ClientHeaders(head.headers)
        self.name = route.name
        self.prefix = request_prefix(head, route.tail, headers.lines, peer, secure)
        self._call_id = headers.call_id
        self._trace = headers.trace
        self.own_ident = bool(headers.call_id or headers.trace)
        """Whether the caller brought a call id or a trace of its own."""

    def ident(self, ids: Ids) -> Ident:
        """Return the identity of one such call, with what the caller brought."""
        line, lines = ids.take()
        if self._call_id:
            line = b"X-Call-Id: %b\r\n" % self._call_id
        return line, line + (self._trace or lines.partition(b"\r\n")[2])


def request_prefix(head: RequestHead, target: bytes, lines: bytes, peer: bytes, secure: bool) -> bytes:
    """Return the request line and all headers that follow from `head`, without the empty line."""
    block = b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b" % (
        head.method,
        target,
        head.host or b"localhost",
        lines,
        forwarded(peer, head.host, secure),
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
