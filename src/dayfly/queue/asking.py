"""Asking: one HTTP request over a unix socket, and its whole answer, for the parts of the queue that need no stream."""

import asyncio
import itertools
from collections.abc import Callable, Iterable

import msgspec

from dayfly.http1.answer import Answer
from dayfly.http1.pool import Pool
from dayfly.http1.sieve import Sieve
from dayfly.http1.upstream import UpstreamConnection
from dayfly.http1.wire import Data


class Unreached(Exception):
    """Not a byte of the request was taken by anybody."""


class Lost(Exception):
    """The request was sent, and no whole answer came; the text says why."""


class Whole(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    lines: bytes
    body: bytes
    size: int
    """Of the body, which is empty when it was larger than was asked for."""


def every_header(name: bytes) -> bool:
    """No header ends here."""
    del name
    return False


class Socket:
    """A unix socket to ask. The answers' bodies are kept up to `most` bytes."""

    def __init__(self, path: str, most: int) -> None:
        self.most = most
        self.pool = Pool(f"unix:{path}", Sieve(every_header))

    async def ask(self, head: bytes, body: bytes, method: bytes = b"POST") -> Whole:
        """Send a request and return its answer. `method` is the one that `head` has. Raises Unreached, Lost."""
        asking = _Asking(self, head, body, method)
        try:
            asking.begin()
            return await asking.answer_is
        finally:
            asking.end()

    def trim(self) -> None:
        """Close connections that nobody needed since the last call."""
        self.pool.trim()

    def close(self) -> None:
        """Close what is idle."""
        self.pool.close()


class Sockets:
    """Several sockets that are as good as each other; `found` says where they are now."""

    def __init__(self, found: Callable[[], Iterable[str]], most: int) -> None:
        self._found = found
        self._most = most
        self._sockets: dict[str, Socket] = {}
        self._turn = itertools.count()

    async def ask(self, head: bytes, body: bytes, method: bytes = b"POST") -> Whole:
        """Ask the next of them that takes the request. Raises Unreached, Lost."""
        paths = sorted(self._found())
        for path in list(self._sockets):
            if path not in paths:
                self._sockets.pop(path).close()
        turn = next(self._turn)
        for number in range(len(paths)):
            path = paths[(turn + number) % len(paths)]
            socket = self._sockets.get(path)
            if socket is None:
                socket = self._sockets[path] = Socket(path, self._most)
            try:
                return await socket.ask(head, body, method)
            except Unreached:
                continue
        raise Unreached("no gateway takes the call at the moment")

    def trim(self) -> None:
        """Close connections that nobody needed since the last call."""
        for socket in self._sockets.values():
            socket.trim()


class _Asking:
    """One request under way."""

    def __init__(self, socket: Socket, head: bytes, body: bytes, method: bytes) -> None:
        self.answer_is: asyncio.Future[Whole] = asyncio.get_running_loop().create_future()
        self._socket = socket
        self._head = head
        self._body = body
        self._method = method
        self._upstream: UpstreamConnection | None = None
        self._status = 0
        self._lines = b""
        self._parts: list[bytes] = []
        self._size = 0

    def begin(self) -> None:
        """Send the request, on an idle connection if there is one."""
        upstream = self._socket.pool.take()
        if upstream is None:
            self._socket.pool.connect(self)
        else:
            self.connected(upstream)

    def end(self) -> None:
        """Let go of a connection that is still at work for us."""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.drop()
        else:
            self._socket.pool.cancel(self)

    def connected(self, upstream: UpstreamConnection) -> None:
        """Send the request."""
        self._upstream = upstream
        upstream.begin(self, self._method)
        if not upstream.write_parts(self._head, self._body):
            self._upstream = None
            upstream.drop()
            self.begin()  # it was closed while it was idle

    def unreachable(self, fault: OSError) -> None:
        """Say that nobody listens."""
        self._fail(Unreached(fault.strerror or str(fault)))

    def interim(self, status: int, lines: bytes) -> None:
        """Nothing needs them."""

    def switched(self, upstream: UpstreamConnection, rest: bytes) -> None:
        """Refuse what nobody asked for."""
        del rest
        upstream.break_off("it switched protocols without being asked")

    def answered(self, answer: Answer, first: Data, complete: bool) -> None:
        """Take the head and what came along."""
        self._status, self._lines = answer.status, answer.lines
        self.answer(first, complete)

    def whole(self, answer: Answer, body: bytes) -> None:
        """Take a short answer that is all there."""
        self.answered(answer, body, True)

    def answer(self, data: Data, complete: bool) -> None:
        """Take more of the body."""
        self._size += len(data)
        if self._size > self._socket.most:
            self._parts.clear()
        elif data:
            self._parts.append(bytes(data))
        if complete:
            upstream, self._upstream = self._upstream, None
            if upstream is not None:
                upstream.release()
            if not self.answer_is.done():
                self.answer_is.set_result(Whole(self._status, self._lines, b"".join(self._parts), self._size))

    def upstream_lost(self, why: str, left: bool) -> None:
        """Say that no answer will come."""
        del left
        self._upstream = None
        self._fail(Lost(why))

    def upstream_pace(self, writable: bool) -> None:
        """The request was handed over whole."""

    def _fail(self, why: Exception) -> None:
        if not self.answer_is.done():
            self.answer_is.set_exception(why)
