"""A replica's server: requests from connections to the author's handler, answers back.

Plain functions run where decide/inlining says; coroutine functions and ASGI applications run as tasks on the loop, and
are cancelled when the caller goes away. A generator is run on a thread, piece by piece, no faster than the caller
reads. `/_/health` and `/_/ready` are answered here and never reach the handler.

A drain (the zygote says so, or hangs up) finishes the calls at hand: for a moment requests already under way to us are
still taken, then idle connections and the socket close, and the process ends with the last call.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from dayfly.decide.inlining import QUICK_S, Inlining, after_inline, after_thread
from dayfly.model.replica import StartOrder
from dayfly.runtimes.python import answers, family, output
from dayfly.runtimes.python.answers import Answer, quick
from dayfly.runtimes.python.asgi_exchange import Exchange, Lifespan
from dayfly.runtimes.python.calls import Context, Facts, Request, is_probe
from dayfly.runtimes.python.connection import Connection, StreamedConnection
from dayfly.runtimes.python.deadline import Deadline
from dayfly.runtimes.python.failures import failure, print_traceback
from dayfly.runtimes.python.handler import Handler
from dayfly.runtimes.python.rescue import STALL_S, Rescue
from dayfly.runtimes.python.streams import Pump
from dayfly.runtimes.python.threads import MAX_THREADS, Threads

_set_current = output.current.set

MEASURED_S = 0.001
"""Once a call has taken so long, the next one's processor time is told: to ask for it takes microseconds."""
LINGER_S = 0.05
"""How long a draining replica still takes requests that were sent before it was taken out of the routing table."""


class Host:
    """One handler, its connections and where its calls run."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handler: Handler, order: StartOrder) -> None:
        self.connections: set[Connection] = set()
        self.draining = False
        self.application = handler.application
        self.deadline = Deadline(loop, order.timeout_s)
        self._loop = loop
        self._handler = handler
        self._facts = Facts(order)
        self._invoke = handler.invoke
        self._quick = handler.answer is answers.answer
        self._pinned = order.concurrency if handler.kind == "sync" else "threads"
        self._inlining = Inlining(inline=self._pinned == "inline")
        self._inline = self._inlining.inline
        self._threads = Threads(loop, order.max_inflight or MAX_THREADS)
        self._lifespan = Lifespan(handler.application) if handler.application is not None else None
        self._ended = asyncio.Event()
        self._is_measured = False
        self._rescue: Rescue | None = None
        self._listener = -1
        self._adoptions: set[asyncio.Task[Any]] = set()

    async def serve(self, replica: str, sock: socket.socket, channel: socket.socket) -> int:
        """Serve calls on the listening `sock` until drained; return the exit code."""
        self._facts.hostname = replica
        self._listener = sock.fileno()
        if self._lifespan is not None:
            try:
                await self._lifespan.startup()
            except Exception as error:  # the application refused to start: the author's to mend
                print_traceback(error, self._facts)
                output.LogPipe(1).line("x", "", f"the application did not start: {error}")
                channel.send(family.REPLICA_FAILED)
                return 1
        listen = self._loop.create_unix_server if sock.family == socket.AF_UNIX else self._loop.create_server
        server = await listen(self.connection, sock=sock, backlog=1024)
        channel.setblocking(False)
        self._loop.add_reader(channel.fileno(), self._told, channel)
        if self._lifespan is not None:
            with contextlib.suppress(BrokenPipeError):  # the zygote is gone, and we with it
                channel.send(family.REPLICA_READY)
        await self._ended.wait()
        self._loop.remove_reader(channel.fileno())
        server.close()
        await asyncio.sleep(0)  # a connection that was accepted beside the loop just now is one of ours
        if self._adoptions:
            await asyncio.wait(self._adoptions)
        if self._lifespan is not None:
            await self._lifespan.shutdown()
        return 0

    async def rehearse(self) -> None:
        """Answer a probe of our own, so that the first call finds nothing that still has to be set up."""
        near, far = socket.socketpair()
        self._threads.warm()
        with near:
            near.setblocking(False)
            await self._loop.connect_accepted_socket(self.connection, far)
            await self._loop.sock_sendall(near, b"GET /_/health HTTP/1.1\r\nhost: dayfly\r\n\r\n")
            await self._loop.sock_recv(near, 4096)

    def connection(self) -> Connection:
        """Return the protocol for a new connection."""
        return Connection(self) if self.application is None else StreamedConnection(self)

    def begin(self, connection: Connection, request: Request) -> None:
        """Run one call."""
        if request.target.startswith(b"/_/") and (probe := self._probe(request)) is not None:
            connection.finish(request, probe)
            return
        connection.busy = True
        if not self.deadline.awake:
            self.deadline.wake(self.connections)
        if self._inline:
            self._run_inline(connection, request)
            return
        connection.began = time.monotonic()
        context = Context(self._facts, request, connection.began)
        if self._handler.kind == "async":
            connection.task = self._loop.create_task(self._await(connection, request, context))
        else:
            self._threads.submit(lambda: self._run_on_thread(connection, request, context))

    def exchange(self, connection: Connection, request: Request) -> Exchange:
        """Return the exchange that an ASGI application gets for `request`."""
        assert self.application is not None
        return Exchange(
            self.application, connection, request, Context(self._facts, request, time.monotonic()), self._lifespan
        )

    def run(self, connection: Connection, exchange: Exchange) -> None:
        """Run an ASGI exchange."""
        connection.busy = True
        connection.began = time.monotonic()
        if not self.deadline.awake:
            self.deadline.wake(self.connections)
        connection.task = self._loop.create_task(exchange.run())

    def beside_the_loop(self, request: Request) -> Answer | bytes:
        """Answer a request on a thread, without the loop (see rescue.py)."""
        probe = self._probe(request)
        if probe is not None:
            return probe
        context = Context(self._facts, request, time.monotonic())
        output.current.set(context)
        return self._call(request, context)

    def pieces_beside_the_loop(self, pieces: Iterator[Any] | AsyncIterator[Any]) -> Iterator[Any]:
        """Return a stream's pieces on a thread; those of an async iterator come when the loop is free again."""
        if isinstance(pieces, Iterator):
            yield from pieces
            return
        with contextlib.suppress(StopAsyncIteration):
            while True:
                yield asyncio.run_coroutine_threadsafe(_next_of(pieces), self._loop).result()

    def log_failure(self, error: BaseException) -> None:
        """Log what the author's code raised while its answer was under way."""
        print_traceback(error, self._facts)

    def call_soon(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Have the loop call back; from any thread."""
        self._loop.call_soon_threadsafe(callback, *arguments)

    def adopt(self, sock: socket.socket) -> None:
        """Serve a connection that was accepted beside the loop."""
        task = self._loop.create_task(self._loop.connect_accepted_socket(self.connection, sock))
        self._adoptions.add(task)
        task.add_done_callback(self._adoptions.discard)

    def call_ended(self) -> None:
        """End the replica after its last call when it is draining."""
        if self.draining and not any(connection.busy for connection in self.connections):
            self._loop.call_later(0, self._end_if_idle)

    def _probe(self, request: Request) -> Answer | None:
        if not is_probe(request.target):
            return None
        if self.draining and request.target.startswith(b"/_/ready"):
            return Answer(503, answers.TEXT, b"draining")
        return Answer(200, answers.TEXT, b"OK")

    def _run_inline(self, connection: Connection, request: Request) -> None:
        rescue = self._rescue
        if rescue is None:
            rescue = self._rescue = Rescue(self, self._listener, probes_only=self._pinned == "inline")
        rescue.since = connection.began = began = time.monotonic()
        if not rescue.awake:
            rescue.arm()
        context = Context(self._facts, request, began)
        _set_current(context)
        reply = self._call(request, context)
        _set_current(None)
        rescue.since = 0.0
        took = time.monotonic() - began
        self._is_measured = took > MEASURED_S
        if took > QUICK_S:
            if took > STALL_S / 2:
                rescue.over()
            if self._pinned == "auto":
                self._inlining = after_inline(self._inlining, took, began + took)
                self._inline = self._inlining.inline
        if type(reply) is bytes:
            connection.finish(request, reply)
        else:
            self._reply(connection, request, context, reply)

    def _run_on_thread(self, connection: Connection, request: Request, context: Context) -> Callable[[], None]:
        _set_current(context)
        began = time.monotonic()
        reply = self._call(request, context)
        took = time.monotonic() - began
        self._is_measured = took > MEASURED_S
        _set_current(None)
        return lambda: self._back_from_thread(connection, request, context, reply, took)

    def _back_from_thread(
        self, connection: Connection, request: Request, context: Context, reply: Answer | bytes, took: float
    ) -> None:
        if self._pinned == "auto":
            self._inlining = after_thread(self._inlining, took, time.monotonic())
            self._inline = self._inlining.inline
        self._reply(connection, request, context, reply)

    def _reply(self, connection: Connection, request: Request, context: Context, reply: Answer | bytes) -> None:
        if isinstance(reply, bytes) or type(reply.body) is bytes:
            connection.finish(request, reply)
        else:
            self._stream(connection, request, context, reply)

    def _call(self, request: Request, context: Context) -> Answer | bytes:
        """Call a plain handler; whatever it raises becomes an answer. Bytes are a whole answer for the wire."""
        cpu_s = time.thread_time() if self._is_measured else -1.0
        try:
            result = self._invoke(request, context)
            reply: Answer | bytes | None = None
            if self._quick and request.keep_alive and request.verb != b"HEAD":
                reply = quick(result)
            if reply is None:
                reply = self._handler.answer(result)
        except BaseException as error:  # SystemExit too: a call may not end its replica
            reply = failure(error, request, context)
        if context.partial:
            output.end_call(context)
        return answers.with_used(reply, time.thread_time() - cpu_s) if cpu_s >= 0 else reply

    async def _await(self, connection: Connection, request: Request, context: Context) -> None:
        output.current.set(context)
        try:
            reply = self._handler.answer(await self._handler.invoke(request, context))
        except asyncio.CancelledError:
            if connection.closed:
                connection.done(False)
                raise
            reply = failure(asyncio.CancelledError("the handler cancelled itself"), request, context)
        except BaseException as error:  # as in _call
            reply = failure(error, request, context)
        if context.partial:
            output.end_call(context)
        if isinstance(reply.body, bytes):
            connection.finish(request, reply)
        else:
            await Pump(connection, request, context, reply).run()

    def _stream(self, connection: Connection, request: Request, context: Context, reply: Answer) -> None:
        pump = Pump(connection, request, context, reply)
        if isinstance(reply.body, AsyncIterator):
            connection.task = self._loop.create_task(pump.run())
        else:
            self._threads.submit(lambda: pump.run_on_thread(self._loop))

    def _told(self, channel: socket.socket) -> None:
        try:
            said = channel.recv(64)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:  # the zygote is gone or has given us up
            self._loop.remove_reader(channel.fileno())
            self._ended.set()
        elif not self.draining:
            self.draining = True
            self._loop.call_later(LINGER_S, self._end_if_idle)

    def _end_if_idle(self) -> None:
        idle = [connection for connection in self.connections if not connection.busy]
        if len(idle) == len(self.connections):
            self._ended.set()
        for connection in idle:
            connection.transport.close()


async def _next_of(pieces: AsyncIterator[Any]) -> Any:
    return await anext(pieces)
