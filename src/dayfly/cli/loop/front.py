"""A port of this machine at which one function is called as if it were all there is, for `dayfly local-run`.

A call is passed on to the gateway with the function's path put before its own; everything behind its head goes through
as it comes, both ways, streams and upgraded connections too. A connection carries one call.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

HOST = "127.0.0.1"
_MAX_HEAD = 64 * 1024
_PIECE = 64 * 1024


@contextlib.asynccontextmanager
async def front(port: int, gateway: tuple[str, int], path: str) -> AsyncIterator[int]:
    """Serve at this port of the loopback address while the block runs, and yield it; 0 takes a free one.

    `path` is the function's at the gateway. Raises OSError when the port is taken.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = rewritten(await reader.readuntil(b"\r\n\r\n"), path)
            their_reader, their_writer = await asyncio.open_connection(*gateway)
            their_writer.write(head)
            await _both(reader, their_writer, their_reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, HOST, port, limit=_MAX_HEAD)
    async with server:
        yield server.sockets[0].getsockname()[1]


def rewritten(head: bytes, path: str) -> bytes:
    """Return a request's head as the gateway is to get it: for this path, and for one call unless it is an upgrade."""
    line, _, rest = head.partition(b"\r\n")
    method, _, target = line.partition(b" ")
    # Proxies' clients name the whole URL; of that only what is behind the host counts here.
    if target[:1] != b"/":
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    fields = rest.removesuffix(b"\r\n\r\n").split(b"\r\n")
    is_upgrade = any(field.lower().startswith(b"upgrade:") for field in fields)
    if not is_upgrade:
        fields = [field for field in fields if field and not field.lower().startswith(b"connection:")]
        fields.append(b"Connection: close")
    return b"\r\n".join([b"%s %s%s" % (method, path.encode(), target), *fields, b"", b""])


async def _both(
    ours: asyncio.StreamReader,
    to_them: asyncio.StreamWriter,
    theirs: asyncio.StreamReader,
    to_us: asyncio.StreamWriter,
) -> None:
    """Pass on until the answer has ended; what is still being sent then is of no use to anybody."""
    sending = asyncio.ensure_future(_pass(ours, to_them))
    try:
        await _pass(theirs, to_us)
    finally:
        sending.cancel()
        to_them.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
