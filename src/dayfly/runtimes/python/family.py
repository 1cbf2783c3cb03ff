"""What the zygote knows of the processes it answers for: templates and their replicas.

Nothing here comes from function code. Pids are what `fork` returned or what the kernel stamped on a message
(SCM_CREDENTIALS), and a pidfd holds each one fast, so that a pid used again is never mistaken for the process meant.
"""

import array
import contextlib
import errno
import logging
import os
import resource
import select
import socket
import struct
import time
from collections.abc import Iterator

from dayfly.runtimes.python.cells import Cell, cell_name_of
from dayfly.runtimes.python.limits import Limits
from dayfly.runtimes.python.wire import ExitReason

_log = logging.getLogger("dayfly.runtimes.zygote")

WAITING, AT_WORK = "dayfly-jail", "dayfly-fn"
"""Names of processes: in a jail without a function yet, and with one."""
REPLICA_HELLO = b"R"
"""Replica: the fork happened, the application has yet to start."""
REPLICA_READY = b"r"
"""Replica: the handler is imported and the socket answers."""
REPLICA_FAILED = b"f"
"""Replica: the application would not start."""
TEMPLATE_CONFINED = b"C"
"""Template: no right is left to it. Its first word, said before it reads a line of the function; the descriptors beside
it are what the egress proxy is to serve. A second one means nothing."""
TEMPLATE_IMPORTED = b"I"
TEMPLATE_THREADED = b"T"
"""Template: the import left threads running, so nobody may be forked from this process."""
TEMPLATE_FAILED = b"F"
TEMPLATE_BARRED = b"B"
"""Template: it ran nothing, as it could not be confined or has no program to run."""
NOT_FORKED = "-"
"""Template, in place of a status: no process could be made for the replica."""
DRAIN = b"d"
"""Zygote to replica: finish the calls at hand and end. The seconds it has for that follow."""

MAX_FDS = 40
SPARE_DESCRIPTORS = 24 + MAX_FDS
MAX_JUNK = 1000
PER_EVENT = 16
"""Messages taken from one channel before others get their turn."""
_CREDENTIALS = struct.Struct("3i")


class Replica:
    """One replica, from the moment its start was taken on until its process is gone."""

    def __init__(self, name: str, path: str, order: int, limits: Limits) -> None:
        self.name = name
        self.path = path
        self.limits = limits
        self.cell: Cell | None = None
        self.template: Template
        self.order = order
        self.began = time.monotonic()
        self.took_s = 0.0
        self.listener = listen(path)
        self.log, self.log_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.fchmod(self.log_writer, 0o666)  # so that the function's user may open /dev/stdout
        self.channel, self.far_channel = channel_pair()
        self.pid = 0
        self.pidfd = -1
        self.ready = False
        self.failed = False
        self.stopping = False
        self.killed = False
        self.verdict: ExitReason | None = None
        """Why we ended it, when it was for more than being stopped."""
        self.full_since = 0.0
        """Since when no further process can be made in its cell; 0 while one can."""
        self.halted = False
        """Whether it, or its template, was found stopped by a signal."""
        self.status: int | None = None

    def join(self, template: "Template") -> None:
        """Belong to `template`, which will fork the process."""
        self.template = template
        template.replicas[self.name] = self

    def hand_over(self) -> list[int]:
        """Return what the process needs: socket, log and channel."""
        return [self.listener, self.log_writer, self.far_channel.fileno()]

    def handed_over(self) -> None:
        """Close what only the replica's process may still hold, once it has it."""
        if self.listener >= 0:
            os.close(self.listener)
            os.close(self.log_writer)
            self.far_channel.close()
            self.listener = self.log_writer = -1

    def close(self) -> None:
        """Close every descriptor but the order and the log, and remove the socket's file."""
        self.handed_over()
        self.channel.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
        self.pidfd = -1
        unlink(self.path)

    def close_papers(self) -> None:
        """Close the order and the log."""
        os.close(self.order)
        os.close(self.log)


class Template:
    """One function's process to fork from. A threaded one forks nobody: it is its only replica itself."""

    def __init__(
        self, name: str, pid: int, channel: socket.socket, cell: Cell | None, *, own_net: bool, solo: bool
    ) -> None:
        self.name = name
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.channel = channel
        self.own_net = own_net
        self.solo = solo
        self.cell = cell
        """Its own, in which the import happens; that of the replica too when it is solo."""
        self.cells: dict[str, Cell] = {}
        """Those made for its replicas, by name: in use, or ready for the next."""
        self.replicas: dict[str, Replica] = {}
        self.confined = False
        self.imported = False
        self.verdict = b""
        self.used = time.monotonic()
        self.memory_bytes = 0
        self.to_be_weighed = False
        self.ended = False
        self.excess: ExitReason | None = None
        """Of what it had more than a replica may have, so that we ended it."""
        self.junk = 0
        """Messages that meant nothing: function code may have found the channel."""

    def cell_of(self, pid: int) -> Cell | None:
        """Return the cell that a replica's process is in, by the kernel's word; None when in none of ours."""
        return self.cell if self.solo else self.cells.get(cell_name_of(pid))

    def has_hung_up(self) -> bool:
        """Whether its process is about to end, before its pidfd says that it has: it takes no more orders."""
        poll = select.poll()
        poll.register(self.channel, 0)  # an end is told whatever is asked for
        return bool(poll.poll(0))

    def babbles(self) -> bool:
        """Count a message that meant nothing; return whether they have become a flood."""
        self.junk += 1
        if self.junk == MAX_JUNK:
            _log.warning("template %s sends what means nothing and is ended", self.name[:12])
        return self.junk == MAX_JUNK

    def hear_confined(self) -> list[int]:
        """Take the template's first word, if it was said, and return the sockets that came with it.

        Only the first is listened to: whatever comes later may be the function's.
        """
        fds: list[int] = []
        try:
            data, pid = receive_stamped(self.channel, fds)
        except BlockingIOError:
            return []
        self.confined = True
        if data == TEMPLATE_CONFINED and pid == self.pid:
            return fds
        for fd in fds:
            os.close(fd)
        if data == TEMPLATE_BARRED:
            self.verdict = data
        return []


def check_descriptors() -> None:
    """Raise OSError (EMFILE) unless there are enough left for a replica, its template and a provider that connects.

    To run out of them half way would leave a process that nobody can watch.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    if lowest + SPARE_DESCRIPTORS > limit:
        raise OSError(errno.EMFILE, f"this account may have {limit} files open, and they are (ulimit -n raises that)")


def listen(path: str) -> int:
    """Return the descriptor of a socket that listens at `path`, mode 0600, or at HOST:PORT. Raises OSError."""
    if not path.startswith("/"):
        host, _, port = path.rpartition(":")
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host.strip("[]"), int(port)), family=kind, backlog=1024) as server:
            server.setblocking(False)
            return server.detach()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(path)
        os.chmod(path, 0o600)
        sock.listen(1024)
        sock.setblocking(False)
        return sock.detach()


def unlink(path: str) -> None:
    """Remove the file of a socket that nobody listens at any more."""
    if path.startswith("/"):
        with contextlib.suppress(OSError):  # gone already, or on a disk that became read-only, which keeps it
            os.unlink(path)


def grace_of(drain: bytes) -> float:
    """Return the seconds that a replica has to end in, by the message that drains it."""
    return float(drain[len(DRAIN) :])


def tell_status(channel: socket.socket, name: str, status: int) -> None:
    """Tell the zygote, over a template's channel, the wait status that a replica ended with."""
    channel.send(f"{name} {status}".encode())


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Return our end, on which the kernel stamps the sender's pid, and the end to give away."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    near.setblocking(False)
    return near, far


def receive_stamped(channel: socket.socket, keep: list[int] | None = None) -> tuple[bytes, int]:
    """Return the next message and its sender's pid, 0 when unknown; no bytes at the end. Raises BlockingIOError.

    Descriptors that come with it are added to `keep`, or closed: function code may send some to fill our table.
    """
    size = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(MAX_FDS * array.array("i").itemsize)
    try:
        data, ancillary, _flags, _address = channel.recvmsg(4096, size, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return b"", 0
    pid = 0
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            pid = _CREDENTIALS.unpack(payload[: _CREDENTIALS.size])[0]
        elif level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds = array.array("i")
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
            if keep is not None:
                keep.extend(fds)
            else:
                for fd in fds:
                    os.close(fd)
    return data, pid


def heard(channel: socket.socket) -> Iterator[tuple[bytes, int]]:
    """Return some of the messages that wait in `channel`, each with its sender's pid; no bytes for the end."""
    for _ in range(PER_EVENT):
        try:
            data, pid = receive_stamped(channel)
        except BlockingIOError:
            return
        yield data, pid
        if not data:
            return
