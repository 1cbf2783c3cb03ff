"""What can become of a call, each told by its own word: servers that do it on purpose."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest
from chaos.generator import answer_of
from chaos.wire import Connection, Failure, Reply, request_bytes

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
REQUEST = request_bytes("POST", "/function/f", b"a-1 x", "127.0.0.1")


def exchanged(answer: bytes, *, reset: bool = False) -> Reply:
    """Exchange with a server that reads a request, sends these bytes and ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(5)
        writer.write(answer)
        await writer.drain()
        if reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    async def main() -> Reply:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        connection = Connection(1)
        try:
            await connection.open("127.0.0.1", server.sockets[0].getsockname()[1])
            return await connection.exchange(REQUEST)
        finally:
            connection.close()
            server.close()
            await server.wait_closed()

    return asyncio.run(main())


def test_a_whole_answer_is_read_with_length_chunks_and_neither() -> None:
    assert exchanged(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi") == Reply(
        200, {"content-length": "2", "x-a": "b"}, b"hi"
    )
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\nA: b\r\n\r\n"
    assert exchanged(chunked).body == b"hi"
    assert exchanged(b"HTTP/1.1 200 OK\r\n\r\nhi").body == b"hi"


@pytest.mark.parametrize(
    ("answer", "reset", "reason"),
    [
        (b"", False, "closed"),
        (b"", True, "reset"),
        (b"HTTP/1.1 20", False, "broken"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", False, "broken"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", True, "broken by a reset"),
        (b"HTTP/1.1 what\r\n\r\n", False, "unreadable ValueError"),
    ],
)
def test_what_is_no_whole_answer_has_a_reason(answer: bytes, reset: bool, reason: str) -> None:
    with pytest.raises(Failure) as failure:
        exchanged(answer, reset=reset)
    # A reset may overtake the bytes sent before it; then nothing of the answer was seen.
    assert str(failure.value) in {reason, reason.removeprefix("broken by a ")}


def test_a_port_that_nobody_listens_on_refuses() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def main() -> None:
        await Connection(1).open("127.0.0.1", port)

    with pytest.raises(Failure, match="refused"):
        asyncio.run(main())


def test_only_the_body_that_was_sent_is_a_right_answer() -> None:
    def reason(status: int, body: bytes) -> str:
        return answer_of("a-1", b"a-1 x", Reply(status, {"x-revision": "3", "x-replica": "r"}, body), 1.0).reason

    assert reason(200, b"a-1 x") == "ok"
    assert reason(200, b"a-2 x") == "wrong body"
    assert reason(500, b"oh") == "500"
    assert reason(502, b'{"code": "replica_lost", "detail": "gone"}') == "502 replica_lost"
    told = answer_of("a-1", b"x", Reply(429, {"retry-after": "1"}, b'{"code": "queue_full"}'), 1.0)
    assert (told.retry_after, told.status) == (True, 429)
