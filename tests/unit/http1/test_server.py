"""A server's connection, over a real socket, with an application that does as it is told."""

import asyncio
import socket
import time

from dayfly.http1.head import RequestHead
from dayfly.http1.limits import Limits
from dayfly.http1.refusal import Refusal
from dayfly.http1.server import ServerConnection
from dayfly.http1.sweep import Sweep
from dayfly.http1.wire import Data

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Call:
    """Notes whether its deadline passed."""

    def __init__(self) -> None:
        self.has_expired = False

    def start(self, first: bytes, complete: bool, /) -> None:
        assert (first, complete) == (b"", True)

    def body(self, data: Data, complete: bool, /) -> None:
        raise AssertionError(bytes(data), complete)

    def cut(self, status: int, /) -> bool:
        del status
        return False

    def client_pace(self, writable: bool, /) -> None:
        """Nothing is paced."""

    def expired(self) -> None:
        self.has_expired = True


class App:
    """Opens a call for each request."""

    limits = Limits()
    draining = False

    def __init__(self) -> None:
        self.sweep = Sweep(asyncio.get_running_loop())
        self.calls: list[Call] = []
        self.begun = asyncio.Event()

    def made(self, connection: ServerConnection, /) -> bool:
        del connection
        return True

    def lost(self, connection: ServerConnection, /) -> None:
        """Nothing is kept."""

    def open(self, connection: ServerConnection, head: RequestHead, /) -> Call:
        del connection, head
        self.calls.append(Call())
        self.begun.set()
        return self.calls[-1]

    def refusal(self, refusal: Refusal, /) -> bytes:
        raise AssertionError(refusal)


class Repeated(Call):
    """A call that may be repeated, and is so only when that is told."""

    def repeat(self) -> None:
        raise AssertionError("repeated")


def test_what_comes_after_the_last_answer_is_answered_by_nobody() -> None:
    async def main() -> None:
        app, loop = App(), asyncio.get_running_loop()
        near, far = socket.socketpair()
        _, connection = await loop.create_connection(lambda: ServerConnection(app, loop), sock=near)
        reader, writer = await asyncio.open_connection(sock=far)
        writer.write(REQUEST + REQUEST[:4])
        await app.begun.wait()
        connection.again = Repeated()
        connection.write(ANSWER)
        connection.finish(time.monotonic(), False)
        connection.data_received(REQUEST)
        assert await reader.read() == ANSWER
        assert len(app.calls) == 1
        writer.close()
        app.sweep.close()

    asyncio.run(main())


def test_a_deadline_ends_with_the_call_that_it_was_set_for() -> None:
    async def main() -> None:
        app, loop = App(), asyncio.get_running_loop()
        near, far = socket.socketpair()
        _, connection = await loop.create_connection(lambda: ServerConnection(app, loop), sock=near)
        reader, writer = await asyncio.open_connection(sock=far)

        async def begun() -> Call:
            app.begun.clear()
            writer.write(REQUEST)
            await app.begun.wait()
            return app.calls[-1]

        now = time.monotonic()
        first = await begun()
        connection.due(now + 1)
        connection.write(ANSWER)
        connection.finish(now, keep=True)
        assert await reader.readexactly(len(ANSWER)) == ANSWER
        second = await begun()
        connection.expired(now + app.limits.idle_s + 1)
        assert (first.has_expired, second.has_expired) == (False, False), "the second call has no deadline"
        connection.due(now + 2)
        connection.expired(now + 3)
        assert second.has_expired
        app.sweep.close()
        writer.close()
        connection.abort()

    asyncio.run(main())
