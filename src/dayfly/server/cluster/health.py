"""What the kubelet asks a control plane: /live while its loop turns, /ready while it may be counted on."""

import asyncio
import contextlib

from dayfly.server.cluster.names import HEALTH_PORT

_HEAD_BYTES = 8192
_ASK_S = 5.0


class Health:
    """Answers; `ready` says whether it serves or stands by."""

    def __init__(self) -> None:
        self.ready = False
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int = HEALTH_PORT) -> int:
        """Listen, and return the port. Raises OSError."""
        self._server = await asyncio.start_server(self._asked, host, port, limit=_HEAD_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Listen no more. Idempotent."""
        if self._server is not None:
            self._server.close()

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_ASK_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    status = self._status(head.split(b" ", 2)[1] if head.startswith(b"GET ") else b"")
                    writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
                    await writer.drain()
        finally:
            writer.close()

    def _status(self, path: bytes) -> bytes:
        if path == b"/live" or (path == b"/ready" and self.ready):
            return b"200 OK"
        return b"503 Service Unavailable" if path == b"/ready" else b"404 Not Found"
