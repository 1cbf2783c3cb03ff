"""Rate limits: one bucket for each client of each route, in this gateway process.

The buckets of all routes together are bounded; those unused for longest are forgotten first, which gives their clients
a full one. Header fields are those of draft-ietf-httpapi-ratelimit-headers, and Retry-After beside them.
"""

import math
from collections import OrderedDict

from dayfly.decide.rates import Bucket, Taken, take
from dayfly.gateway.refusals import Refusal
from dayfly.model.route_entry import RateEntry

MOST_BUCKETS = 50_000


class Buckets:
    """What the clients of all routes have left."""

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        self._most = most
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()

    def take(self, route: str, rate: RateEntry, client: str, now: float) -> Taken:
        """Take a call's token out of a client's bucket."""
        key = (route, client)
        taken = take(rate.calls, rate.window_s, self._buckets.pop(key, None), now)
        self._buckets[key] = taken.bucket
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return taken

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._buckets)


def lines(name: str, rate: RateEntry, taken: Taken) -> bytes:
    """Return what a client is told of its limit, as header lines."""
    policy = f'RateLimit-Policy: "{name}";q={rate.calls};w={math.ceil(rate.window_s)}\r\n'
    return f'{policy}RateLimit: "{name}";r={taken.left};t={taken.full_s}\r\n'.encode()


def exceeded(rate: RateEntry, taken: Taken) -> Refusal:
    """Return the refusal of one call too many."""
    return Refusal(
        429,
        "rate_limited",
        f"This route takes {rate.calls} calls in {rate.window_s:g} s from each client.",
        retry_after_s=taken.next_s,
    )
