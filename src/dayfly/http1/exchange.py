"""The exchange: one request on its way to an upstream and its response on the way back.

It joins a server connection and an upstream connection with plain callbacks: no task, future or timer is made for a
request that finds an idle connection. What differs between applications (where the request goes, which headers change,
what is counted) is left to a subclass.
"""

import time

from dayfly.http1.answer import STATUS_LINES, Answer, framing_lines
from dayfly.http1.date import date_line
from dayfly.http1.framing import encode
from dayfly.http1.head import CHUNKED, RequestHead
from dayfly.http1.pool import Pool
from dayfly.http1.resend import may_resend
from dayfly.http1.server import CONTINUE, ServerConnection
from dayfly.http1.tunnel import Tunnel
from dayfly.http1.upstream import UpstreamConnection
from dayfly.http1.wire import Data

EARLY_BYTES = 65_536
"""Body bytes kept while a request waits for its upstream; then reading stops."""
SAFE_METHODS = frozenset((b"GET", b"HEAD", b"OPTIONS"))


class Exchange:
    """A request being answered. `status` is 0 until the response's head has been sent."""

    __slots__ = (
        "chunked",
        "complete",
        "connection",
        "early",
        "head",
        "keep",
        "pool",
        "room",
        "status",
        "upstream",
        "written",
    )

    def __init__(self, connection: ServerConnection, head: RequestHead) -> None:
        self.connection = connection
        self.head = head
        self.upstream: UpstreamConnection | None = None
        self.pool: Pool | None = None
        self.early: bytes = b""
        self.complete = True
        self.written = False
        self.status = 0
        self.chunked = False
        self.keep = False
        self.room = -1
        """Bytes that an answer of unknown length may still grow by; negative when nobody counts."""

    # What a subclass decides.

    def admit(self) -> None:
        """Choose where the request goes and call `forward`, now or later; or `reply`."""
        raise NotImplementedError

    def request_head(self) -> bytes:
        """Return the request line and headers to send, with the empty line."""
        raise NotImplementedError

    def response_lines(self, answer: Answer) -> bytes:
        """Return the response's end-to-end headers, each line with its end."""
        raise NotImplementedError

    def failed(self, why: str, left: bool, /) -> None:
        """No response came and none will: answer the client, or `forward` again if nothing was `written`.

        `left` says that the upstream ended the connection, and not we for what it sent.
        """
        raise NotImplementedError

    def finished(self, status: int, now: float) -> None:
        """Count the request: it is over. 499 stands for a client that went away."""
        raise NotImplementedError

    def repeatable(self) -> bool:
        """Whether the request may run twice without harm; see `resend`."""
        return False

    def trailer_passes(self, name: bytes) -> bool:
        """Whether a trailer of the request goes to the upstream, HTTP's own rules apart."""
        del name
        return False

    def outgrown(self) -> None:
        """The answer has outgrown its `room`: break it off."""
        self._break_off(502)

    # From the client.

    def start(self, first: bytes, complete: bool) -> None:
        """Begin."""
        if not complete or first:
            self.early = first
            self.complete = complete
        self.admit()

    def forward(self, pool: Pool) -> None:
        """Send the request to an upstream of `pool`."""
        self.pool = pool
        upstream = pool.take()
        if upstream is None:
            pool.connect(self)
        else:
            self._send(upstream)

    def _send(self, upstream: UpstreamConnection) -> None:
        head = self.head
        self.upstream = upstream
        upstream.begin(self, head.method)
        first = self._encoded(self.early, self.complete) if head.length else b""
        if upstream.write_parts(self.request_head(), first):
            self.written = True
            if not self.complete:
                self._let_body_come(upstream)
        else:
            # It was closed while it was idle, or has been this moment: not a byte was taken.
            self._lost(upstream.reused, "it closed the connection", True)

    def _let_body_come(self, upstream: UpstreamConnection) -> None:
        if self.head.expects and not self.early:
            self.connection.write(CONTINUE)
        self.early = b""
        if upstream.writable:
            self.connection.resume()

    def _encoded(self, data: Data, complete: bool) -> bytes:
        if self.head.length != CHUNKED:
            return bytes(data)
        trailers = [trailer for trailer in self.connection.trailers if self.trailer_passes(trailer[0])]
        return encode(data, complete, trailers)

    def body(self, data: Data, complete: bool) -> None:
        """Pass more of the body on, or keep a little while there is no upstream yet."""
        self.complete = complete
        upstream = self.upstream
        if upstream is None or not self.written:
            self.early += data
            if len(self.early) > EARLY_BYTES:
                self.connection.pause()
            return
        upstream.spill(data if self.head.length != CHUNKED else self._encoded(data, complete))

    def cut(self, status: int) -> bool:
        """Give up, because of the client."""
        begun = self.status != 0
        self._let_go()
        self.finished(status, time.monotonic())
        return begun

    def client_pace(self, writable: bool) -> None:
        """Let the upstream wait for the client."""
        if self.upstream is not None:
            if writable:
                self.upstream.resume()
            else:
                self.upstream.pause()

    def expired(self) -> None:
        """Break off what takes too long; a subclass answers first if it still can."""
        self._break_off(504)

    # From the upstream.

    def connected(self, upstream: UpstreamConnection) -> None:
        """Send on the connection that was made."""
        self._send(upstream)

    def unreachable(self, fault: OSError) -> None:
        """Give the request back to the subclass: nothing of it was sent."""
        self.failed(fault.strerror or str(fault) or "it does not answer", True)

    def interim(self, status: int, lines: bytes) -> None:
        """Pass 102, 103 and the like on to a client that can understand them."""
        if self.head.minor:
            self.connection.write(STATUS_LINES[status] + lines + b"\r\n")

    def answered(self, answer: Answer, first: Data, complete: bool) -> None:
        """Write the response's head and what of its body came along, in one piece."""
        request, connection = self.head, self.connection
        self.status = answer.status
        self.chunked = answer.length < 0 and request.minor == 1
        keep = request.keep_alive and self.complete and not connection.app.draining
        self.keep = keep and (answer.length >= 0 or self.chunked)
        block = STATUS_LINES[answer.status] + (b"" if answer.dated else date_line()) + self.response_lines(answer)
        block += framing_lines(answer, request, self.keep)
        connection.write_parts(block, self._framed(first, complete) if answer.length < 0 else first)
        if complete:
            self._done()
        elif not connection.writable and self.upstream is not None:
            self.upstream.pause()

    def whole(self, answer: Answer, body: bytes) -> None:
        """Write a counted answer that came in one piece; a subclass may know a shorter way."""
        self.answered(answer, body, True)

    def answer(self, data: Data, complete: bool) -> None:
        """Pass more of the response's body on."""
        if self.room >= 0:
            self.room -= len(data)
            if self.room < 0:
                self.outgrown()
                return
        self.connection.spill(self._framed(data, complete) if self.chunked else data)
        if complete:
            self._done()

    def _framed(self, data: Data, complete: bool) -> bytes:
        if not self.chunked:
            return bytes(data)
        upstream = self.upstream
        trailers = upstream.answer.trailers if upstream is not None and self.head.takes_trailers else ()
        return encode(data, complete, trailers)

    def _done(self) -> None:
        now = time.monotonic()
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            if self.complete:
                upstream.release()
            else:
                upstream.drop()
        self.finished(self.status, now)
        self.connection.finish(now, self.keep)

    def switched(self, upstream: UpstreamConnection, rest: bytes) -> None:
        """Leave HTTP, if that is what the client asked for."""
        if not self.head.upgrade:
            upstream.break_off("it switched protocols without being asked")
            return
        self.status = 101
        block = STATUS_LINES[101] + self.response_lines(upstream.answer)
        block += b"Connection: Upgrade\r\nUpgrade: %b\r\n\r\n" % (upstream.answer.upgrade or self.head.upgrade)
        self.connection.write(block)
        tunnel = Tunnel(self.connection, upstream, lambda: self.finished(101, time.monotonic()))
        self.upstream = None
        tunnel.begin(rest)

    def upstream_lost(self, why: str, left: bool) -> None:
        """Send the request again where that is safe, else tell the subclass."""
        upstream = self.upstream
        self._lost(upstream is not None and upstream.reused, why, left)

    def _lost(self, reused: bool, why: str, left: bool) -> None:
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.caller = None
        if self.status:
            self._break_off(502)
            return
        whole = self.complete and (self.head.length == 0 or bool(self.early))
        again = may_resend(
            written=self.written, answered=False, reused=reused, whole=whole, repeatable=self.repeatable()
        )
        if again and reused and self.pool is not None:
            # Once: each turn uses up an idle connection, and a fresh one is not `reused`.
            self.written = False
            self.forward(self.pool)
        else:
            self.failed(why, left)

    def upstream_pace(self, writable: bool) -> None:
        """Let the client wait for the upstream while it sends its body."""
        if not self.complete:
            if writable:
                self.connection.resume()
            else:
                self.connection.pause()

    # Ends.

    def reply(self, status: int, response: bytes, *, keep: bool) -> None:
        """Answer with a whole `response` of our own instead of an upstream's; nothing may have been sent yet."""
        now = time.monotonic()
        self._let_go()
        self.status = status
        self.connection.write(response)
        self.finished(status, now)
        self.connection.finish(now, keep and self.complete)

    def _break_off(self, status: int) -> None:
        # The head is out, so the only way left to say "incomplete" is to end the connection early.
        self._let_go()
        self.finished(status, time.monotonic())
        self.connection.receiver = None
        self.connection.close()

    def _let_go(self) -> None:
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.drop()
        elif self.pool is not None:
            self.pool.cancel(self)
