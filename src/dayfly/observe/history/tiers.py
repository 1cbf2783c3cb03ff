"""How fine and for how long figures are kept: four tiers, each made of the one before it.

The newest is known to ten seconds, what is long ago to a day. A span is read from the tiers that have it: the coarsest
that is fine enough for the query, what that one no longer has from coarser ones, and what it does not have yet from
finer ones.
"""

from collections.abc import Mapping, Sequence

import msgspec

SAMPLE_S = 10
_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000


class Tier(msgspec.Struct, frozen=True):
    """Samples that are `every_ms` apart, kept for `keep_ms`."""

    every_ms: int
    keep_ms: int


TIERS = (
    Tier(SAMPLE_S * 1000, 6 * _HOUR_MS),
    Tier(_MINUTE_MS, 4 * _DAY_MS),
    Tier(15 * _MINUTE_MS, 90 * _DAY_MS),
    Tier(_DAY_MS, 5 * 366 * _DAY_MS),
)
_RANGE_PARTS = 240
_STEP_PARTS = 4


class Stock(msgspec.Struct, frozen=True):
    """The first and last sample of a tier."""

    oldest_ms: int
    newest_ms: int


class Segment(msgspec.Struct, frozen=True):
    """A span that is read from one tier, both ends included."""

    tier: int
    from_ms: int
    to_ms: int


def fine_enough(range_ms: int, step_ms: int) -> int:
    """Return the coarsest tier that answers a selector well; `range_ms` and `step_ms` are 0 where it has none."""
    wanted_ms = range_ms / _RANGE_PARTS if range_ms else step_ms / _STEP_PARTS
    return max((at for at, tier in enumerate(TIERS) if tier.every_ms <= wanted_ms), default=0)


def segments(stock: Mapping[int, Stock], tier: int, from_ms: int, to_ms: int) -> list[Segment]:
    """Return what to read of which tier, the oldest first, without a gap and without an overlap."""
    found: list[Segment] = []
    at = from_ms
    for each in range(len(TIERS) - 1, -1, -1):
        if each not in stock:
            continue
        # A tier coarser than wanted ends where the next finer one begins.
        finer = [stock[other].oldest_ms for other in range(tier, each) if other in stock]
        least, most = max(at, stock[each].oldest_ms), min([to_ms, stock[each].newest_ms, *(one - 1 for one in finer)])
        if least <= most:
            found.append(Segment(each, least, most))
            at = most + 1
    return found


def coarsest(found: Sequence[Segment]) -> int:
    """Return how far samples of these may be from each other, in milliseconds."""
    return max((TIERS[each.tier].every_ms for each in found), default=TIERS[0].every_ms)
