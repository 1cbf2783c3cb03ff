"""Pools: connections to one address that wait for their next request."""

import asyncio
import errno
from collections.abc import Callable

from dayfly.http1 import handed
from dayfly.http1.roles import Caller
from dayfly.http1.sieve import Sieve
from dayfly.http1.silence import is_silence, notice_silence
from dayfly.http1.upstream import SILENCE_S, UpstreamConnection

CONNECT_TIMEOUT_S = 5.0
_BACKLOG_PAUSE_S = 0.005


class Pool:
    """Connections to `address`. The one used last is used next, so that what is not needed stays idle and is closed."""

    __slots__ = ("_connecting", "_least", "_trying", "address", "closed", "idle", "sieve", "silent")

    def __init__(self, address: str, sieve: Sieve) -> None:
        self.address = address
        self.sieve = sieve
        """Which response headers pass."""
        self.closed = False
        self.idle: list[UpstreamConnection] = []
        """Where `take` takes from, to where a connection comes back unless this is `closed`."""
        self.silent = False
        """Whether the machine at the address was not heard when it was last spoken to."""
        self._least = 0
        self._connecting: dict[Caller, asyncio.Task[None]] = {}
        self._trying: asyncio.Task[None] | None = None

    def take(self) -> UpstreamConnection | None:
        """Return an idle connection, or None; then `connect` makes one."""
        idle = self.idle
        if not idle:
            return None
        upstream = idle.pop()
        if len(idle) < self._least:
            self._least = len(idle)
        return upstream

    def put(self, upstream: UpstreamConnection) -> None:
        """Take a connection back."""
        if self.closed:
            upstream.close()
        else:
            self.idle.append(upstream)

    def forget(self, upstream: UpstreamConnection) -> None:
        """Note that a connection is gone."""
        if upstream in self.idle:
            self.idle.remove(upstream)

    def connect(self, caller: Caller) -> None:
        """Make a connection and tell `caller`: `connected` or `unreachable`, never before this returns."""
        self._connecting[caller] = asyncio.get_running_loop().create_task(self._connect(caller))

    def try_out(self, then: Callable[[bool], None]) -> None:
        """Make a connection for nobody yet, and tell whether the address answers; nothing is told once it is closed."""
        self._trying = asyncio.get_running_loop().create_task(self._try_out(then))

    def mute(self) -> None:
        """Note that the machine is not heard, and let go of what is idle: all of it leads there."""
        self.silent = True
        for upstream in self.idle:
            upstream.abort()
        self.idle.clear()
        self._least = 0

    def cancel(self, caller: Caller) -> None:
        """Forget that `caller` wants a connection; what is made anyway is kept for the next."""
        self._connecting.pop(caller, None)

    def trim(self) -> None:
        """Close the connections that nobody needed since the last call."""
        for upstream in self.idle[: self._least]:
            upstream.close()
        del self.idle[: self._least]
        self._least = len(self.idle)

    def close(self) -> None:
        """Close what is idle now and the rest as it comes back."""
        self.closed = True
        if self._trying is not None:
            self._trying.cancel()
        for upstream in self.idle:
            upstream.close()
        self.idle.clear()

    async def _try_out(self, then: Callable[[bool], None]) -> None:
        try:
            upstream = await self._reach()
        except OSError as fault:
            then(not is_silence(fault))
            return
        self.put(upstream)
        then(True)

    async def _connect(self, caller: Caller) -> None:
        try:
            upstream = await self._reach()
        except OSError as fault:
            if self._connecting.pop(caller, None) is not None:
                caller.unreachable(fault)
            return
        if self._connecting.pop(caller, None) is not None:
            caller.connected(upstream)
        else:
            self.put(upstream)

    async def _reach(self) -> UpstreamConnection:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                upstream = await self._dial()
        except OSError as fault:
            self.silent = is_silence(fault)
            if self.silent:
                self.mute()
            raise
        self.silent = False
        return upstream

    async def _dial(self) -> UpstreamConnection:
        while True:
            try:
                return await self._open()
            except BlockingIOError as fault:
                # A unix socket whose queue of connections is full says "try again" at once instead of waiting.
                if fault.errno != errno.EAGAIN:
                    raise
                await asyncio.sleep(_BACKLOG_PAUSE_S)

    async def _open(self) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        if self.address.startswith("unix:"):
            _, unix = await loop.create_unix_connection(lambda: UpstreamConnection(self), self.address[5:])
            return unix
        if self.address.startswith(handed.SCHEME):
            sock = await handed.take(self.address.removeprefix(handed.SCHEME))
            _, passed = await loop.create_connection(lambda: UpstreamConnection(self), sock=sock)
            return passed
        host, _, port = self.address.rpartition(":")
        transport, tcp = await loop.create_connection(lambda: UpstreamConnection(self), host.strip("[]"), int(port))
        notice_silence(transport.get_extra_info("socket"), SILENCE_S)
        return tcp
