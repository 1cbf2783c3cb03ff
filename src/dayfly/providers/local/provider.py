"""Replicas as processes of this machine: the provider port, on top of a zygote.

The zygote does the forking and outlives the control plane; this side writes the orders, reads the logs and turns what
the zygote says into events. When the zygote dies, the kernel has ended all its replicas: they are reported lost at
once, and the provider connects again when the supervisor has started another.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from dayfly.model.errors import ConfigError, NotSupported, Unavailable
from dayfly.model.log import LogLine
from dayfly.model.names import ReplicaId
from dayfly.model.replica import (
    RecoveredReplica,
    ReplicaEvent,
    ReplicaExited,
    ReplicaReady,
    ReplicaStats,
    StartOrder,
)
from dayfly.providers.local.link import ZygoteLink
from dayfly.providers.local.logs import LogReader
from dayfly.providers.port import Provider
from dayfly.runtimes.python import wire
from dayfly.runtimes.python.processes import cpu_and_memory_of

_log = logging.getLogger("dayfly.providers.local")

MAX_SOCKET_PATH = 107
CONNECT_S = 10.0
"""How long to wait for a zygote that starts, in seconds."""
RETRY_S = (0.02, 0.05, 0.1, 0.2, 0.5)
_LANGUAGES = ("python", "python-classic", "python-typed", "asgi", "wsgi")


class _Known:
    """A replica that we answer for."""

    def __init__(self, order: StartOrder, address: str) -> None:
        self.order = order
        self.address = address
        self.ready = False
        self.pid = 0
        self.log: LogReader | None = None
        self.taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class LocalProvider(Provider):
    """Starts replicas through the zygote that listens at `zygote_socket`, with their sockets in `replica_dir`.

    `barred` is asked before each start and tells why none may be started, with an empty text while all may. Raises
    ConfigError when the folder's name is too long for a unix socket.
    """

    name = "local"

    def __init__(self, zygote_socket: Path, replica_dir: Path, *, barred: Callable[[], str] = str) -> None:
        if len(os.fsencode(replica_dir)) + len("/0123456789.sock") > MAX_SOCKET_PATH:
            raise ConfigError(
                f"{replica_dir} is too long: with a socket's name it must stay within {MAX_SOCKET_PATH} bytes;"
                " choose a shorter data or run folder"
            )
        self._zygote_socket = zygote_socket
        self._replica_dir = replica_dir
        self._barred = barred
        self._known: dict[str, _Known] = {}
        self._link: ZygoteLink | None = None
        self._connected = asyncio.Event()
        self._recovering: asyncio.Future[None] | None = None
        self._recovered: list[RecoveredReplica] = []
        self._keeper: asyncio.Task[None] | None = None
        self._on_event: Callable[[ReplicaEvent], None] = lambda _event: None
        self._on_log: Callable[[LogLine], None] = lambda _line: None

    async def open(self, on_event: Callable[[ReplicaEvent], None], on_log: Callable[[LogLine], None]) -> None:
        """Connect to the zygote, waiting for one that is still starting. Raises Unavailable."""
        self._on_event, self._on_log = on_event, on_log
        self._keeper = asyncio.create_task(self._keep_connected())
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._connected.wait()
        except TimeoutError:
            await self.close()
            raise Unavailable(
                f"no zygote serves us at {self._zygote_socket} after {CONNECT_S:g}s: it did not start, or another"
                " control plane is connected to it"
            ) from None

    async def close(self) -> None:
        """Disconnect; replicas keep running. Idempotent."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        if self._link is not None:
            self._link.close()
            self._link = None
        self._connected.clear()
        for known in self._known.values():
            if known.log is not None:
                known.log.close()
            if not known.taken.done():
                known.taken.set_exception(Unavailable("the provider was closed while a replica was being started"))
                known.taken.exception()  # there may be nobody left who waits
        self._known.clear()

    async def recover(self) -> list[RecoveredReplica]:
        """Return the replicas that the zygote still has, and report on them from now on. Raises Unavailable."""
        link = self._need_link()
        if self._recovering is None:
            self._recovered = []
            self._recovering = asyncio.get_running_loop().create_future()
            link.send(wire.Recover())
        await asyncio.shield(self._recovering)
        return self._recovered

    async def start(self, order: StartOrder) -> None:
        """Hand the order to the zygote. Raises Unavailable, NotSupported."""
        if why := self._barred():
            raise Unavailable(why)
        if order.lang.partition("3")[0] not in _LANGUAGES:
            raise NotSupported(f"lang: {order.lang!r} has no runtime on this provider; it runs {', '.join(_LANGUAGES)}")
        known = self._known.get(order.replica)
        if known is None:
            link = self._need_link()
            path = str(self._replica_dir / f"{order.replica}.sock")
            known = _Known(order, f"unix:{path}")
            self._known[order.replica] = known
            try:
                link.send(
                    wire.Start(order.replica, template_name(order), path, order.network != "host"),
                    wire.order_file(order),
                )
            except (Unavailable, OSError) as error:
                self._known.pop(order.replica, None)
                raise Unavailable(f"the replica could not be started: {error}") from error
        await asyncio.shield(known.taken)

    async def stop(self, replica: ReplicaId, *, grace_s: float) -> None:
        """Ask the zygote to end the replica. Raises Unavailable."""
        self._need_link().send(wire.Stop(replica, grace_s))

    async def stats(self) -> dict[ReplicaId, ReplicaStats]:
        """Return what the kernel says each replica uses; replicas without a process are left out."""
        found: dict[ReplicaId, ReplicaStats] = {}
        for known in self._known.values():
            if known.pid:
                with contextlib.suppress(ProcessLookupError):
                    found[known.order.replica] = ReplicaStats(*cpu_and_memory_of(known.pid))
        return found

    def _need_link(self) -> ZygoteLink:
        if self._link is None or not self._connected.is_set():
            raise Unavailable("the Python runtime's zygote is not running; it is restarted, try again")
        return self._link

    async def _keep_connected(self) -> None:
        attempt = 0
        while True:
            if self._link is None:
                try:
                    self._link = ZygoteLink.connect(self._zygote_socket, self._heard, self._lost)
                    attempt = 0
                except Unavailable as error:
                    _log.debug("%s", error)
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1

    def _lost(self) -> None:
        """Report every replica lost: they ended with the zygote."""
        self._link = None
        self._connected.clear()
        if self._recovering is not None and not self._recovering.done():
            self._recovering.set_exception(Unavailable("the zygote ended while its replicas were asked for"))
            self._recovering.exception()  # there may be nobody left who waits
        self._recovering = None
        for known in list(self._known.values()):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(known.address.removeprefix("unix:"))
            self._exited(wire.Exited(known.order.replica, "killed", ""), lost=True)

    def _heard(self, message: wire.FromZygote, fds: list[int]) -> None:
        match message:
            case wire.Hello():
                self._connected.set()
            case wire.Taken():
                self._taken(message, fds)
            case wire.Forked():
                if known := self._known.get(message.replica):
                    known.pid = message.pid
            case wire.Ready():
                self._ready(message)
            case wire.Exited():
                self._exited(message)
            case wire.Running():
                self._running(message, fds)
            case wire.Remains():
                self._remains(fds)
            case wire.Recovered():
                if self._recovering is not None:
                    self._recovering.set_result(None)
                self._recovering = None

    def _taken(self, message: wire.Taken, fds: list[int]) -> None:
        known = self._known.get(message.replica)
        if known is None:
            _close(fds)
            return
        for fd in fds:
            known.log = LogReader(fd, known.order.key, known.order.replica, self._on_log)
        if not known.taken.done():
            known.taken.set_result(None)

    def _ready(self, message: wire.Ready) -> None:
        known = self._known.get(message.replica)
        if known is not None and not known.ready:
            known.ready = True
            self._on_event(ReplicaReady(known.order.replica, known.address, message.took_s))

    def _exited(self, message: wire.Exited, *, lost: bool = False) -> None:
        known = self._known.pop(message.replica, None)
        if known is None:
            return
        detail = message.detail
        if known.log is not None:
            known.log.finish()
            detail = detail or known.log.failure
        if not known.taken.done():
            known.taken.set_result(None)
        if lost:
            detail = "the zygote ended, and its replicas with it"
        elif not detail:
            detail = "the reason is in the log of the function's earlier start"
        self._on_event(ReplicaExited(known.order.replica, "lost" if lost else message.reason, detail))

    def _running(self, message: wire.Running, fds: list[int]) -> None:
        order_fd, log_fd = fds
        known = self._known.get(message.replica)
        if known is None:
            order = _read_order(order_fd)
            if order is None:
                _close(fds)
                return
            known = self._known[message.replica] = _Known(order, f"unix:{message.path}")
            known.taken.set_result(None)
        known.pid, known.ready = message.pid, message.ready
        os.close(order_fd)
        if known.log is None:
            known.log = LogReader(log_fd, known.order.key, known.order.replica, self._on_log)
        else:
            os.close(log_fd)
        self._recovered.append(RecoveredReplica(known.order, known.address if known.ready else ""))

    def _remains(self, fds: list[int]) -> None:
        """Read the last words of a replica that ended while we were away."""
        order_fd, log_fd = fds
        order = _read_order(order_fd)
        os.close(order_fd)
        if order is None:
            os.close(log_fd)
            return
        LogReader(log_fd, order.key, order.replica, self._on_log).finish()


def template_name(order: StartOrder) -> str:
    """Return the name of the template that `order` can be forked from: a digest of all that the import depends on."""
    data = msgspec.msgpack.encode(msgspec.structs.replace(order, replica=ReplicaId("")), order="sorted")
    return hashlib.sha256(data).hexdigest()


def _read_order(fd: int) -> StartOrder | None:
    try:
        return wire.read_order(fd)
    except msgspec.DecodeError as error:  # written by an older version of us
        _log.error("a running replica's order cannot be read: %s", error)
        return None


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
