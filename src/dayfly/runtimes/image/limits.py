"""What the gateway does around a replica elsewhere, done by the host itself inside an image.

    max_inflight    a call beyond so many is refused with 429
    exec_timeout    a call that lasts longer is answered with 504; should it go on, deadline.py ends the process

Texts and headers are those of OpenFaaS's watchdog, as of the gateway (gateway/refusals.py). A plain handler that holds
the event loop keeps it from answering: then a thread writes to the caller's socket, which is shut afterwards.
"""

import asyncio
import contextlib
import os
import socket
import threading
import time

from dayfly.model.replica import StartOrder
from dayfly.runtimes.image.settings import UNLIMITED_S
from dayfly.runtimes.python import answers
from dayfly.runtimes.python.answers import Answer
from dayfly.runtimes.python.asgi_exchange import Exchange
from dayfly.runtimes.python.calls import Request, is_probe
from dayfly.runtimes.python.connection import Connection, StreamedConnection
from dayfly.runtimes.python.handler import Handler
from dayfly.runtimes.python.host import Host

_LOOK_S = 0.1


class Limited(Connection):
    """A connection whose call can be answered before it is over."""

    _host: "LimitedHost"
    begun = False
    """Whether a part of the answer to the call at hand is written."""
    exchange: Exchange | None = None

    def begin_stream(self, request: Request, reply: Answer) -> None:
        """As for every connection."""
        self.begun = True
        super().begin_stream(request, reply)

    def finish(self, request: Request, reply: Answer | bytes) -> None:
        """As for every connection, unless the call was answered meanwhile."""
        with self._host.answering:
            super().finish(request, reply)

    def done(self, keep_alive: bool) -> None:
        """As for every connection."""
        self.begun, self.exchange, self.began = False, None, float("inf")
        super().done(keep_alive)

    def time_out(self, late: bytes) -> None:
        """Answer the call at hand, on the loop; one whose answer has begun is cut short."""
        with self._host.answering:
            self.closed = True
        if self.begun or (self.exchange is not None and self.exchange.has_begun):
            self.transport.abort()
        else:
            self.transport.write(late)
            self.transport.close()

    def time_out_beside_the_loop(self, late: bytes) -> None:
        """Answer the call at hand, which holds the loop, from a thread."""
        with self._host.answering, contextlib.suppress(OSError):
            if self.busy and not self.closed:
                self.closed = True
                with socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno())) as sock:
                    sock.send(late)
                    sock.shutdown(socket.SHUT_RDWR)


class LimitedStreamed(Limited, StreamedConnection):
    """The same for an ASGI application."""


class LimitedHost(Host):
    """A host that minds both limits."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handler: Handler, order: StartOrder) -> None:
        super().__init__(loop, handler, order)
        self.answering = threading.RLock()
        """Held by whoever decides that a call is answered."""
        self._most = order.max_inflight
        self._timeout_s = order.timeout_s
        self._late, self._refusal = _late(order), _refusal(order.max_inflight)
        self._has_end = order.timeout_s < UNLIMITED_S
        self._is_timed = False
        self._holding: Limited | None = None
        """Whose call runs on the loop now."""
        self._beside = 0
        self._watched = threading.Event()
        if self._has_end and handler.kind == "sync" and self._pinned != "threads":
            threading.Thread(target=self._watch, name="dayfly-late", daemon=True).start()

    def connection(self) -> Connection:
        """Return the protocol for a new connection."""
        return Limited(self) if self.application is None else LimitedStreamed(self)

    def begin(self, connection: Connection, request: Request) -> None:
        """Run one call, or refuse it."""
        if not (request.target.startswith(b"/_/") and is_probe(request.target)):
            if self._most and self._running() >= self._most:
                connection.finish(request, self._refusal)
                return
            self._attend()
        super().begin(connection, request)

    def run(self, connection: Connection, exchange: Exchange) -> None:
        """Run an ASGI exchange, or refuse it; of a body that still comes nothing is read then."""
        if self._most and self._running() >= self._most:
            body = self._refusal.body
            assert isinstance(body, bytes)
            connection.transport.write(answers.whole(self._refusal, body, keep_alive=False, head_only=False))
            connection.transport.close()
            return
        self._attend()
        assert isinstance(connection, Limited)
        connection.exchange = exchange
        super().run(connection, exchange)

    def beside_the_loop(self, request: Request) -> Answer | bytes:
        """Answer a request while another holds the loop, or refuse it."""
        if is_probe(request.target):
            return super().beside_the_loop(request)
        with self.answering:
            if self._most and max(1 + self._beside, self._running() - 1) >= self._most:
                return self._refusal
            self._beside += 1
        try:
            return super().beside_the_loop(request)
        finally:
            with self.answering:
                self._beside -= 1

    def _run_inline(self, connection: Connection, request: Request) -> None:
        assert isinstance(connection, Limited)
        self._holding = connection
        super()._run_inline(connection, request)
        self._holding = None

    def _running(self) -> int:
        """How many calls are at hand, those included whose caller has gone."""
        return sum(each.busy for each in list(self.connections)) + len(self.deadline.abandoned)

    def _attend(self) -> None:
        if self._has_end and not self._is_timed:
            self._is_timed = True
            self._watched.set()
            self._loop.call_later(self._timeout_s, self._look)

    def _look(self) -> None:
        """Answer the calls whose time is over, and come back when the next one's is."""
        now = time.monotonic()
        for each in list(self.connections):
            if each.busy and not each.closed and now >= each.began + self._timeout_s and isinstance(each, Limited):
                each.time_out(self._late)
        left = [each.began for each in self.connections if each.busy and not each.closed]
        if left:
            wait = min(min(left) + self._timeout_s - now, self._timeout_s)
            self._loop.call_later(max(wait, 0.001), self._look)
        else:
            self._is_timed = False
            self._watched.clear()

    def _watch(self) -> None:
        while self._watched.wait():
            time.sleep(_LOOK_S)
            held, rescue = self._holding, self._rescue
            since = rescue.since if rescue is not None else 0.0
            if held is not None and since and time.monotonic() >= since + self._timeout_s and held is self._holding:
                held.time_out_beside_the_loop(self._late)


def _refusal(most: int) -> Answer:
    told = b"x-openfaas-internal: faas-middleware\r\nretry-after: 1\r\n"
    text = f"Concurrent request limit exceeded. Max concurrent requests: {most}\n"
    return Answer(429, b"text/plain", text.encode(), told)


def _late(order: StartOrder) -> bytes:
    detail = f"{order.key.name} did not answer within its timeout of {order.timeout_s:g} s (exec_timeout)."
    reply = answers.problem(504, "timeout", detail, "")._replace(headers=b"x-openfaas-internal: of-watchdog\r\n")
    body = reply.body
    assert isinstance(body, bytes)
    return answers.whole(reply, body, keep_alive=False, head_only=False)
