"""What a provider and the zygote say to each other, over one SOCK_SEQPACKET unix socket.

One message is one packet: a MessagePack map with a `type`, and the descriptors named in the class as SCM_RIGHTS beside
it. The zygote serves one connection at a time; the next waits in the backlog until the present one has ended. It sends
`Hello` first.

A start order may hold what other functions must not see, and every function's process begins as a copy of the zygote's
memory. So an order travels as a descriptor of a memory file that the zygote passes on and never reads, and what
function code wrote travels in its log pipe, which the zygote never reads either.
"""

import fcntl
import os
import socket
from typing import Literal

import msgspec

from dayfly.model.replica import StartOrder
from dayfly.runtimes.python.limits import Limits

MAX_PACKET_BYTES = 8192
MAX_PACKET_FDS = 4
LOG_PIPE_BYTES = 1 << 20

ExitReason = Literal["stopped", "crashed", "killed", "import_failed", "start_failed", "oom", "pids", "timeout", "stuck"]


class Start(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Provider: start a replica. Descriptors: the order."""

    replica: str
    template: str
    """Names the template; equal for replicas that may be forked from the same one."""
    path: str
    """Where to bind the replica's socket."""
    limits: Limits
    own_net: bool = True
    """Whether the function gets a network of its own."""
    solo: bool = False
    """Whether the replica is a process that is not forked from a template."""


class Stop(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Provider: let a replica end, kill it after `grace_s` seconds."""

    replica: str
    grace_s: float


class Recover(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Provider: name every replica; answered by `Running` and `Remains` messages and a `Recovered`."""


class Hello(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Zygote: connected."""

    pid: int


class Taken(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Zygote: a start was taken on. Descriptors: the log pipe's reading end; none when the replica was there before."""

    replica: str


class Forked(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Zygote: the replica's process exists; the pid is the kernel's word."""

    replica: str
    pid: int


class Ready(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Zygote: the replica's handler is imported and its socket answers."""

    replica: str
    took_s: float


class Exited(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Zygote: the replica is gone."""

    replica: str
    reason: ExitReason
    detail: str


class Noticed(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Zygote: something to put into the replica's log."""

    replica: str
    text: str


class Running(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Zygote: a replica that lives. Descriptors: the order, the log pipe's reading end."""

    replica: str
    path: str
    pid: int
    ready: bool
    took_s: float
    stopping: bool = False
    """Whether it was told to end: it finishes its calls and must be sent no more."""


class Remains(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Zygote: a replica that ended while nobody was connected. Descriptors: the order, the log's reading end."""

    replica: str


class Recovered(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Zygote: that was all."""


ToZygote = Start | Stop | Recover
FromZygote = Hello | Taken | Forked | Ready | Exited | Noticed | Running | Remains | Recovered

encode = msgspec.msgpack.Encoder().encode
decode_to_zygote = msgspec.msgpack.Decoder(ToZygote).decode
decode_from_zygote = msgspec.msgpack.Decoder(FromZygote).decode
_encode_order = msgspec.msgpack.Encoder().encode
_decode_order = msgspec.msgpack.Decoder(StartOrder).decode


def order_file(order: StartOrder) -> int:
    """Return the descriptor of a sealed memory file that holds `order`."""
    fd = os.memfd_create("dayfly-order", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    data = memoryview(_encode_order(order))
    while data:
        data = data[os.write(fd, data) :]
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    return fd


def read_order(fd: int) -> StartOrder:
    """Return the order that the memory file holds. Raises msgspec.DecodeError."""
    return _decode_order(os.pread(fd, os.fstat(fd).st_size, 0))


def receive(sock: socket.socket) -> tuple[bytes, list[int]]:
    """Return the next packet and its descriptors; no bytes at the end. Raises BlockingIOError, OSError."""
    data, fds, _flags, _address = socket.recv_fds(sock, MAX_PACKET_BYTES, MAX_PACKET_FDS, socket.MSG_CMSG_CLOEXEC)
    return data, fds
