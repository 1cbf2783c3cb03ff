"""How often one peer may be wrong: the brake on guessing passwords (threat T3).

Pure: the clock is an argument. A peer is an IPv4 address or an IPv6 network of 64 bits, the smallest that one customer
gets; the number of peers remembered is bounded, the longest quiet are forgotten first.
"""

import collections
import ipaddress

MAX_PEERS = 10_000


class Attempts:
    """Counts failures in windows: after `limit` of them a peer is refused until its window has passed."""

    def __init__(self, *, limit: int = 5, window_s: float = 60.0) -> None:
        self._limit = limit
        self._window_s = window_s
        self._failures: collections.OrderedDict[str, tuple[float, int]] = collections.OrderedDict()

    def wait_s(self, peer: str, now: float) -> float:
        """Return how long the peer must wait before it may try again, in seconds; 0 when it may now."""
        began, count = self._failures.get(peer_of(peer), (now, 0))
        left_s = began + self._window_s - now
        return left_s if count >= self._limit and left_s > 0 else 0.0

    def failed(self, peer: str, now: float) -> None:
        """Count a failure of the peer."""
        name = peer_of(peer)
        began, count = self._failures.pop(name, (now, 0))
        if now - began >= self._window_s:
            began, count = now, 0
        self._failures[name] = (began, count + 1)
        if len(self._failures) > MAX_PEERS:
            self._failures.popitem(last=False)

    def __len__(self) -> int:
        """How many peers are remembered."""
        return len(self._failures)


def peer_of(address: str) -> str:
    """Return the peer that an address belongs to; all that is not an address is one peer."""
    try:
        parsed = ipaddress.ip_address(address.strip())
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)
