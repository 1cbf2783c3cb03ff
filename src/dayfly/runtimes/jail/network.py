"""A function's own network: a loopback of its own, and on it the doors that lead outside.

A socket belongs to the network namespace it was made in, whoever holds it. So the way out of a jail is no program and
no route: the jailed process listens on its own loopback before it runs a line of anybody's code, and hands the
listening sockets to the egress proxy outside, which accepts what the function connects. The proxy knows from the socket
whose connection it is and what that function may reach, and there is no other way out.

    127.0.0.1:3128           an HTTP proxy, named in HTTP_PROXY and HTTPS_PROXY
    ADDRESS:PORT             one for each `tcp://HOST:PORT` that was granted; /etc/hosts leads HOST there
"""

import ipaddress
from collections.abc import Iterable, Sequence

from dayfly.model.egress import Grant
from dayfly.runtimes.jail import loopback


class Doors:
    """Where the granted `tcp://` addresses are found in the function's network, and the names that lead there."""

    def __init__(self, grants: Sequence[Grant]) -> None:
        self.names: dict[str, str] = {}
        """Addresses by the host names that stand for them."""
        self.places: tuple[tuple[str, int], ...] = tuple(
            (self._address_for(grant.host), grant.port) for grant in grants
        )
        """Address and port of each, in the order of the grants."""

    def listen(self) -> list[int]:
        """Return the descriptors of sockets that listen there, in this order. Raises OSError."""
        listeners = []
        for address, port in self.places:
            if not loopback.is_loopback(address):
                loopback.add_to_loopback(address)
            listeners.append(loopback.listen(address, port))
        return listeners

    def hosts_file(self, hostname: str) -> str:
        """Return the lines of /etc/hosts."""
        lines = [f"127.0.0.1 localhost {hostname}", "::1 localhost ip6-localhost"]
        return "\n".join(lines + [f"{address} {name}" for name, address in self.names.items()]) + "\n"

    def _address_for(self, host: str) -> str:
        try:
            return str(ipaddress.IPv4Address(host))
        except ipaddress.AddressValueError:
            return self.names.setdefault(host, f"127.0.1.{len(self.names) + 1}")


def proxy_environ(port: int, names: Iterable[str]) -> dict[str, str]:
    """Return the variables that lead programs to the proxy, but not for the host `names`, which have doors."""
    url = f"http://127.0.0.1:{port}"
    environ = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), url)
    environ["NO_PROXY"] = environ["no_proxy"] = ",".join(("localhost", "127.0.0.1", "::1", *names))
    return environ
