"""Quantiles: of values, and of the buckets of a histogram, as Prometheus reckons them."""

import math
from collections.abc import Sequence


def quantile(at: float, values: Sequence[float]) -> float:
    """Return the quantile of the values, between two of them in proportion; NaN of none."""
    if not values or math.isnan(at):
        return math.nan
    if not 0 <= at <= 1:
        return math.copysign(math.inf, at)
    ordered = sorted(values, key=lambda value: (value == value, value))
    rank = at * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    part = rank - low
    return ordered[low] * (1 - part) + ordered[high] * part


def bucket_quantile(at: float, buckets: Sequence[tuple[float, float]]) -> float:
    """Return the quantile of a histogram, given as upper bounds with the number of all below; NaN where it has none."""
    if math.isnan(at):
        return math.nan
    if not 0 <= at <= 1:
        return math.copysign(math.inf, at)
    found = _merged(buckets)
    if not found or not math.isinf(found[-1][0]) or found[-1][0] < 0 or len(found) < 2:
        return math.nan
    all_of_them = found[-1][1]
    if all_of_them == 0:
        return math.nan
    rank = at * all_of_them
    place = next((at for at, (_, count) in enumerate(found[:-1]) if count >= rank), len(found) - 1)
    if place == len(found) - 1:
        return found[-2][0]
    bound, count = found[place]
    if place == 0:
        return bound if bound <= 0 else bound * (rank / count) if count else math.nan
    below, before = found[place - 1]
    return below + (bound - below) * ((rank - before) / (count - before) if count != before else math.nan)


def _merged(buckets: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Sort, add up those of one bound, and let none have fewer than the one below, as two scrapes may make it seem."""
    found: list[tuple[float, float]] = []
    for bound, count in sorted(buckets):
        if found and found[-1][0] == bound:
            found[-1] = (bound, found[-1][1] + count)
        else:
            found.append((bound, count))
    most = -math.inf
    for place, (bound, count) in enumerate(found):
        most = max(most, count)
        found[place] = (bound, most)
    return found
