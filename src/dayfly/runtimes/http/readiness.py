"""Whether a program takes calls yet: it must accept a connection, or answer a GET of `ready_path` with 200."""

import asyncio
import contextlib

ADDRESSES = ("127.0.0.1", "::1")
"""Where a program may listen that listens on its loopback or on everything."""
ANSWER_S = 5.0
LOOK_S = (0.002, 0.05)
"""How long between two looks, at first and at most, in seconds."""


async def listening(port: int, ready_path: str) -> str:
    """Wait until the program is ready; return the address that it listens at."""
    pause = LOOK_S[0]
    while True:
        for address in ADDRESSES:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(ANSWER_S):
                    if await _is_ready(address, port, ready_path):
                        return address
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LOOK_S[1])


async def _is_ready(address: str, port: int, ready_path: str) -> bool:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        if not ready_path:
            return True
        writer.write(f"GET {ready_path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode())
        line = await reader.readuntil(b"\n")
        return line.split(b" ", 2)[1:2] == [b"200"]
    finally:
        writer.close()
