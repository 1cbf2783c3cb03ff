"""The zygote's side of its socket: one provider at a time, messages with descriptors, nothing ever blocking.

What happens while nobody is connected is not lost: replicas that end meanwhile leave their order and log pipe behind,
to be handed to the next provider, so that a crash's last words are read even when the control plane was away.
"""

import collections
import logging
import os
import socket
import struct
from collections.abc import Sequence

import msgspec

from dayfly.runtimes.private_socket import bind_private
from dayfly.runtimes.python import wire
from dayfly.runtimes.python.family import Replica
from dayfly.runtimes.python.reactor import Reactor
from dayfly.runtimes.python.spawner import Spawner

_log = logging.getLogger("dayfly.runtimes.zygote")

MAX_REMAINS = 256
"""Ended replicas kept for a provider that is away; the oldest are forgotten first."""


class ControlSocket:
    """Listens at the zygote's path and lets one provider command the spawner."""

    def __init__(self, reactor: Reactor, spawner: Spawner, path: str) -> None:
        self._reactor = reactor
        self._spawner = spawner
        self._peer: socket.socket | None = None
        self._outbox: collections.deque[tuple[bytes, tuple[int, ...], bool]] = collections.deque()
        self._remains: collections.deque[Replica] = collections.deque()
        self._listener = bind_private(path, socket.SOCK_SEQPACKET)
        spawner.report, spawner.on_gone = self.send, self._keep_papers
        self._listener.listen(4)
        reactor.on_readable(self._listener.fileno(), self._accept)

    @property
    def unheard(self) -> bool:
        """Whether there is something to say that no provider has taken yet."""
        return bool(self._remains or self._outbox)

    def send(self, message: wire.FromZygote, fds: Sequence[int], *, close: bool = False) -> None:
        """Send `message` with `fds`, now or when the provider reads on; dropped when none is connected.

        `close` closes the descriptors once they are sent.
        """
        if self._peer is None:
            if close:
                _close(fds)
            return
        self._outbox.append((wire.encode(message), tuple(fds), close))
        if len(self._outbox) == 1:
            self._flush()

    def _accept(self) -> None:
        peer, _ = self._listener.accept()
        _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != os.geteuid():
            _log.warning("a process of user %d tried to command the zygote and was refused", uid)
            peer.close()
            return
        peer.setblocking(False)
        self._peer = peer
        self._reactor.forget(self._listener.fileno())
        self._reactor.on_readable(peer.fileno(), self._read)
        self.send(wire.Hello(os.getpid()), ())

    def _read(self) -> None:
        while self._peer is not None:
            try:
                data, fds = wire.receive(self._peer)
            except BlockingIOError:
                return
            except OSError as error:
                _log.warning("the provider's connection failed: %s", error)
                data, fds = b"", []
            if not data:
                self._lost()
                return
            try:
                self._obey(wire.decode_to_zygote(data), fds)
            except msgspec.DecodeError as error:
                _log.error("the provider sent what is no message: %s", error)
                _close(fds)

    def _obey(self, message: wire.ToZygote, fds: list[int]) -> None:
        match message:
            case wire.Start():
                self._start(message, fds)
            case wire.Stop():
                self._spawner.stop(message)
            case wire.Recover():
                self._recover()

    def _start(self, message: wire.Start, fds: list[int]) -> None:
        if len(fds) != 1:
            _log.error("a start came with %d descriptors instead of 1", len(fds))
            _close(fds)
            return
        try:
            self._spawner.start(message, fds[0])
        except OSError as error:  # no process, descriptor or socket to be had: the machine is full
            _log.error("replica %s could not be started: %s", message.replica, error)
            os.close(fds[0])
            self.send(wire.Exited(message.replica, "start_failed", f"no process could be made: {error.strerror}"), ())

    def _recover(self) -> None:
        for replica in self._spawner.replicas.values():
            told = wire.Running(
                replica.name, replica.path, replica.pid, replica.ready, replica.took_s, replica.stopping
            )
            self.send(told, (replica.order, replica.log))
        while self._remains:
            replica = self._remains.popleft()
            self.send(wire.Remains(replica.name), (replica.order, replica.log), close=True)
        self.send(wire.Recovered(), ())

    def _keep_papers(self, replica: Replica) -> None:
        if self._peer is not None:  # the provider has the log already, and wrote the order
            self._outbox.append((b"", (replica.order, replica.log), True))
            if len(self._outbox) == 1:
                self._flush()
            return
        self._remains.append(replica)
        while len(self._remains) > MAX_REMAINS:
            self._remains.popleft().close_papers()

    def _flush(self) -> None:
        while self._outbox and self._peer is not None:
            data, fds, close = self._outbox[0]
            try:
                if data:
                    socket.send_fds(self._peer, [data], fds)
            except BlockingIOError:
                self._reactor.on_writable(self._peer.fileno(), self._flush)
                return
            except OSError as error:  # it is gone: its end is read next
                _log.info("the provider is gone: %s", error)
            self._outbox.popleft()
            if close:
                _close(fds)
        if self._peer is not None:
            self._reactor.on_writable(self._peer.fileno(), None)

    def _lost(self) -> None:
        if self._peer is not None:
            self._reactor.forget(self._peer.fileno())
            self._peer.close()
        self._peer = None
        for _data, fds, close in self._outbox:
            if close:
                _close(fds)
        self._outbox.clear()
        self._reactor.on_readable(self._listener.fileno(), self._accept)


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
