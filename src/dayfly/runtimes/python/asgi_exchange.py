"""The ASGI protocol between the host's connection and an application, and its lifespan.

The request's body is handed over as it arrives; while more than `MAX_BUFFERED` bytes of it wait, the socket is not
read. What the application sends is written at once, and `send` waits while the caller reads too slowly.
"""

import asyncio
import collections
from typing import TYPE_CHECKING, Any

from dayfly.runtimes.python import answers, output
from dayfly.runtimes.python.calls import Context, Request, split_target
from dayfly.runtimes.python.failures import failure
from dayfly.runtimes.python.handler import Application, Message

if TYPE_CHECKING:
    from dayfly.runtimes.python.connection import Connection

MAX_BUFFERED = 256 * 1024
_VERSIONS = {"version": "3.0", "spec_version": "2.3"}


class Exchange:
    """One request and its answer."""

    def __init__(
        self,
        application: Application,
        connection: "Connection",
        request: Request,
        context: Context,
        lifespan: "Lifespan | None",
    ) -> None:
        self._application = application
        self._connection = connection
        self._request = request
        self._context = context
        self._lifespan = lifespan
        self._body: collections.deque[bytes] = collections.deque()
        self._buffered = 0
        self._body_over = False
        self._gone = False
        self._arrived = asyncio.Event()
        self._start: Message | None = None
        self._head_sent = False
        self._chunked = False
        self._over = False

    @property
    def has_begun(self) -> bool:
        """Whether a part of the answer is written."""
        return self._head_sent

    def body_received(self, data: bytes) -> None:
        """Take a part of the request's body."""
        self._body.append(data)
        self._buffered += len(data)
        if self._buffered > MAX_BUFFERED:
            self._connection.transport.pause_reading()
        self._arrived.set()

    def body_ended(self) -> None:
        """Note that the request's body is whole."""
        self._body_over = True
        self._arrived.set()

    def disconnected(self) -> None:
        """Note that the caller is gone."""
        self._gone = True
        self._arrived.set()

    async def run(self) -> None:
        """Call the application and see that the caller gets an end of some kind."""
        output.current.set(self._context)
        try:
            await self._application(self._scope(), self._receive, self._send)
            if not self._over and not self._gone:
                raise RuntimeError("the application returned before its answer was whole")
        except asyncio.CancelledError:
            self._connection.done(False)
            if not self._gone:
                raise
        except BaseException as error:  # whatever somebody's application raises is an answer to give
            self._fail(error)
        else:
            self._connection.done(self._request.keep_alive and self._body_over)
        finally:
            if self._context.partial:
                output.end_call(self._context)

    def _scope(self) -> Message:
        raw_path, _, query = self._request.target.partition(b"?")
        host = self._request.header(b"host").decode("latin-1")
        name, _, port = host.partition(":")
        scope: Message = {
            "type": "http",
            "asgi": _VERSIONS,
            "http_version": "1.1",
            "method": self._request.verb.decode("ascii"),
            "scheme": self._request.header(b"x-forwarded-proto").decode("latin-1") or "http",
            "path": split_target(self._request.target)[0],
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": [(key.lower(), value) for key, value in self._request.lines],
            "client": (self._request.header(b"x-forwarded-for").decode("latin-1").split(",")[0].strip(), 0),
            "server": (name, int(port) if port.isdigit() else 80),
        }
        if self._lifespan is not None and self._lifespan.state is not None:
            scope["state"] = self._lifespan.state.copy()
        return scope

    async def _receive(self) -> Message:
        while not self._body and not self._gone:
            if self._body_over and self._body_over_told:
                self._arrived.clear()
            elif self._body_over:
                break
            else:
                self._arrived.clear()
            await self._arrived.wait()
        if self._gone:
            return {"type": "http.disconnect"}
        data = b"".join(self._body)
        self._body.clear()
        if self._buffered > MAX_BUFFERED:
            self._connection.transport.resume_reading()
        self._buffered = 0
        self._body_over_told = self._body_over
        return {"type": "http.request", "body": data, "more_body": not self._body_over}

    _body_over_told = False

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" and self._start is None:
            self._start = message
        elif kind == "http.response.body" and self._start is not None and not self._over:
            self._write(bytes(message.get("body", b"")), more=bool(message.get("more_body", False)))
            if not self._over and not self._gone:
                await self._connection.drained()
        else:
            raise RuntimeError(f"the application sent {kind!r} where the protocol does not allow it")

    def _write(self, body: bytes, *, more: bool) -> None:
        self._over = not more
        if self._connection.closed:
            return
        write = self._connection.transport.write
        silent = self._request.verb == b"HEAD"
        data = b"" if silent else body
        if not self._head_sent:
            self._head_sent = True
            head = self._head(None if more else len(body))
            self._connection.transport.write(head + (_chunk(data) if self._chunked else data))
        elif data:
            write(_chunk(data) if self._chunked else data)
        if self._over and self._chunked and not silent:
            write(b"0\r\n\r\n")

    def _head(self, length: int | None) -> bytes:
        assert self._start is not None
        status = int(self._start["status"])
        lines, sized = [], False
        for name, value in self._start.get("headers", ()):
            lower = bytes(name).lower()
            sized = sized or lower == b"content-length"
            if lower not in (b"connection", b"transfer-encoding", b"keep-alive"):
                lines.append(_header(bytes(name), bytes(value)))
        if not sized and status not in (204, 304):
            self._chunked = length is None
            lines.append(b"transfer-encoding: chunked\r\n" if length is None else b"content-length: %d\r\n" % length)
        if not self._request.keep_alive:
            lines.append(b"connection: close\r\n")
        return answers.status_line(status) + b"".join(lines) + b"\r\n"

    def _fail(self, error: BaseException) -> None:
        reply = failure(error, self._request, self._context)
        if self._head_sent:
            self._connection.fail_stream()
        else:
            self._connection.finish(self._request, reply)


class Lifespan:
    """Startup and shutdown of an application; one that does not speak of it is taken as started."""

    def __init__(self, application: Application) -> None:
        self.state: dict[str, Any] | None = {}
        self._application = application
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Start the application. Raises RuntimeError when it says that it failed."""
        scope = {"type": "lifespan", "asgi": _VERSIONS, "state": self.state}
        self._task = asyncio.get_running_loop().create_task(self._run(scope))
        await self._say("startup")

    async def shutdown(self) -> None:
        """Let the application clean up."""
        if self._task is not None and not self._task.done():
            try:
                await self._say("shutdown")
            except RuntimeError as error:
                output.LogPipe(1).line("p", "", str(error))

    async def _say(self, what: str) -> None:
        assert self._task is not None
        await self._inbox.put({"type": f"lifespan.{what}"})
        answer = asyncio.ensure_future(self._outbox.get())
        await asyncio.wait((answer, self._task), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():  # it ended or raised without a word: it does not support lifespans
            answer.cancel()
            return
        message = answer.result()
        if message["type"] == f"lifespan.{what}.failed":
            raise RuntimeError(f"lifespan {what} failed: {message.get('message', '')}")

    async def _run(self, scope: Message) -> None:
        try:
            await self._application(scope, self._inbox.get, self._outbox.put)
        except Exception:  # the protocol's way to say "I have no lifespan"
            self.state = None


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


def _header(name: bytes, value: bytes) -> bytes:
    if any(mark in value or mark in name for mark in (b"\r", b"\n", b"\0")):
        raise ValueError(f"the header {name[:80]!r} holds a line break or NUL")
    return name + b": " + value + b"\r\n"
