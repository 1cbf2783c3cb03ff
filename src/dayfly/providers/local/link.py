"""The provider's side of the zygote's socket: messages with descriptors, on the event loop.

asyncio's transports carry no descriptors, so this reads and writes the socket itself when the loop says it may.
"""

import asyncio
import collections
import logging
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from dayfly.model.errors import Unavailable
from dayfly.runtimes.python import wire

_log = logging.getLogger("dayfly.providers.local")


class ZygoteLink:
    """One connection to a zygote, from `connect` until either side ends it."""

    def __init__(
        self,
        sock: socket.socket,
        on_message: Callable[[wire.FromZygote, list[int]], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._on_lost = on_lost
        self._outbox: collections.deque[tuple[bytes, int]] = collections.deque()
        self._open = True
        self._loop.add_reader(sock.fileno(), self._read)

    @classmethod
    def connect(
        cls, path: Path, on_message: Callable[[wire.FromZygote, list[int]], None], on_lost: Callable[[], None]
    ) -> "ZygoteLink":
        """Connect to the zygote that listens at `path`; it says hello when it serves us. Raises Unavailable."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.setblocking(False)
        try:
            sock.connect(str(path))
        except OSError as error:
            sock.close()
            raise Unavailable(f"the Python runtime's zygote cannot be reached at {path}: {error.strerror}") from error
        return cls(sock, on_message, on_lost)

    def send(self, message: wire.ToZygote, fd: int = -1) -> None:
        """Send `message` and `fd`, which is closed when it was sent. Raises Unavailable when the link is lost."""
        if not self._open:
            if fd >= 0:
                os.close(fd)
            raise Unavailable("the Python runtime's zygote is restarting; try again")
        self._outbox.append((wire.encode(message), fd))
        if len(self._outbox) == 1:
            self._flush()

    def close(self) -> None:
        """Disconnect. Idempotent."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        for _data, fd in self._outbox:
            if fd >= 0:
                os.close(fd)
        self._outbox.clear()

    def _flush(self) -> None:
        while self._outbox and self._open:
            data, fd = self._outbox[0]
            try:
                socket.send_fds(self._sock, [data], [fd] if fd >= 0 else [])
            except BlockingIOError:
                self._loop.add_writer(self._sock.fileno(), self._flush)
                return
            except OSError as error:
                self._lost(error)
                return
            self._outbox.popleft()
            if fd >= 0:
                os.close(fd)
        if self._open:
            self._loop.remove_writer(self._sock.fileno())

    def _read(self) -> None:
        while self._open:
            try:
                data, fds = wire.receive(self._sock)
            except BlockingIOError:
                return
            except OSError as error:
                self._lost(error)
                return
            if not data:
                self._lost(None)
                return
            self._deliver(data, fds)

    def _deliver(self, data: bytes, fds: Sequence[int]) -> None:
        try:
            message = wire.decode_from_zygote(data)
        except msgspec.DecodeError as error:
            _log.error("the zygote sent what is no message: %s", error)
            for fd in fds:
                os.close(fd)
            return
        self._on_message(message, list(fds))

    def _lost(self, error: OSError | None) -> None:
        if self._open:
            _log.warning("the zygote's connection ended%s", f": {error}" if error else "")
            self.close()
            self._on_lost()
