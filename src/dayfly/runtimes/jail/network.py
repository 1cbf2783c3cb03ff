"""A function's own network: a loopback of its own, and on it the doors that lead outside.

A socket belongs to the network namespace it was made in, whoever holds it. So the way out of a jail is no program and
no route: the jailed process listens on its own loopback before it runs a line of anybody's code, and hands the
listening sockets to the egress proxy outside, which accepts what the function connects. The proxy knows from the socket
whose connection it is and what that function may reach, and there is no other way out.

    127.0.0.1:3128           an HTTP proxy, named in HTTP_PROXY and HTTPS_PROXY
    ADDRESS:PORT             one for each `tcp://HOST:PORT` that was granted; /etc/hosts leads HOST there
"""

import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Sequence

from dayfly.model.egress import Grant

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
    """Return the port that the socket listens at."""
    with socket.socket(fileno=os.dup(listener)) as sock:
        return int(sock.getsockname()[1])


class Doors:
    """The sockets that stand for granted `tcp://` addresses, and the names that lead to them."""

    def __init__(self, grants: Sequence[Grant]) -> None:
        self.names: dict[str, str] = {}
        """Addresses by the host names that stand for them."""
        self.listeners: list[int] = []
        for grant in grants:
            self.listeners.append(listen(self._address_for(grant.host), grant.port))

    def hosts_file(self, hostname: str) -> str:
        """Return the lines of /etc/hosts."""
        lines = [f"127.0.0.1 localhost {hostname}", "::1 localhost ip6-localhost"]
        return "\n".join(lines + [f"{address} {name}" for name, address in self.names.items()]) + "\n"

    def _address_for(self, host: str) -> str:
        try:
            address = str(ipaddress.IPv4Address(host))
        except ipaddress.AddressValueError:
            return self.names.setdefault(host, f"127.0.1.{len(self.names) + 1}")
        if not address.startswith("127."):
            _add_to_loopback(address)
        return address


def _add_to_loopback(address: str) -> None:
    """Make `address` one of this namespace's own, so that connecting to it ends at our door. Raises OSError."""
    label = f"lo:{int(ipaddress.IPv4Address(address)):x}".encode()
    packed = socket.inet_aton(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        for request, value in ((_SIOCSIFADDR, packed), (_SIOCSIFNETMASK, b"\xff\xff\xff\xff")):
            fcntl.ioctl(control, request, struct.pack("16sHH4s16x", label, socket.AF_INET, 0, value))
