"""May a function connect there? Decided on the address that will be connected to, after the name was looked up.

What a name leads to is decided by whoever keeps the name, and may change between two looks. So a name is looked up
once, each address it has is judged, and the connection goes to a judged address. Three kinds of address:

    closed    loopback, link-local, metadata, multicast, unspecified, this machine's own, and IPv6 ones that stand for
              an IPv4 one: open where a grant names the address, whatever names say
    private   open where a grant names the address or the host
    public    open with `public` too

Python's own `is_global` and `is_private` call several of these public, and differ between versions; the lists below are
what is left after them. Odd spellings of addresses (`0x7f.1`, `2130706433`), which a resolver would take for one, are
no names here and are refused.
"""

import errno
import ipaddress
import socket
from collections.abc import Sequence

from dayfly.model.egress import Grant, is_name, parse_grant

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_CLOSED = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "100.100.100.200/32", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "192.0.0.192/32",
        "224.0.0.0/4", "240.0.0.0/4", "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32",
        "2002::/16", "fe80::/10", "ff00::/8", "fd00:ec2::/32", "fd20:ce::/32",
    )
]  # fmt: skip
_NOT_PUBLIC = [
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "2001::/23", "fc00::/7", "fec0::/10",
    )
]  # fmt: skip


class Rules:
    """What one function was granted. Raises InvalidSpec when an entry cannot be read."""

    def __init__(self, allow: Sequence[str]) -> None:
        self._grants = [parse_grant(text) for text in allow]
        self.doors = [grant for grant in self._grants if grant.kind == "tcp"]
        """The granted plain connections, in the order they were written."""

    def judge(self, host: str, address: Address, port: int) -> str:
        """Return why the function may not connect to `address`, one that `host` has; nothing when it may."""
        if self._names(address, port):
            return ""
        address = _plain(address)
        if self._names(address, port):
            return ""
        if is_closed(address):
            return f"{address} is an address of this machine or its surroundings; it opens to a grant of the address"
        if any(_fits(grant, host, port) for grant in self._grants):
            return ""
        if any(grant.kind == "public" for grant in self._grants):
            if is_public(address):
                return ""
            return f"{address} is a private address; grant {host}:{port} in the function's allow list to open it"
        return f"nothing grants {host}:{port}; add it to the function's allow list"

    def _names(self, address: Address, port: int) -> bool:
        return any(
            grant.kind in ("addresses", "tcp") and grant.port in (0, port) and _holds(grant.host, address)
            for grant in self._grants
        )


def is_closed(address: Address) -> bool:
    """Whether the address is this machine's or leads to who manages it."""
    return any(address in network for network in _CLOSED) or _is_own(address)


def is_public(address: Address) -> bool:
    """Whether the address is one of the public Internet."""
    return address.is_global and not address.is_multicast and not any(address in network for network in _NOT_PUBLIC)


def literal(host: str) -> Address | None:
    """Return the address that `host` spells, None when it is a name. Raises ValueError when it is neither."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        if not is_name(host.removesuffix(".")):
            raise ValueError(f"{host[:80]!r} is neither a host name nor an address in the usual notation") from None
        return None


def _fits(grant: Grant, host: str, port: int) -> bool:
    if grant.port not in (0, port):
        return False
    if grant.kind == "below":
        return host.endswith("." + grant.host)
    return grant.kind in ("host", "tcp") and host == grant.host


def _holds(network: str, address: Address) -> bool:
    try:
        return address in ipaddress.ip_network(network)
    except ValueError:
        return False


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_own(address: Address) -> bool:
    """Whether the address is one of this machine's: only such can be bound to."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((str(address), 0))
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL)
    return True
