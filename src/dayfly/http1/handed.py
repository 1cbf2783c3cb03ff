"""Connections that somebody else makes for us, to where we could not connect ourselves.

A socket belongs to the network namespace it was made in, whoever holds it. So a server in a network without any way in
is reached through somebody inside, who connects to it and hands the connected socket out over a unix socket: what is
sent and read then goes through no further process.

Whoever connects to the unix socket of a `handed:PATH` address is answered `+` with the descriptor of such a socket, or
`-` and why there is none, and the connection is closed.
"""

import asyncio
import contextlib
import os
import socket

SCHEME = "handed:"
_ANSWER_BYTES = 512


async def take(path: str) -> socket.socket:
    """Return a connected socket from whoever listens at `path`. Raises OSError, BlockingIOError when its queue is full.

    The wait for the answer is the caller's to bound.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as asking:
        asking.setblocking(False)
        asking.connect(path)  # a unix socket never says that it is under way
        answer, fds = await _answer(asking)
    if answer.startswith(b"+") and len(fds) == 1:
        handed = socket.socket(fileno=fds[0])
        handed.setblocking(False)
        return handed
    for fd in fds:
        os.close(fd)
    raise ConnectionRefusedError(answer[1:].decode(errors="replace") or f"{path} handed nothing over")


async def _answer(asking: socket.socket) -> tuple[bytes, list[int]]:
    loop = asyncio.get_running_loop()
    while True:
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(asking.fileno(), _settle, readable)
        try:
            await readable
        finally:
            loop.remove_reader(asking.fileno())
        with contextlib.suppress(BlockingIOError):
            answer, fds, _flags, _address = socket.recv_fds(asking, _ANSWER_BYTES, 4, socket.MSG_CMSG_CLOEXEC)
            return answer, fds


def _settle(readable: "asyncio.Future[None]") -> None:
    if not readable.done():
        readable.set_result(None)
