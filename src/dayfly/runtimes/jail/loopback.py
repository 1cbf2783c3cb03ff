"""The loopback of a network namespace: switched on, given further addresses, listened at.

Standard library only: what runs in somebody else's network carries as little as it can.
"""

import fcntl
import ipaddress
import os
import socket
import struct

PROXY_PORT = 3128
_BACKLOG = 128
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
_UP = 1


def loopback_up() -> None:
    """Switch on the loopback of this network namespace. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _UP))


def listen(address: str = "127.0.0.1", port: int = PROXY_PORT) -> int:
    """Return the descriptor of a socket that listens at the address, for the proxy to accept from. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        sock.bind((address, port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
        return sock.detach()


def port_of(listener: int) -> int:
    """Return the port that the socket at this descriptor listens at."""
    with socket.socket(fileno=os.dup(listener)) as sock:
        return int(sock.getsockname()[1])


def free_port() -> int:
    """Return a port of the loopback that nobody listens at now. Raises OSError."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def is_loopback(address: str) -> bool:
    """Whether every network namespace has the IPv4 address of its own accord."""
    return address.startswith("127.")


def add_to_loopback(address: str) -> None:
    """Make `address` one of this namespace's own, so that connecting to it ends here. Raises OSError."""
    label = f"lo:{int(ipaddress.IPv4Address(address)):x}".encode()
    packed = socket.inet_aton(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        for request, value in ((_SIOCSIFADDR, packed), (_SIOCSIFNETMASK, b"\xff\xff\xff\xff")):
            fcntl.ioctl(control, request, struct.pack("16sHH4s16x", label, socket.AF_INET, 0, value))
