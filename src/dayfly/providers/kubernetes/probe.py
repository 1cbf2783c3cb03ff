"""Asking an image's pod whether it serves, by the rule that containers of an engine are asked by too.

OpenFaaS's watchdogs answer at `/_/health`. A program without one that takes HTTP at all serves too: whatever it answers
there, but 503, will do. Where the function names a path of its own, that must be answered well. The kubelet asks as
well, once a second; a call that waits for a replica would feel that.
"""

import asyncio

HEALTH_PATH = "/_/health"
ANSWER_S = 5.0
_EVERY_S = (0.02, 0.02, 0.05, 0.1, 0.2)
_MAX_LINE = 8192


async def until_ready(host: str, port: int, health_path: str) -> None:
    """Return once the function serves."""
    attempt = 0
    while not await _is_ready(host, port, health_path):
        await asyncio.sleep(_EVERY_S[min(attempt, len(_EVERY_S) - 1)])
        attempt += 1


async def is_there(host: str, port: int) -> bool:
    """Whether connections are taken there, however busy the program is."""
    try:
        async with asyncio.timeout(ANSWER_S):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


async def _is_ready(host: str, port: int, health_path: str) -> bool:
    try:
        async with asyncio.timeout(ANSWER_S):
            status = await _status(host, port, health_path or HEALTH_PATH)
    except (OSError, TimeoutError):
        return False
    return 200 <= status < 400 if health_path else status not in (0, 503)


async def _status(host: str, port: int, target: str) -> int:
    """Return the status that a GET is answered with, 0 for what is no HTTP. Raises OSError."""
    reader, writer = await asyncio.open_connection(host, port, limit=_MAX_LINE)
    try:
        writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("ascii"))
        line = await reader.readline()
    except ValueError:
        return 0
    finally:
        writer.close()
    parts = line.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[0].startswith(b"HTTP/1.") and parts[1].isdigit() else 0
