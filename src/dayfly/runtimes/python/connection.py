"""One connection from a gateway: bytes in, requests to the host; answers out in the order the requests came.

A body is collected before a plain handler is called; an ASGI application gets it as it comes, with the socket no longer
read while too much is waiting. Answers are one write where they can be. The connection is read throughout a call, so
that a caller who goes away is noticed while the call still runs.
"""

import asyncio
import collections
from typing import TYPE_CHECKING

import httptools

from dayfly.runtimes.python import answers
from dayfly.runtimes.python.answers import Answer
from dayfly.runtimes.python.calls import Event, RawHeaders, Request, is_probe
from dayfly.runtimes.python.repeated import REMEMBERED_BYTES, Beginning, beginning_of, worth_remembering

if TYPE_CHECKING:
    from dayfly.runtimes.python.asgi_exchange import Exchange
    from dayfly.runtimes.python.host import Host

MAX_PIPELINED = 16


class Connection(asyncio.Protocol):
    """Parses requests and writes answers; the host does what lies between."""

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: RawHeaders = []
        self._body: list[bytes] = []
        self._waiting: collections.deque[Request | Exchange] = collections.deque()
        self._writable: asyncio.Future[None] | None = None
        self._paused = False
        self._midway = False
        self._keep_open = True
        self._beginning: Beginning | None = None
        self._misses = 0
        self._whole = b""
        """What was read, as long as it may be one whole request that will be worth remembering."""
        self.transport: asyncio.Transport
        self.task: asyncio.Task[None] | None = None
        self.busy = False
        self.began = float("inf")
        """When its call began, by the monotonic clock."""
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the host's connections."""
        self.transport = transport  # type: ignore[assignment]  # uvloop's transport is no asyncio.Transport by name
        self._host.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is no HTTP ends the connection, the gateway never sends such a thing."""
        beginning = self._beginning
        between = not (self.busy or self._midway or self._waiting)
        if beginning is not None and between and data.startswith(beginning.start):
            event = beginning.again(data, not self._host.draining)
            if event is not None:
                self._misses = 0
                self._host.begin(self, event)
                return
        self._whole = b""
        if between:
            self._misses = misses = self._misses + 1
            if worth_remembering(misses) and len(data) <= REMEMBERED_BYTES:
                self._whole = data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # not spoken here: answered as an ordinary request, and that was all
            self._keep_open = False
            if not self.busy:
                self.transport.close()
        except httptools.HttpParserError as error:
            reply = answers.problem(400, "invalid_request", f"this is no HTTP/1.1 request: {error}", "")
            self.transport.write(answers.whole(reply, _bytes(reply), keep_alive=False, head_only=False))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason changes nothing
        """Cancel what still works for a caller who is gone."""
        self.closed = True
        self._host.connections.discard(self)
        self._waiting.clear()
        if self.busy:
            self._host.deadline.abandoned.add(self)
        if self.task is not None:
            self.task.cancel()
        self.resume_writing()

    def pause_writing(self) -> None:
        """Streams wait from now on."""
        self._paused = True

    def resume_writing(self) -> None:
        """Streams go on."""
        self._paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    async def drained(self) -> None:
        """Wait until more may be written. Raises ConnectionError when the caller is gone."""
        if self._paused and not self.closed:
            if self._writable is None:
                self._writable = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._writable)
        if self.closed:
            raise ConnectionResetError("the caller is gone")

    def is_idle(self) -> bool:
        """Whether nothing of a request has come and nothing of an answer is left to go."""
        return not (self.busy or self._midway or self.closed or self._waiting) and not (
            self.transport.is_closing() or self.transport.get_write_buffer_size()
        )

    def given_back(self, keep_alive: bool) -> None:
        """Go on after a thread has served a request on the socket (see rescue.py)."""
        if not self.closed and not self.transport.is_closing():
            self.transport.resume_reading()
        self.done(keep_alive)

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._url = b""
        self._headers = []
        self._body = []
        self._midway = True

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer, which an application never sees."""
        self._headers.append((name, value))

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Hand the request on."""
        self._midway = False
        request = self._request()
        if self._whole:
            self._beginning = beginning_of(self._whole, request)
            self._whole = b""
        if self.busy or self._waiting:
            self._enqueue(request)
        else:
            self._host.begin(self, request)

    def _request(self) -> Event:
        body, parser = self._body, self._parser
        return Event(
            parser.get_method(),
            self._url,
            self._headers,
            b"" if not body else body[0] if len(body) == 1 else b"".join(body),
            parser.should_keep_alive() and not self._host.draining,
        )

    def _enqueue(self, item: "Request | Exchange") -> None:
        self._waiting.append(item)
        if len(self._waiting) > MAX_PIPELINED:
            self.transport.abort()
        elif not self.busy:
            self._next()

    def _next(self) -> None:
        if self._waiting and not self.closed:
            item = self._waiting.popleft()
            if isinstance(item, Request):
                self._host.begin(self, item)
            else:
                self._host.run(self, item)

    # What the host calls.

    def finish(self, request: Request, reply: Answer | bytes) -> None:
        """Write a whole answer, or one that is already as it goes over the wire, and take the next request."""
        if not self.closed:
            if type(reply) is not bytes:
                assert isinstance(reply, Answer)
                keep_alive, head_only = request.keep_alive, request.verb == b"HEAD"
                reply = answers.whole(reply, _bytes(reply), keep_alive=keep_alive, head_only=head_only)
            self.transport.write(reply)
        self.done(request.keep_alive)

    def begin_stream(self, request: Request, reply: Answer) -> None:
        """Write the head of a chunked answer, or with HTTP/1.0 of one that ends with the connection."""
        if not self.closed:
            self.transport.write(answers.head(reply, length=None, keep_alive=request.keep_alive))

    def chunk(self, data: bytes) -> None:
        """Write one chunk; an empty one is left out, it would mean the end."""
        if data and not self.closed:
            self.transport.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end_stream(self, request: Request) -> None:
        """End a chunked answer."""
        if not self.closed:
            self.transport.write(b"0\r\n\r\n")
        self.done(request.keep_alive)

    def fail_stream(self) -> None:
        """Cut an answer short so that the caller sees that it is not whole."""
        if not self.closed:
            self.transport.abort()
        self.done(False)

    def done(self, keep_alive: bool) -> None:
        """Be ready for the next request, or close."""
        self.busy = False
        self.task = None
        if self.closed:
            self._host.deadline.abandoned.discard(self)
        if not (keep_alive and self._keep_open) and not self.closed:
            self.transport.close()
        if self._host.draining:
            self._host.call_ended()
        if self._waiting:
            self._next()


class StreamedConnection(Connection):
    """A connection of an ASGI application, which gets a request before its body is there."""

    def __init__(self, host: "Host") -> None:
        super().__init__(host)
        self._incoming: Exchange | None = None

    def on_headers_complete(self) -> None:
        """Hand the request on."""
        self._incoming = None
        if not is_probe(self._url):
            self._incoming = self._host.exchange(self, self._request())
            self._enqueue(self._incoming)

    def on_body(self, data: bytes) -> None:
        """Pass on a part of the body."""
        if self._incoming is not None:
            self._incoming.body_received(data)

    def on_message_complete(self) -> None:
        """Note the body's end; a probe is answered now."""
        if self._incoming is None:
            super().on_message_complete()
        else:
            self._midway = False
            self._incoming.body_ended()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the exchange that is being received, too."""
        if self._incoming is not None:
            self._incoming.disconnected()
        super().connection_lost(exc)


def _bytes(reply: Answer) -> bytes:
    assert isinstance(reply.body, (bytes, bytearray))
    return bytes(reply.body)
