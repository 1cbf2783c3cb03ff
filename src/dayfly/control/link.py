"""The control plane's end of the link to the gateways.

A gateway connects to a unix socket and says who it is; it gets the whole routing table, and from then on every change
in the order in which they happened. What it asks for is handled in the callback that read it, without a task or a queue
in between, because a caller is waiting. A gateway that cannot keep up, or speaks nonsense, is cut off: it will connect
again and get the whole table, which is always right.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec

from dayfly.control.clock import Clock, Timer
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, NamespaceName
from dayfly.model.route_entry import RouteEntry
from dayfly.model.table import (
    MAX_MESSAGE_BYTES,
    Confirmed,
    Delta,
    Demand,
    Ended,
    Entry,
    Hello,
    Load,
    Report,
    Snapshot,
    ToControl,
    ToGateway,
)
from dayfly.runtimes.private_socket import bind_private

log = logging.getLogger("dayfly.control")

REPORT_DEADLINE_S = 0.5
"""How long gateways have to answer a request for a report before it goes on without them."""
_LENGTH = 4
_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[ToControl] = msgspec.msgpack.Decoder(ToControl)


class LinkServer:
    """Listens for gateways and keeps their routing tables right.

    The callbacks are called on the event loop: `entries` for the whole table, `on_demand` with `name.namespace` and the
    calls that wait, `on_load` with a gateway's name, its boot and its report, `on_gone` with the name of one that left.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        entries: Callable[[], tuple[Entry, ...]],
        on_demand: Callable[[str, int], None],
        on_load: Callable[[str, str, Load], None],
        on_gone: Callable[[str], None],
    ) -> None:
        self.entries = entries
        self.routes: Callable[[], tuple[RouteEntry, ...]] = tuple
        """Tells all routes."""
        self.on_demand = on_demand
        self.on_load = on_load
        self.on_gone = on_gone
        self.gateways: dict[str, GatewayConnection] = {}
        self.version = 0
        self._connections: set[GatewayConnection] = set()
        self._path = path
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._reports: dict[int, _Round] = {}
        self._last_report = 0
        self._next: _Round | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the socket cannot be made."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: GatewayConnection(self), sock=bind_private(self._path))

    async def stop(self) -> None:
        """Cut off all gateways and listen no more. Idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for connection in list(self._connections):
            connection.cut_off()
        await server.wait_closed()
        self._path.unlink(missing_ok=True)

    def changed(self, entry: Entry) -> None:
        """Tell every gateway that the function's entry is this from now on."""
        self.version += 1
        if self.gateways:
            self._broadcast(Delta(version=self.version, changed=(entry,)))

    def removed(self, key: FunctionKey) -> None:
        """Tell every gateway that there is no such function any more."""
        self.version += 1
        if self.gateways:
            self._broadcast(Delta(version=self.version, removed=(str(key),)))

    def ended(self, ended: Ended) -> None:
        """Tell every gateway why a replica has ended: calls may wait to be told."""
        self.version += 1
        if self.gateways:
            self._broadcast(Delta(version=self.version, ended=(ended,)))

    def routed(self, entry: RouteEntry) -> None:
        """Tell every gateway that the route is this from now on."""
        self.version += 1
        if self.gateways:
            self._broadcast(Delta(version=self.version, routes=(entry,)))

    def unrouted(self, namespace: NamespaceName, name: str) -> None:
        """Tell every gateway that there is no such route any more."""
        self.version += 1
        if self.gateways:
            self._broadcast(Delta(version=self.version, unrouted=(f"{name}.{namespace}",)))

    def confirm(self, gateway: str, boot: str, batch: int) -> None:
        """Tell the gateway that its records up to this batch are taken care of, if it still lives that life."""
        connection = self.gateways.get(gateway)
        if connection is not None and connection.boot == boot:
            connection.send(Confirmed(batch))

    async def refresh(self) -> None:
        """Ask every gateway for a report and return once all were taken in, or REPORT_DEADLINE_S have passed."""
        if not self.gateways:
            return
        if self._next is None:
            # Whoever else asks before this round goes out shares it; later ones could miss calls finished meanwhile.
            self._next = _Round()
            asyncio.get_running_loop().call_soon(self._ask, self._next)
        await self._next.done.wait()

    def arrived(self, connection: "GatewayConnection") -> None:
        """A gateway said who it is. One that was connected under that name before is taken for dead."""
        before = self.gateways.get(connection.name)
        self.gateways[connection.name] = connection
        if before is not None:
            log.info("the gateway %s connected anew", connection.name)
            before.cut_off()
        connection.send(
            Snapshot(
                version=self.version,
                entries=self.entries(),
                default_namespace=str(DEFAULT_NAMESPACE),
                routes=self.routes(),
                confirms=True,
            )
        )

    def reported(self, connection: "GatewayConnection", load: Load) -> None:
        """A gateway sent its figures."""
        self.on_load(connection.name, connection.boot, load)
        self._strike(load.id, connection.name)

    def connected(self, connection: "GatewayConnection") -> None:
        """Somebody connected who did not say yet who it is."""
        self._connections.add(connection)

    def left(self, connection: "GatewayConnection") -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        if self.gateways.get(connection.name) is connection:
            del self.gateways[connection.name]
            for number in list(self._reports):
                self._strike(number, connection.name)
            self.on_gone(connection.name)

    def _ask(self, report: "_Round") -> None:
        self._next = None
        self._last_report += 1
        number = self._last_report
        self._reports[number] = report
        report.missing = set(self.gateways)
        report.timer = self._clock.call_at(self._clock.now() + REPORT_DEADLINE_S, lambda: self._close(number))
        self._broadcast(Report(id=number))
        self._strike(number, "")

    def _strike(self, number: int, gateway: str) -> None:
        report = self._reports.get(number)
        if report is not None:
            report.missing.discard(gateway)
            if not report.missing:
                self._close(number)

    def _close(self, number: int) -> None:
        report = self._reports.pop(number)
        if report.missing:
            log.warning("no report in %g s from %s", REPORT_DEADLINE_S, ", ".join(sorted(report.missing)))
        if report.timer is not None:
            report.timer.cancel()
        report.done.set()

    def _broadcast(self, message: Delta | Report) -> None:
        frame = _frame(message)
        for connection in list(self.gateways.values()):
            connection.write(frame)


class _Round:
    """One request for reports, and the gateways that have not answered it."""

    __slots__ = ("done", "missing", "timer")

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.timer: Timer | None = None
        self.done = asyncio.Event()


class GatewayConnection(asyncio.Protocol):
    """One gateway, as the control plane sees it."""

    def __init__(self, server: LinkServer) -> None:
        self.name = ""
        self.boot = ""
        self._server = server
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever ended it."""
        self._transport = None
        if exc is not None:
            log.info("the connection to the gateway %s broke: %s", self.name or "(unnamed)", exc)
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        """Handle every message that is complete."""
        self._buffer += data
        while self._transport is not None and len(self._buffer) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._buffer[:_LENGTH], "big")
            if end > MAX_MESSAGE_BYTES:
                self._refuse(f"announced a message of {end} bytes")
            elif len(self._buffer) < end:
                return
            else:
                message = bytes(self._buffer[_LENGTH:end])
                del self._buffer[:end]
                self._handle(message)

    def send(self, message: ToGateway) -> None:
        """Write one message."""
        self.write(_frame(message))

    def write(self, frame: bytes) -> None:
        """Write one encoded message; a gateway that does not read is cut off."""
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() > MAX_MESSAGE_BYTES:
            self._refuse("does not read what it is sent")
        else:
            self._transport.write(frame)

    def cut_off(self) -> None:
        """End the connection at once."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    def _handle(self, data: bytes) -> None:
        try:
            message = _DECODER.decode(data)
        except msgspec.MsgspecError as error:
            self._refuse(f"sent what cannot be understood: {error}")
            return
        if isinstance(message, Hello):
            self.name, self.boot = message.gateway, message.boot
            self._server.arrived(self)
        elif not self.name:
            self._refuse("did not say who it is")
        elif isinstance(message, Demand):
            self._server.on_demand(message.function, message.waiting)
        else:
            self._server.reported(self, message)

    def _refuse(self, why: str) -> None:
        log.warning("the gateway %s is cut off: it %s", self.name or "(unnamed)", why)
        self.cut_off()


def _frame(message: ToGateway) -> bytes:
    frame = bytearray(_LENGTH)
    _ENCODER.encode_into(message, frame, _LENGTH)
    frame[:_LENGTH] = (len(frame) - _LENGTH).to_bytes(_LENGTH, "big")
    return bytes(frame)
