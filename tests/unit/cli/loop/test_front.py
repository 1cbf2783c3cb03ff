"""What a call's head becomes on its way from local-run's port to the gateway."""

import asyncio

import pytest

from dayfly.cli.loop.front import front, rewritten


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /function/f.ns/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        (b"GET /a?b=/c HTTP/1.1\r\n\r\n", b"GET /function/f.ns/a?b=/c HTTP/1.1\r\nConnection: close\r\n\r\n"),
        (b"GET http://h/a HTTP/1.1\r\n\r\n", b"GET /function/f.ns/a HTTP/1.1\r\nConnection: close\r\n\r\n"),
        (
            b"POST /a HTTP/1.1\r\nconnection: keep-alive\r\nA: b\r\n\r\n",
            b"POST /function/f.ns/a HTTP/1.1\r\nA: b\r\nConnection: close\r\n\r\n",
        ),
        (
            b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            b"GET /function/f.ns/ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        ),
    ],
)
def test_heads(head: bytes, expected: bytes) -> None:
    assert rewritten(head, "/function/f.ns") == expected


async def _exchange() -> tuple[bytes, bytes]:
    got = asyncio.get_running_loop().create_future()

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 X\r\n\r\n")
        got.set_result(await reader.readexactly(4))
        writer.write(b"pong")
        writer.close()

    server = await asyncio.start_server(gateway, "127.0.0.1", 0)
    async with server, front(0, server.sockets[0].getsockname()[:2], "/function/f") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 101 X\r\n\r\n"
        writer.write(b"ping")
        told = await reader.read()
        writer.close()
        return await got, told


def test_an_upgraded_connection_goes_both_ways() -> None:
    assert asyncio.run(asyncio.wait_for(_exchange(), 30)) == (b"ping", b"pong")


def test_a_port_that_is_taken_is_an_error() -> None:
    async def twice() -> None:
        async with front(0, ("127.0.0.1", 1), "/f") as port, front(port, ("127.0.0.1", 1), "/f"):
            pass

    with pytest.raises(OSError, match="address already in use"):
        asyncio.run(twice())
