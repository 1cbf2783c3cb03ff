"""Bytes between a replica's unix socket and its program's port: a connection for a connection, nothing parsed.

Because nothing is parsed, everything HTTP can do passes as it is: streams, trailers, websockets, server-sent events. A
side that is read more slowly than the other writes makes the other wait. `/_/health` and `/_/ready` reach the program
like any other path.
"""

import asyncio
from collections.abc import Callable


class Relay:
    """The connections of one replica, to the program that listens at `address` and `port`."""

    def __init__(self, address: str, port: int, on_idle: Callable[[], None]) -> None:
        self.address = address
        self.port = port
        self.callers: set[Caller] = set()
        self._on_idle = on_idle

    def connection(self) -> "Caller":
        """Return the protocol for a new connection from a gateway."""
        return Caller(self)

    def gone(self, caller: "Caller") -> None:
        """Note that a connection is over."""
        self.callers.discard(caller)
        if not self.callers:
            self._on_idle()


class _Side(asyncio.Protocol):
    """One of two connections, each the other's peer."""

    transport: asyncio.Transport
    peer: "_Side"
    over = False
    """Whether nothing more will come from it."""

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self.peer.transport.write(data)

    def eof_received(self) -> bool:
        """Pass it on, and keep the other direction open."""
        self.over = True
        if self.peer.over:
            self.transport.close()
        elif not self.peer.transport.is_closing():
            self.peer.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """Let the peer wait."""
        if not self.peer.transport.is_closing():
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        """Let the peer go on."""
        if not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()


class Caller(_Side):
    """A connection from a gateway; what comes before the program's side of it stands is kept."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._joined = False
        self._early: list[bytes] = []
        self._connecting: asyncio.Task[None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the program."""
        self.transport = transport  # type: ignore[assignment]  # uvloop's transport is no asyncio.Transport by name
        self._relay.callers.add(self)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def join(self, program: "_Program") -> None:
        """Go on with the program's side, unless the gateway has gone meanwhile."""
        if self.transport.is_closing():
            program.transport.abort()
            return
        self.peer, self._joined = program, True
        if self._early:
            program.transport.write(b"".join(self._early))
            self._early.clear()
            self.transport.resume_reading()
        if self.over:
            program.transport.write_eof()

    def data_received(self, data: bytes) -> None:
        """Pass it on, or keep the first piece and read no more until it can be."""
        if self._joined:
            self.peer.transport.write(data)
        else:
            self._early.append(data)
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Pass it on, now or once it can be."""
        self.over = True
        return super().eof_received() if self._joined else True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason changes nothing
        """End the program's side: what it still says has no reader."""
        if not self._joined:
            self._connecting.cancel()
        elif not self.peer.transport.is_closing():
            self.peer.transport.abort()
        self._relay.gone(self)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Program(self), self._relay.address, self._relay.port)
        except OSError:  # it has ended, or is about to
            self.transport.abort()


class _Program(_Side):
    """A connection to the program."""

    def __init__(self, caller: Caller) -> None:
        self.peer = self._caller = caller

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the gateway's side."""
        self.transport = transport  # type: ignore[assignment]  # as above
        self._caller.join(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as above
        """End the gateway's side, after what is still to be written there."""
        self.peer.transport.close()
