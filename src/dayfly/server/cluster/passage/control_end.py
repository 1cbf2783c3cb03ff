"""The control plane's end: one TLS port, behind which each channel is one of its unix sockets.

A connection that does not greet with the installation's token gets nothing. While a gateway is present it has a socket
`calls-….sock` here, as gateways of the same machine have: whoever connects there is taken to the gateway.
"""

import asyncio
import contextlib
import hmac
import logging
import ssl
from collections import deque
from pathlib import Path
from typing import Any

from dayfly.model.errors import InvalidRequest
from dayfly.runtimes.private_socket import bind_private
from dayfly.server.cluster.passage.wire import (
    CHANNELS,
    CONNECT_S,
    GO,
    INNER,
    NO,
    PRESENCE,
    PULSE_S,
    SILENCE_S,
    YES,
    End,
    inner_name,
    keep_alive,
    pulse,
    read_greeting,
    splice,
)

_BACKLOG = 1024
_log = logging.getLogger("dayfly.server")


class ControlEnd:
    """Lets gateways with the token in, to the sockets in `run_dir`."""

    def __init__(
        self,
        run_dir: Path,
        token: str,
        tls: ssl.SSLContext,
        *,
        pulse_s: float = PULSE_S,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._run_dir = run_dir
        self._token = token.encode()
        self._tls = tls
        self._pulse_s, self._silence_s = pulse_s, silence_s
        self._server: asyncio.Server | None = None
        self._visitors: set[asyncio.Task[None]] = set()
        self._callers: dict[str, _Callers] = {}

    def renew(self, token: str) -> None:
        """Let those in from now on who come with this token."""
        self._token = token.encode()

    async def start(self, host: str, port: int) -> int:
        """Begin to listen; return the port. Raises OSError."""
        self._server = await asyncio.start_server(
            self._visited, host, port, ssl=self._tls, backlog=_BACKLOG, ssl_handshake_timeout=CONNECT_S
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Let nobody in any more, and end every connection. Idempotent."""
        if self._server is not None:
            self._server.close()
        for visitor in list(self._visitors):
            visitor.cancel()
        await asyncio.gather(*self._visitors, return_exceptions=True)

    async def _visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visitor = asyncio.current_task()
        assert visitor is not None
        self._visitors.add(visitor)
        try:
            await self._serve((reader, writer))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as fault:
            _log.debug("a connection through the passage ended reason=%r", fault)
        except InvalidRequest as odd:
            _log.warning("a connection to the passage is refused: %s", odd)
        except asyncio.CancelledError:
            pass  # nobody awaits this task; its connection is closed below
        finally:
            self._visitors.discard(visitor)
            writer.close()

    async def _serve(self, end: End) -> None:
        reader, writer = end
        keep_alive(writer)
        async with asyncio.timeout(CONNECT_S):
            token, channel, gateway = read_greeting(await reader.readuntil(b"\n"))
        if not hmac.compare_digest(token, self._token):
            writer.write(NO)
            _log.warning("a gateway with a wrong token is refused peer=%s", writer.get_extra_info("peername"))
            return
        if channel == PRESENCE:
            await self._attend(gateway, end)
        elif channel == INNER:
            await self._park(gateway, end)
        elif channel in CHANNELS:
            inside = await asyncio.open_unix_connection(self._run_dir / f"{channel}.sock")
            writer.write(YES)
            await splice(end, inside)
        else:
            raise InvalidRequest(f"there is no channel {channel}")

    async def _attend(self, gateway: str, end: End) -> None:
        """Have the gateway be there for as long as its pulse goes."""
        callers = _Callers(self._run_dir / inner_name(gateway))
        before = self._callers.get(gateway)
        if before is not None:
            before.close()  # it has come anew before we noticed that it was gone
        await callers.open()
        self._callers[gateway] = callers
        _log.info("the gateway %s is there", gateway)
        try:
            end[1].write(YES)
            await pulse(end, self._pulse_s, self._silence_s)
        finally:
            if self._callers.get(gateway) is callers:
                del self._callers[gateway]
                callers.close()
                _log.info("the gateway %s is gone", gateway)

    async def _park(self, gateway: str, end: End) -> None:
        callers = self._callers.get(gateway)
        if callers is None:
            raise InvalidRequest(f"the gateway {gateway} is not present")
        end[1].write(YES)
        caller = await callers.next(end)
        if caller is not None:
            end[1].write(GO)
            await splice(end, caller)


class _Callers:
    """Who wants to call one gateway, at its socket here."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._waiting: deque[tuple[End, asyncio.Event]] = deque()
        self._idle: deque[asyncio.Future[End]] = deque()

    async def open(self) -> None:
        """Listen. Raises OSError."""
        listener = bind_private(self._path)
        self._inode = self._path.stat().st_ino
        try:
            self._server = await asyncio.start_unix_server(self._called, sock=listener)
        except asyncio.CancelledError:
            listener.close()
            raise

    def close(self) -> None:
        """Listen no more, and turn away who waits."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        for (_, writer), _ in self._waiting:
            writer.close()
        for idle in self._idle:
            idle.cancel()

    async def next(self, way: End) -> End | None:
        """Return the next caller, once there is one; None when the way to the gateway ends before."""
        while self._waiting:
            caller, taken = self._waiting.popleft()
            if not caller[1].is_closing():
                taken.set()
                return caller
        idle: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._idle.append(idle)
        ended = asyncio.create_task(way[0].read(1))  # the gateway says nothing here before we do
        try:
            waiting: set[asyncio.Future[Any]] = {idle, ended}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return idle.result() if idle.done() and not idle.cancelled() else None
        except asyncio.CancelledError:
            if idle.done() and not idle.cancelled():
                idle.result()[1].close()
            raise
        finally:
            if idle in self._idle:
                self._idle.remove(idle)
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result((reader, writer))
                return
        taken = asyncio.Event()
        self._waiting.append(((reader, writer), taken))
        try:
            async with asyncio.timeout(CONNECT_S):
                await taken.wait()
        except (TimeoutError, asyncio.CancelledError):
            writer.close()
