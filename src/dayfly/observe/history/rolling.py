"""Rolling up: what the samples of a span come to, for the next coarser tier.

A sample is kept where the value changed, and nothing where it stayed: whoever reads knows the moments of all samples
and carries the last value on. Of a span, the last value stays with its own moment, so that a counter's samples in a
coarse tier are some of those that it had, and what it rose by is the same in both. Beside it stand the lowest and the
highest value, the sum and the number of samples, which gauges need.
"""

from collections.abc import Sequence

import msgspec


class Point(msgspec.Struct, frozen=True):
    """A value that a series has from a moment on, until the next; None where it ended.

    One that stands for several samples of different values has what they came to.
    """

    at_ms: int
    value: float | None
    low: float | None = None
    high: float | None = None
    total: float | None = None
    number: int | None = None


class Moment(msgspec.Struct, frozen=True):
    """A moment at which samples were taken, and for how many of the finest tier it stands."""

    at_ms: int
    number: int


def rolled(moments: Sequence[Moment], before: float | None, points: Sequence[Point]) -> list[Point]:
    """Return what a series came to over the moments of a span: one point, and an end if it ended; none of no sample.

    `before` is the value it had when the span began, `points` its changes within.
    """
    value, last, last_ms = before, 0.0, 0
    low = high = total = 0.0
    number = 0
    changes = {point.at_ms: point for point in points}
    # What ended between two moments still has a sample of its own, as tiers made of tiers have.
    times = {moment.at_ms: moment.number for moment in moments}
    for at_ms in sorted({*times, *changes}):
        point = changes.get(at_ms)
        value = value if point is None else point.value
        if value is None:
            continue
        count = times.get(at_ms, 1) if point is None or point.number is None else point.number
        least, most = (value, value) if point is None or point.low is None else (point.low, point.high)
        assert most is not None
        low, high = (least, most) if not number else (min(low, least), max(high, most))
        total += value * count if point is None or point.total is None else point.total
        number, last_ms, last = number + count, at_ms, value
    found: list[Point] = []
    if number:
        is_flat = low == high and number == sum(times.values())
        found.append(Point(last_ms, last) if is_flat else Point(last_ms, last, low, high, total, number))
    if value is None and (number or before is not None):
        found.append(Point(max(moments[-1].at_ms, last_ms + 1), None))
    return found


def changed(points: Sequence[Point], carried: float | None) -> list[Point]:
    """Return the points that say something new to whoever carries on the value before them."""
    found = []
    for point in points:
        if point.low is not None or point.value != carried:
            found.append(point)
        carried = point.value
    return found
