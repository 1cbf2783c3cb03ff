"""Our side of a porter: what is asked of it, and a function that is asked whether it serves, through it.

OpenFaaS's watchdogs answer at `/_/health`. A program without one that takes HTTP at all serves too: whatever it answers
there, but for 503, is good. Where the function's author named a path of its own, that must answer well.
"""

import asyncio
import contextlib
import os
import socket
from pathlib import Path

from dayfly.http1 import handed
from dayfly.model.errors import Unavailable

HEALTH_PATH = "/_/health"
APPEAR_S = 20.0
"""How long a porter may take to listen."""
ANSWER_S = 5.0
_EVERY_S = 0.01
_PROBE_EVERY_S = (0.01, 0.02, 0.04, 0.08, 0.15)
_MAX_LISTENERS = 64
_MAX_LINE = 4_096


async def listeners(path: Path) -> list[int]:
    """Return the descriptors of the sockets that the porter listens at, once it does. Raises Unavailable."""
    try:
        async with asyncio.timeout(APPEAR_S):
            while True:
                with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                    return await asyncio.to_thread(_ask, str(path))
                await asyncio.sleep(_EVERY_S)
    except TimeoutError:
        raise Unavailable(f"the porter of a container did not listen within {APPEAR_S:g}s") from None
    except OSError as error:
        raise Unavailable(f"the porter of a container does not answer: {error}") from error


async def until_ready(entry: Path, health_path: str) -> None:
    """Return once the function serves. Raises OSError when the porter itself is gone."""
    attempt = 0
    while not await _is_ready(entry, health_path):
        await asyncio.sleep(_PROBE_EVERY_S[min(attempt, len(_PROBE_EVERY_S) - 1)])
        attempt += 1


async def _is_ready(entry: Path, health_path: str) -> bool:
    try:
        async with asyncio.timeout(ANSWER_S):
            status = await _status(entry, health_path or HEALTH_PATH)
    except ConnectionRefusedError as error:
        if error.errno is not None:  # by the kernel, for the porter is gone; its own words bear no number
            raise
        return False
    except (ConnectionError, TimeoutError):
        return False
    return 200 <= status < 400 if health_path else status not in (0, 503)


async def _status(entry: Path, target: str) -> int:
    """Return the status that a GET is answered with, 0 for what is no HTTP."""
    reader, writer = await asyncio.open_connection(sock=await handed.take(str(entry)), limit=_MAX_LINE)
    try:
        writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("ascii"))
        line = await reader.readline()
    except (ValueError, ConnectionError):
        return 0
    finally:
        writer.close()
    parts = line.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[0].startswith(b"HTTP/1.") and parts[1].isdigit() else 0


def _ask(path: str) -> list[int]:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(ANSWER_S)
        asking.connect(path)
        answer, fds, _flags, _address = socket.recv_fds(asking, 512, _MAX_LISTENERS, socket.MSG_CMSG_CLOEXEC)
    if answer == b"+":
        return fds
    for fd in fds:
        os.close(fd)
    raise ConnectionAbortedError(answer.decode(errors="replace") or "it closed the connection")
