"""The other side of the egress proxy: which jails have sockets to be served, told again whenever it starts anew.

Whoever makes jails keeps their listening sockets, because the proxy may die: what a function connects meanwhile waits
in them, and the next proxy gets them all. Nothing here ever blocks or fails; a function without a proxy finds that its
connections are not answered.
"""

import logging
import os
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from dayfly.runtimes.jail.egress import wire

_log = logging.getLogger("dayfly.runtimes.egress")

_RETRY_S = 0.2


class Reactor(Protocol):
    """Calls back when a descriptor can be read, or a time has come."""

    def on_readable(self, fd: int, callback: Callable[[], None]) -> None:
        """Call back whenever `fd` can be read or has ended; until `forget`."""

    def forget(self, fd: int) -> None:
        """Stop calling back for `fd`; to be called before it is closed."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Call back once after `delay_s` seconds."""


class Outlets:
    """The jails that have a way out; `path` is where the proxy listens, empty when there is none.

    `lasting` says that the jails outlive this process.
    """

    def __init__(self, reactor: Reactor, path: str, *, lasting: bool = False) -> None:
        self._reactor = reactor
        self._path = path
        self._lasting = lasting
        self._peer: socket.socket | None = None
        self._jails: dict[int, list[int]] = {}
        self._retrying = False
        self._inode = 0

    def open(self, jail: int, fds: list[int]) -> None:
        """Have a jail's sockets served: its pass (see wire.py), then they; the descriptors are ours from now on."""
        self._jails[jail] = fds
        if self._peer is None:
            self._connect()
        else:
            self._send(wire.Open(jail, self._lasting), fds)

    def close(self, jail: int) -> None:
        """The jail is gone. Unknown ones are no error."""
        fds = self._jails.pop(jail, None)
        if fds is not None:
            for fd in fds:
                os.close(fd)
            self._send(wire.Close(jail), ())

    def look(self) -> None:
        """Go over to another proxy, if one has taken the place of ours, which then can go."""
        if self._peer is not None and _inode(self._path) not in (0, self._inode):
            self._part()
            self._connect()

    def end(self) -> None:
        """The jails are somebody else's to have served from now on."""
        self._part()
        for jail in list(self._jails):
            self.close(jail)

    def _connect(self) -> None:
        self._retrying = False
        if not self._path or self._peer is not None or not self._jails:
            return
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        peer.setblocking(False)
        inode = _inode(self._path)
        try:
            peer.connect(self._path)
        except OSError as error:
            peer.close()
            _log.debug("no egress proxy yet: %s", error)
            self._retry()
            return
        self._peer, self._inode = peer, inode
        self._reactor.on_readable(peer.fileno(), self._lost)
        for jail, fds in self._jails.items():
            self._send(wire.Open(jail, self._lasting), fds)

    def _send(self, message: wire.ToEgress, fds: Sequence[int]) -> None:
        if self._peer is None:
            return
        try:
            socket.send_fds(self._peer, [wire.encode(message)], fds)
        except OSError as error:  # gone, or so far behind that beginning anew is the better way
            _log.warning("the egress proxy takes no message: %s", error)
            self._lost()

    def _lost(self) -> None:
        """Connect again: it has nothing to say, so a word from it is its end."""
        if self._peer is not None:
            self._part()
            self._retry()

    def _part(self) -> None:
        if self._peer is not None:
            self._reactor.forget(self._peer.fileno())
            self._peer.close()
            self._peer = None

    def _retry(self) -> None:
        if not self._retrying:
            self._retrying = True
            self._reactor.call_later(_RETRY_S, self._connect)


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0
