"""The server's side of a connection: requests in, one at a time, in order.

A connection is in one of these states:

    no receiver            waits for a head; `_held` is what has come of it
    receiver, a body       takes the request's body
    receiver, no body      the request is complete; what comes now is pipelined, kept in `_held`, and reading stops
    receiver, tunnelled    every byte goes to the receiver
    lingering              refused: what comes is thrown away until the peer or `linger_s` ends it

A head is a pure function of its bytes, and a client that keeps its connection often sends the same one again. So the
last head and what was derived from it are kept, and equal bytes are not parsed twice. Without its system calls a bare
GET then takes 6 us instead of 18. So is the receiver, if it says so: to make a new one with its 24 attributes for
each request takes a microsecond.
"""

import asyncio
import time

from dayfly.http1.body import HINT, RequestBody
from dayfly.http1.flood import FLOOD_BYTES
from dayfly.http1.head import Header, RequestHead
from dayfly.http1.parser import HEAD_END, check_beginning, parse_request
from dayfly.http1.refusal import Refusal, late
from dayfly.http1.roles import Application, Receiver, Repeater
from dayfly.http1.sweep import NEVER
from dayfly.http1.wire import Data, Wire

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REMEMBERED_BYTES = 2_048


class ServerConnection(Wire):
    """One client's connection."""

    __slots__ = (
        "_body", "_held", "_known_head", "_lingering", "_loop", "_stalled_at", "_tunnelled", "again", "app",
        "body_hint", "body_limit", "call_deadline", "deadline", "known_raw", "limits", "peer", "receiver", "trailers",
    )  # fmt: skip

    def __init__(self, app: Application, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.app = app
        self.limits = app.limits
        self.receiver: Receiver | None = None
        self.body_limit = app.limits.body_bytes  # of the request that is opened
        self.body_hint = HINT  # what a caller is told who sends a larger one: whose limit it is
        self.deadline = NEVER  # when the sweep calls `expired`: the nearest of all deadlines there are
        self.call_deadline = NEVER  # the receiver's own
        self.peer = b""  # the client's address; empty on a unix socket
        self.trailers: list[Header] = []  # of the last chunked body, those that may go on
        self._loop = loop
        self._body: RequestBody | None = None
        self._held = b""
        self.known_raw = b""
        self._known_head: RequestHead | None = None
        self.again: Repeater | None = None  # what has answered `known_raw` and can do so again; between requests only
        self._lingering = False
        self._tunnelled = False
        self._stalled_at = NEVER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        peername = transport.get_extra_info("peername")
        self.peer = str(peername[0]).encode("ascii", "replace") if isinstance(peername, tuple) else b""
        self.deadline = time.monotonic() + self.limits.header_timeout_s
        self.app.sweep.add(self)
        if not self.app.made(self):
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the request under way, if any."""
        del exc
        self.transport = None
        self.app.sweep.discard(self)
        self.again = None
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.cut(499)
        self.app.lost(self)

    def data_received(self, data: bytes) -> None:
        """Take what was read."""
        receiver = self.receiver
        if receiver is None:
            if data == self.known_raw and not self._held:
                # The warm path: a request without a body, equal to the one before.
                again = self.again
                if again is not None:
                    self.again = None
                    self.receiver = again
                    again.repeat()
                    return
                head = self._known_head
                assert head is not None
                if head.length == 0 and not self._lingering:
                    self.receiver = receiver = self.app.open(self, head)
                    receiver.start(b"", True)
                    return
            if not self._lingering:
                self._next(self._held + data)
        elif self._body is not None:
            self._take_body(receiver, self._body, data)
        elif self._tunnelled:
            receiver.body(data, False)
        else:
            self._hold(self._held + data)

    def take_flood(self, data: memoryview) -> None:
        """Take a piece of a large body."""
        if self.receiver is not None and self._body is not None:
            self._take_body(self.receiver, self._body, data)

    def _next(self, data: bytes) -> None:
        """Begin the request that `data` holds, if it holds a whole head."""
        try:
            if self.known_raw and data.startswith(self.known_raw):
                head, at = self._known_head, len(self.known_raw)
            else:
                # One empty line before a request is let pass: some old clients end bodies with it (RFC 9112 2.2).
                skipped = 2 if data.startswith(b"\r\n") else 0
                at = data.find(HEAD_END, skipped) + len(HEAD_END)
                head = self._read_head(data, skipped, at)
            if head is None:
                return
            self.receiver = receiver = self.app.open(self, head)
            if head.length:
                self._body = RequestBody(head.length, self.body_limit, self.limits, time.monotonic(), self.body_hint)
        except Refusal as refusal:
            self.refuse(refusal)
            return
        self._held = b""
        if self._body is None:
            if len(data) > at:
                self._hold(data[at:])
            receiver.start(b"", True)
        else:
            self.deadline = self._body.window_end
            self._take_body(receiver, self._body, data[at:], begins=True)

    def _read_head(self, data: bytes, skipped: int, at: int) -> RequestHead | None:
        if at < len(HEAD_END):
            begun = data[skipped:]
            if begun and data != b"\r":
                check_beginning(begun, self.limits)
            if not self._held:
                self.deadline = time.monotonic() + self.limits.header_timeout_s
            self._held = data
            self.resume()
            return None
        raw = data[skipped:at]
        try:
            head = parse_request(raw, self.limits)
        except Refusal:
            # What is wrong with the bytes themselves is a better reason than what the parser made of them.
            check_beginning(raw, self.limits)
            raise
        if len(raw) <= _REMEMBERED_BYTES:
            self.known_raw, self._known_head, self.again = raw, head, None
        return head

    def _take_body(self, receiver: Receiver, body: RequestBody, data: Data, *, begins: bool = False) -> None:
        try:
            content, rest = body.take(data)
        except Refusal as refusal:
            self.refuse(refusal)
            return
        if body.complete:
            self._body = None
            self.trailers = body.trailers
            self.deadline = min(self.call_deadline, self._stalled_at)
            if self.flooding:
                self.end_flood()
            if rest:
                self._hold(rest)
        elif body.left >= FLOOD_BYTES and not self.flooding:
            self.begin_flood()
        if begins:
            receiver.start(bytes(content), body.complete)
        elif content or body.complete:
            receiver.body(content, body.complete)

    def _hold(self, data: bytes) -> None:
        self._held = data
        self.pause()

    def due(self, at: float) -> None:
        """Have the receiver's `expired` called at `at`, in monotonic seconds, unless the answer is finished before."""
        self.call_deadline = at
        if self._body is None or at < self.deadline:
            self.deadline = at

    def finish(self, now: float, keep: bool) -> None:
        """The answer is written: go on with the next request, or close when `keep` is false."""
        self.receiver, self.call_deadline = None, NEVER
        if not keep or self.app.draining:
            self._close_gently()
            return
        self.deadline = now + self.limits.idle_s
        if self._held:
            # From the loop and not from here: answering thousands of pipelined requests would recurse as deep.
            self._loop.call_soon(self._go_on)
        elif not self.reading:
            self.resume()

    def _go_on(self) -> None:
        if self.receiver is None and self.transport is not None and not self._lingering:
            data, self._held = self._held, b""
            self.resume()
            self._next(data)

    def refuse(self, refusal: Refusal) -> None:
        """Answer with why the request is not served, unless its answer has begun, and close."""
        receiver, self.receiver = self.receiver, None
        if receiver is not None and receiver.cut(refusal.status):
            self.abort()
            return
        self.write(self.app.refusal(refusal))
        self._held = b""
        self._close_gently(unread=True)

    def _close_gently(self, *, unread: bool = False) -> None:
        transport, self.again = self.transport, None
        if transport is None or transport.is_closing():
            return
        if not (unread or self._body is not None or self._held) or not transport.can_write_eof():
            transport.close()
            return
        self._lingering = True
        self._body = None
        self._held = b""
        self.deadline = time.monotonic() + self.limits.linger_s
        if self.flooding:
            self.end_flood()
        transport.write_eof()
        self.resume()

    def tunnel(self, receiver: Receiver) -> None:
        """From now on hand every byte to `receiver`, beginning with what has already come."""
        self.receiver = receiver
        self._tunnelled = True
        self.deadline = self.call_deadline = NEVER
        held, self._held = self._held, b""
        if held:
            receiver.body(held, False)
        self.resume()

    def pause_writing(self) -> None:
        """Tell the receiver that the client takes less than it is sent."""
        self.writable = False
        self._stalled_at = time.monotonic() + self.limits.send_stall_s
        self.deadline = min(self.deadline, self._stalled_at)
        if self.receiver is not None:
            self.receiver.client_pace(False)

    def resume_writing(self) -> None:
        """Tell the receiver that the client has caught up."""
        self.writable = True
        self._stalled_at = NEVER
        if self.receiver is not None:
            self.receiver.client_pace(True)

    def expired(self, now: float) -> None:
        """Act on whichever of the deadlines has passed."""
        receiver = self.receiver
        if self._stalled_at <= now:
            self.abort()
        elif receiver is None:
            self._expired_alone()
        elif self.call_deadline <= now:
            self.call_deadline = NEVER
            receiver.expired()
        else:
            window_end = NEVER
            if self._body is not None:
                try:
                    # While we are the ones who do not read, nobody can blame the client.
                    self._body.check_rate(now, blameless=not self.reading)
                except Refusal as refusal:
                    self.refuse(refusal)
                    return
                window_end = self._body.window_end
            self.deadline = min(self.call_deadline, window_end, self._stalled_at)

    def _expired_alone(self) -> None:
        if self._lingering:
            self.abort()
        elif self._held:
            self.refuse(late(self.limits.header_timeout_s))
        else:
            self.close()
