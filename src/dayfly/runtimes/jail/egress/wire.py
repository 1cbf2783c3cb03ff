"""What a spawner tells the egress proxy, over one SOCK_SEQPACKET unix socket.

One message is one packet in MessagePack. The listening sockets of a jail travel beside it, and before them a memory
file with what the function was granted: the spawner passes it on unread, since its memory is where every function
begins. A spawner that connects anew says everything again.
"""

import os

import msgspec

MAX_PACKET_BYTES = 256
MAX_PACKET_FDS = 40


class Open(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Serve a jail's sockets. Descriptors: the pass, the HTTP proxy's socket, one for each granted tcp:// address."""

    jail: int
    lasting: bool = False
    """Whether the function outlives the spawner's connection, so that what it has open with it is left alone then."""


class Close(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """The jail is gone; end its connections."""

    jail: int


class Pass(msgspec.Struct, frozen=True):
    """Whose connections they are and where they may lead."""

    function: str
    """`name.namespace`, for the log."""
    allow: tuple[str, ...]


ToEgress = Open | Close

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(ToEgress).decode
_encode_pass = msgspec.msgpack.Encoder().encode
_decode_pass = msgspec.msgpack.Decoder(Pass).decode


def pass_file(granted: Pass) -> int:
    """Return the descriptor of a memory file that holds the pass."""
    fd = os.memfd_create("dayfly-pass", os.MFD_CLOEXEC)
    os.write(fd, _encode_pass(granted))
    return fd


def read_pass(fd: int) -> Pass:
    """Return the pass that the memory file holds. Raises msgspec.DecodeError."""
    return _decode_pass(os.pread(fd, os.fstat(fd).st_size, 0))
