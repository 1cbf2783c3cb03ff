"""Where a function may connect to: how it is written, and what it means. Pure: no name is looked up here.

| entry | grants |
|---|---|
| `public` | every address of the public Internet; the default |
| `api.example.com`, `api.example.com:443` | that host, on every port or one, whether its address is public or private |
| `*.example.com` | every host below example.com |
| `10.1.2.3`, `10.1.2.0/24:5432`, `[fd00::/8]:443` | those addresses, wherever they are |
| `tcp://db.internal:5432` | a plain connection to that host and port, for programs that know no HTTP proxy |
| `tcp://localhost:8080` | the same to a port of this machine's own loopback |

Loopback, link-local and metadata addresses, and this machine's own, are granted only where an entry names the address
itself: what a name leads to is decided by whoever keeps the name.
"""

import ipaddress
import re
from typing import Literal

import msgspec

from dayfly.model.errors import InvalidSpec

Network = Literal["none", "proxy", "host"]
"""none: no way out. proxy: what `allow` grants, through the egress proxy. host: the machine's network as it is."""

PUBLIC = "public"
MAX_GRANTS = 64
MAX_DOORS = 32
_HOST = re.compile(r"(\*\.)?(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)
_WITH_PORT = re.compile(r"(?P<host>\[[^\[\]]+\]|[^:\[\]]+)(:(?P<port>[0-9]{1,5}))?", re.ASCII)

Kind = Literal["public", "host", "below", "addresses", "tcp"]


class Grant(msgspec.Struct, frozen=True):
    """One entry of `allow`, understood."""

    kind: Kind
    host: str = ""
    """A host name, a domain without its `*.`, or a network in CIDR notation."""
    port: int = 0
    """0 grants every port."""


def parse_grant(text: str) -> Grant:
    """Return what an entry grants. Raises InvalidSpec."""
    if text == PUBLIC:
        return Grant("public")
    tcp = text.startswith("tcp://")
    match = _WITH_PORT.fullmatch(text.removeprefix("tcp://").lower())
    if match is None or len(text) > 300:
        raise _unreadable(text)
    host, port = match["host"].strip("[]"), int(match["port"] or 0)
    if port > 65_535 or (match["port"] and not port):
        raise _unreadable(text)
    if tcp:
        host = "127.0.0.1" if host == "localhost" else host
        return _door(text, host, port)
    network = _network(host)
    if network is not None:
        return Grant("addresses", str(network), port)
    if not is_name(host):
        raise _unreadable(text)
    return Grant("below", host[2:], port) if host.startswith("*.") else Grant("host", host, port)


def check_allow(network: Network, allow: tuple[str, ...]) -> None:
    """Refuse grants that cannot be read or cannot work together. Raises InvalidSpec."""
    grants = [parse_grant(text) for text in allow]
    doors = {grant for grant in grants if grant.kind == "tcp"}
    if len(grants) > MAX_GRANTS or len(doors) > MAX_DOORS:
        raise InvalidSpec(f"allow: at most {MAX_GRANTS} entries, {MAX_DOORS} of them tcp://, may be given")
    if network != "proxy" and allow not in ((), (PUBLIC,)):
        raise InvalidSpec(f"allow: is for network: proxy; with network: {network} it would mean nothing")


def _door(text: str, host: str, port: int) -> Grant:
    is_network = _network(host)
    if not port or host.startswith("*.") or (is_network is None and not is_name(host)):
        raise InvalidSpec(f"allow: {text[:80]!r} must be tcp://HOST:PORT with one host name or IPv4 address")
    if is_network is not None and (is_network.version != 4 or is_network.num_addresses != 1):
        raise InvalidSpec(f"allow: {text[:80]!r} must name one IPv4 address or a host name")
    if (host, port) == ("127.0.0.1", 3128):
        raise InvalidSpec(f"allow: {text!r} is where the function finds its own proxy")
    return Grant("tcp", str(is_network.network_address) if is_network is not None else host, port)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def is_name(host: str) -> bool:
    """Whether it is a host name; what ends in a number would be read as an address by some, in odd notations."""
    last = host.rpartition(".")[2]
    return _HOST.fullmatch(host) is not None and len(host) <= 253 and not re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last)


def _unreadable(text: str) -> InvalidSpec:
    return InvalidSpec(
        f"allow: {text[:80]!r} is none of public, HOST, HOST:PORT, *.DOMAIN, ADDRESS, ADDRESS/BITS, tcp://HOST:PORT"
    )
