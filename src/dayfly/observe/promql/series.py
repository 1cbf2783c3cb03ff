"""Series as a query works on them: labels, samples over time, and columns of values, one for each moment asked for."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from dayfly.observe.promql.nodes import NAME

Labels = tuple[tuple[str, str], ...]
"""Names and values in the order of the names, no value empty; the metric's name is `__name__`."""
Value = float | None
Tick = Callable[[int], None]
"""Told how much was worked on; raises when it was too much or took too long."""


class Samples:
    """A series as it was kept: moments in milliseconds since 1970, rising, and values; None where the series ended.

    A sample that stands for several has what they came to: the lowest and highest, their sum and number.
    """

    __slots__ = ("counts", "highs", "labels", "lows", "rises", "times", "totals", "values")

    def __init__(
        self,
        labels: Labels,
        times: Sequence[int],
        values: Sequence[Value],
        *,
        lows: Sequence[float] | None = None,
        highs: Sequence[float] | None = None,
        totals: Sequence[float] | None = None,
        counts: Sequence[int] | None = None,
    ) -> None:
        self.labels = labels
        self.times = times
        self.values = values
        self.lows = lows
        self.highs = highs
        self.totals = totals
        self.counts = counts
        self.rises: list[float] = []

    def latest(self, at_ms: int, lookback_ms: int) -> int:
        """Return which sample is the last at that moment, -1 when there is none or it is older than that."""
        found = bisect_right(self.times, at_ms) - 1
        if found < 0 or self.times[found] < at_ms - lookback_ms or self.values[found] is None:
            return -1
        return found

    def within(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        """Return the samples from one moment to another, both included, as a slice."""
        return bisect_left(self.times, from_ms), bisect_right(self.times, to_ms)

    def living(self) -> "Samples":
        """Return the samples without the ends."""
        if None not in self.values:
            return self
        kept = [at for at, value in enumerate(self.values) if value is not None]
        some = [None if each is None else [each[at] for at in kept] for each in (self.lows, self.highs, self.totals)]
        return Samples(
            self.labels,
            [self.times[at] for at in kept],
            [self.values[at] for at in kept],
            lows=some[0],
            highs=some[1],
            totals=some[2],
            counts=None if self.counts is None else [self.counts[at] for at in kept],
        )


class Column:
    """A series as a query has it: a value for each moment asked for, None where there is none."""

    __slots__ = ("labels", "values")

    def __init__(self, labels: Labels, values: list[Value]) -> None:
        self.labels = labels
        self.values = values


def without_name(labels: Labels) -> Labels:
    """Return the labels without the metric's name."""
    return tuple(each for each in labels if each[0] != NAME)


def only(labels: Labels, names: frozenset[str]) -> Labels:
    """Return the labels of these names."""
    return tuple(each for each in labels if each[0] in names)


def excluding(labels: Labels, names: frozenset[str]) -> Labels:
    """Return the labels but for these names and the metric's."""
    return tuple(each for each in labels if each[0] not in names and each[0] != NAME)


def shown(labels: Labels) -> str:
    """Return the labels as messages show them."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"
