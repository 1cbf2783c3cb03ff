"""One function's way out: its HTTP proxy and its granted plain connections.

The proxy takes `CONNECT host:port`, which is how HTTPS passes a proxy, and requests for `http://…` addresses. One
connection carries one request: what follows its head is passed on as it is, both ways, so there is nothing here that a
request could be smuggled past. Answers of the proxy's own are plain text that says what was refused and why.
"""

import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from dayfly.runtimes.jail.egress.dial import LookUp, Refused, Streams, dial
from dayfly.runtimes.jail.egress.lookups import Unreachable
from dayfly.runtimes.jail.egress.policy import Rules

_log = logging.getLogger("dayfly.egress")

MAX_CONNECTIONS = 256
"""Open at a time for one function's jail; more are refused."""
MAX_HEAD_BYTES = 32_768
HEAD_S = 10.0
IDLE_S = 900.0
"""How long a connection may carry nothing."""
_PIECE_BYTES = 65_536
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:@/\[\]]+):([0-9]{1,5})", re.ASCII)
_METHOD = re.compile(r"[A-Z-]{1,32}", re.ASCII)
_HOP = (b"connection:", b"proxy-connection:", b"proxy-authorization:", b"keep-alive:", b"te:", b"upgrade:")


class _Malformed(Exception):
    """The request is no request to a proxy."""


class Way:
    """Serves one jail's sockets until `close`; `lasting` is a jail that outlives whoever speaks for it."""

    def __init__(self, function: str, rules: Rules, look_up: LookUp, *, lasting: bool = False) -> None:
        self.lasting = lasting
        self._function = function
        self._rules = rules
        self._look_up = look_up
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, listeners: list[socket.socket]) -> None:
        """Serve the proxy on the first of the sockets and the granted connections on the others, in their order."""
        targets = [None, *((door.host, door.port) for door in self._rules.doors)]
        for listener, target in zip(listeners, targets, strict=True):
            handle = self._handler(target)
            self._servers.append(await asyncio.start_server(handle, sock=listener, limit=MAX_HEAD_BYTES))

    def leave(self) -> None:
        """Stop listening; connections go on to their end."""
        for server in self._servers:
            server.close()

    def close(self) -> None:
        """Stop listening and end every connection."""
        self.leave()
        for task in self._tasks:
            task.cancel()

    def _handler(self, target: tuple[str, int] | None) -> Callable[..., Awaitable[None]]:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is None or len(self._tasks) >= MAX_CONNECTIONS:
                writer.close()
                return
            self._tasks.add(task)
            try:
                await (self._request(reader, writer) if target is None else self._plain(reader, writer, *target))
            except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                _log.debug("%s: a connection ended: %s", self._function, error)
            finally:
                self._tasks.discard(task)
                writer.close()

        return handle

    async def _plain(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
        try:
            outside = await dial(self._rules, self._look_up, host, port)
        except (Refused, Unreachable) as error:
            _log.info("%s: no connection to %s:%d: %s", self._function, host, port, error)
            return
        await _pass((reader, writer), outside)

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
            method, host, port, forward = _understand(head)
            outside = await dial(self._rules, self._look_up, host, port)
        except _Malformed as error:
            await _answer(writer, "400 Bad Request", str(error))
        except Refused as error:
            _log.info("%s: refused: %s", self._function, error)
            await _answer(writer, "403 Forbidden", f"Dayfly's egress proxy refuses: {error}.")
        except Unreachable as error:
            await _answer(writer, "502 Bad Gateway", f"Dayfly's egress proxy: {error}.")
        else:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            outside[1].write(forward)
            await _pass((reader, writer), outside)


def _understand(head: bytes) -> tuple[str, str, int, bytes]:
    """Return method, host, port, and what to send there first. Raises _Malformed."""
    line, *fields = head[:-4].split(b"\r\n")
    parts = line.decode("latin-1").split(" ")
    if len(parts) != 3 or not _METHOD.fullmatch(parts[0]) or not parts[2].startswith("HTTP/1."):
        raise _Malformed("this is an HTTP proxy, and that was no request to one")
    method, target, version = parts
    if method == "CONNECT":
        host, port = _authority(target)
        return method, host, port, b""
    if not target.lower().startswith("http://"):
        raise _Malformed("a proxy is asked for http:// addresses, or to CONNECT")
    host, port = _authority(urlsplit(target).netloc, default=":80")
    path = "/" + target[7:].partition("/")[2] if "/" in target[7:] else "/" + target[7 + len(urlsplit(target).netloc) :]
    kept = [field for field in fields if not field.lower().startswith(_HOP)]
    first = f"{method} {path} {version}".encode("latin-1")
    return method, host, port, b"\r\n".join([first, *kept, b"Connection: close", b"", b""])


def _authority(text: str, default: str = "") -> tuple[str, int]:
    match = _AUTHORITY.fullmatch(text) or _AUTHORITY.fullmatch(text + default)
    if match is None or not 0 < int(match[2]) < 65_536:
        raise _Malformed(f"{text[:80]!r} is no HOST:PORT")
    return match[1], int(match[2])


async def _answer(writer: asyncio.StreamWriter, status: str, text: str) -> None:
    body = f"{text}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
    await writer.drain()


async def _pass(inside: Streams, outside: Streams) -> None:
    """Pass bytes both ways until both sides have ended, or nothing has come for IDLE_S."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(inside[0], outside[1]))
            group.create_task(_copy(outside[0], inside[1]))
    except* (OSError, TimeoutError) as broken:
        _log.debug("a connection broke: %s", broken.exceptions[0])
    finally:
        outside[1].close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        async with asyncio.timeout(IDLE_S):
            data = await reader.read(_PIECE_BYTES)
            if not data:
                break
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):  # the other side has gone altogether
        writer.write_eof()
