"""Replicas as processes of this machine: the provider port, on top of a zygote.

The zygote does the forking and outlives the control plane; this side writes the orders, reads the logs and turns what
the zygote says into events. When the zygote dies, the kernel has ended all its replicas: they are reported lost at
once, and the provider connects again when the supervisor has started another. Replicas of zygotes that are being
replaced (see `zygotes`) are found as `stale`: they can be stopped and end as others do.
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
from dayfly.model.machine import Surroundings
from dayfly.model.names import ReplicaId
from dayfly.model.replica import (
    RecoveredReplica,
    ReplicaEvent,
    ReplicaExited,
    ReplicaReady,
    ReplicaStats,
    StartOrder,
)
from dayfly.model.runtime import Runtime
from dayfly.providers.local.logs import LogReader
from dayfly.providers.local.zygotes import Zygote, others
from dayfly.providers.port import Provider
from dayfly.runtimes.python import family, wire
from dayfly.runtimes.python.limits import limits_of
from dayfly.runtimes.python.processes import cpu_and_memory_of

_log = logging.getLogger("dayfly.providers.local")

MAX_SOCKET_PATH = 107
GIVEN_UP_GRACE_S = 60.0
"""How long a replica may finish its calls whose order we cannot read."""
_RUNTIMES: tuple[Runtime, ...] = ("python", "node", "exec", "http", "static")
_SOLO: frozenset[Runtime] = frozenset({"http"})
"""Runtimes whose replicas are processes of their own, and no forks of a template."""


class _Known:
    """A replica that we answer for."""

    def __init__(self, order: StartOrder, address: str, zygote: Zygote) -> None:
        self.order = order
        self.zygote = zygote
        self.address = address
        self.ready = False
        self.pid = 0
        self.log: LogReader | None = None
        self.taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class LocalProvider(Provider):
    """Starts replicas through the zygote that listens at `zygote_socket`, with their sockets in `replica_dir`.

    `barred` is asked before each start and tells why none may be started, with an empty text while all may. `alone_at`
    is for a place with one replica, which listens there: HOST:PORT; `solo` has replicas be no forks of a template.
    Raises ConfigError when the folder's name is too long for a unix socket.
    """

    name = "local"

    def __init__(
        self,
        zygote_socket: Path,
        replica_dir: Path,
        *,
        barred: Callable[[], str] = str,
        alone_at: str = "",
        solo: bool = False,
    ) -> None:
        if len(os.fsencode(replica_dir)) + len("/0123456789.sock") > MAX_SOCKET_PATH:
            raise ConfigError(
                f"{replica_dir} is too long: with a socket's name it must stay within {MAX_SOCKET_PATH} bytes;"
                " choose a shorter data or run folder"
            )
        self._zygote_socket = zygote_socket
        self._replica_dir = replica_dir
        self._barred = barred
        self._alone_at = alone_at
        self._solo = solo
        self._known: dict[str, _Known] = {}
        self._zygotes: list[Zygote] = []
        self._recovered: list[RecoveredReplica] = []
        self._on_event: Callable[[ReplicaEvent], None] = lambda _event: None
        self._on_log: Callable[[LogLine], None] = lambda _line: None

    async def open(self, on_event: Callable[[ReplicaEvent], None], on_log: Callable[[LogLine], None]) -> None:
        """Connect to the zygotes, waiting for one that is still starting. Raises Unavailable."""
        self._on_event, self._on_log = on_event, on_log
        current = self._zygote(self._zygote_socket, stale=False)
        await current.open()
        self._zygotes = [current]
        for path in others(self._zygote_socket):
            older = self._zygote(path, stale=True)
            try:
                await older.open()
            except Unavailable as error:
                _log.debug("an older zygote is gone: %s", error)
            else:
                self._zygotes.append(older)

    async def close(self) -> None:
        """Disconnect; replicas keep running. Idempotent."""
        for zygote in self._zygotes:
            await zygote.close()
        for known in self._known.values():
            if known.log is not None:
                known.log.close()
            if not known.taken.done():
                known.taken.set_exception(Unavailable("the provider was closed while a replica was being started"))
                known.taken.exception()  # there may be nobody left who waits
        self._known.clear()

    async def recover(self) -> list[RecoveredReplica]:
        """Return the replicas that the zygotes still have, and report on them from now on. Raises Unavailable."""
        self._recovered = []
        current = self._current()
        for zygote in list(self._zygotes):
            try:
                await zygote.recover()
            except Unavailable:
                if zygote is current:
                    raise
        return self._recovered

    async def start(self, order: StartOrder) -> None:
        """Hand the order to the zygote, waiting for one that is being restarted. Raises Unavailable, NotSupported."""
        if why := self._barred():
            raise Unavailable(why)
        if order.runtime not in _RUNTIMES:
            raise NotSupported(f"runtime: this provider has no {order.runtime}; it has {', '.join(_RUNTIMES)}")
        zygote = self._current()
        link = await zygote.await_link()
        known = self._known.get(order.replica)
        if known is None:
            path = self._alone_at or str(self._replica_dir / f"{order.replica}.sock")
            known = _Known(order.without_contents(), self._alone_at or f"unix:{path}", zygote)
            self._known[order.replica] = known
            try:
                own_net = order.network != "host"
                solo = order.runtime in _SOLO or self._solo
                start = wire.Start(order.replica, template_name(order), path, limits_of(order), own_net, solo)
                link.send(start, wire.order_file(order))
            except (Unavailable, OSError) as error:
                self._known.pop(order.replica, None)
                raise Unavailable(f"the replica could not be started: {error}") from error
        await asyncio.shield(known.taken)

    async def stop(self, replica: ReplicaId, *, grace_s: float) -> None:
        """Ask the zygote to end the replica. Raises Unavailable."""
        known = self._known.get(replica)
        zygote = known.zygote if known is not None else self._current()
        zygote.link.send(wire.Stop(replica, grace_s))

    async def stats(self) -> dict[ReplicaId, ReplicaStats]:
        """Return what the kernel says each replica uses; replicas without a process are left out."""
        found: dict[ReplicaId, ReplicaStats] = {}
        for known in self._known.values():
            if known.pid:
                with contextlib.suppress(ProcessLookupError):
                    tree = known.order.runtime != "python"
                    found[known.order.replica] = ReplicaStats(*cpu_and_memory_of(known.pid, tree=tree))
        return found

    async def survey(self) -> Surroundings:
        """Return which process each replica is."""
        return Surroundings(pids={known.order.replica: known.pid for known in self._known.values() if known.pid})

    def _zygote(self, path: Path, *, stale: bool) -> Zygote:
        return Zygote(path, stale=stale, on_message=self._heard, on_lost=self._lost)

    def _current(self) -> Zygote:
        """Return the zygote that replicas are started from. Raises Unavailable."""
        if not self._zygotes:
            raise Unavailable("the Python runtime's zygote is not connected")
        return self._zygotes[0]

    def _lost(self, zygote: Zygote) -> None:
        """Report every replica of the zygote lost: they ended with it."""
        if zygote.stale:
            self._zygotes.remove(zygote)
        for known in list(self._known.values()):
            if known.zygote is zygote:
                family.unlink(known.address.removeprefix("unix:"))
                self._exited(wire.Exited(known.order.replica, "killed", ""), lost=True)

    def _heard(self, zygote: Zygote, message: wire.FromZygote, fds: list[int]) -> None:
        match message:
            case wire.Taken():
                self._taken(message, fds)
            case wire.Forked():
                if known := self._known.get(message.replica):
                    known.pid = message.pid
            case wire.Ready():
                self._ready(message)
            case wire.Exited():
                self._exited(message)
            case wire.Noticed():
                if (known := self._known.get(message.replica)) and known.log is not None:
                    known.log.tell(message.text)
            case wire.Running():
                self._running(zygote, message, fds)
            case wire.Remains():
                self._remains(fds)

    def _taken(self, message: wire.Taken, fds: list[int]) -> None:
        known = self._known.get(message.replica)
        if known is None:
            _close(fds)
            return
        for fd in fds:
            known.log = LogReader(fd, known.order, self._on_log)
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

    def _running(self, zygote: Zygote, message: wire.Running, fds: list[int]) -> None:
        order_fd, log_fd = fds
        known = self._known.get(message.replica)
        if known is None:
            order = _read_order(order_fd)
            if order is None:
                _close(fds)
                zygote.link.send(wire.Stop(message.replica, GIVEN_UP_GRACE_S))
                return
            known = self._known[message.replica] = _Known(order, f"unix:{message.path}", zygote)
            known.taken.set_result(None)
        known.pid, known.ready = message.pid, message.ready
        os.close(order_fd)
        if known.log is None:
            known.log = LogReader(log_fd, known.order, self._on_log)
        else:
            os.close(log_fd)
        if not message.stopping:
            self._recovered.append(RecoveredReplica(known.order, known.address if known.ready else "", zygote.stale))

    def _remains(self, fds: list[int]) -> None:
        """Read the last words of a replica that ended while we were away."""
        order_fd, log_fd = fds
        order = _read_order(order_fd)
        os.close(order_fd)
        if order is None:
            os.close(log_fd)
            return
        LogReader(log_fd, order, self._on_log).finish()


def template_name(order: StartOrder) -> str:
    """Return the name of the template that `order` can be forked from: a digest of all that the import depends on.

    Every function can read it in its own memory, so that of a secret it depends on the version and not on the content,
    which could be guessed from it.
    """
    same = msgspec.structs.replace(order.without_contents(), replica=ReplicaId(""), log_rate_bytes=0, apart=False)
    data = msgspec.msgpack.encode(same, order="sorted")
    return hashlib.sha256(data).hexdigest()


def _read_order(fd: int) -> StartOrder | None:
    try:
        return wire.read_order(fd).without_contents()
    except msgspec.DecodeError as error:  # written by an older version of us
        _log.error("a running replica's order cannot be read: %s", error)
        return None


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
