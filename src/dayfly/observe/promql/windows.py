"""Functions of the samples in a span: `rate`, `increase`, `max_over_time` and the like, as Prometheus defines them.

A counter may fall: it began anew, at zero. What it rose by is what was before the fall and after it. `rate`, `increase`
and `delta` reckon what lies between the samples up to the borders of the span: up to the border itself when it is not
much further from a sample than samples are from each other, else for half as far; and no counter is followed to below
zero.

Samples that stand for several are taken for all that they stand for, where a function can.
"""

import itertools
import math
from collections.abc import Callable

import msgspec

from dayfly.observe.promql.histograms import quantile
from dayfly.observe.promql.series import Samples, Value

_FURTHER = 1.1


class Span(msgspec.Struct, frozen=True):
    """The samples `[low:high]` of a series, which lie within a span; there is at least one."""

    series: Samples
    low: int
    high: int
    from_ms: int
    to_ms: int
    asked_ms: int
    """The moment that is asked for, which the span may lie apart from."""

    @property
    def values(self) -> list[float]:
        """The values."""
        return self.series.values[self.low : self.high]  # type: ignore[return-value]  # its ends were taken out

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.to_ms - self.from_ms) / 1000


Function = Callable[[Span], Value]


def _risen(span: Span) -> float:
    series = span.series
    if not series.rises:
        total, before = 0.0, 0.0
        for value in series.values:
            assert value is not None
            if value < before:
                total += before
            series.rises.append(total)
            before = value
    first, last = series.values[span.low], series.values[span.high - 1]
    assert first is not None
    assert last is not None
    return last - first + (series.rises[span.high - 1] - series.rises[span.low])


def _extrapolated(span: Span, *, counts: bool, per_second: bool) -> Value:
    number, times = span.high - span.low, span.series.times
    if number < 2:
        return None
    first, last = span.series.values[span.low], span.series.values[span.high - 1]
    assert first is not None
    assert last is not None
    result = _risen(span) if counts else last - first
    to_start = (times[span.low] - span.from_ms) / 1000
    to_end = (span.to_ms - times[span.high - 1]) / 1000
    sampled = (times[span.high - 1] - times[span.low]) / 1000
    between = sampled / (number - 1)
    if counts and result > 0 and first >= 0:
        to_start = min(to_start, sampled * (first / result))
    reach = sampled
    reach += to_start if to_start < between * _FURTHER else between / 2
    reach += to_end if to_end < between * _FURTHER else between / 2
    factor = reach / sampled
    return result * (factor / span.seconds if per_second else factor)


def _instant(span: Span, *, counts: bool) -> Value:
    if span.high - span.low < 2:
        return None
    before, last = span.series.values[span.high - 2 : span.high]
    assert before is not None
    assert last is not None
    change = last if counts and last < before else last - before
    if not counts:
        return change
    return change / ((span.series.times[span.high - 1] - span.series.times[span.high - 2]) / 1000)


def _sum(span: Span) -> float:
    kept = span.series.totals
    return math.fsum(kept[span.low : span.high]) if kept is not None else _added(span.values)


def _added(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # infinities of both signs
        return sum(values)


def _count(span: Span) -> float:
    kept = span.series.counts
    return float(sum(kept[span.low : span.high]) if kept is not None else span.high - span.low)


def _least(span: Span) -> float:
    kept = span.series.lows
    return _extreme(list(kept[span.low : span.high]) if kept is not None else span.values, min)


def _most(span: Span) -> float:
    kept = span.series.highs
    return _extreme(list(kept[span.low : span.high]) if kept is not None else span.values, max)


def _extreme(values: list[float], choose: Callable[[list[float]], float]) -> float:
    return choose([value for value in values if value == value] or [math.nan])


def _variance(span: Span) -> float:
    values = span.values
    mean = _added(values) / len(values)
    return _added([(value - mean) ** 2 for value in values]) / len(values)


def _changes(span: Span) -> float:
    values = span.values
    return float(sum(a != b and not (a != a and b != b) for a, b in itertools.pairwise(values)))


def _resets(span: Span) -> float:
    values = span.values
    return float(sum(b < a for a, b in itertools.pairwise(values)))


def line(span: Span, at_ms: int) -> tuple[float, float] | None:
    """Return slope a second and value at a moment of the line through the samples; None with fewer than two."""
    values, count = span.values, span.high - span.low
    if count < 2:
        return None
    if all(value == values[0] for value in values):
        return (math.nan, math.nan) if math.isinf(values[0]) else (0.0, values[0])
    xs = [(moment - at_ms) / 1000 for moment in span.series.times[span.low : span.high]]
    sum_x, sum_y = _added(xs), _added(values)
    covariance = _added([x * y for x, y in zip(xs, values, strict=True)]) - sum_x * sum_y / count
    variance = _added([x * x for x in xs]) - sum_x * sum_x / count
    slope = covariance / variance
    return slope, sum_y / count - slope * sum_x / count


def _slope(span: Span) -> Value:
    found = line(span, span.series.times[span.low])
    return None if found is None else found[0]


def quantile_over_time(at: float) -> Function:
    """Return the function that finds this quantile of the values."""
    return lambda span: quantile(at, span.values)


FUNCTIONS: dict[str, Function] = {
    "avg_over_time": lambda span: _sum(span) / _count(span),
    "changes": _changes,
    "count_over_time": _count,
    "delta": lambda span: _extrapolated(span, counts=False, per_second=False),
    "deriv": _slope,
    "idelta": lambda span: _instant(span, counts=False),
    "increase": lambda span: _extrapolated(span, counts=True, per_second=False),
    "irate": lambda span: _instant(span, counts=True),
    "last_over_time": lambda span: span.series.values[span.high - 1],
    "max_over_time": _most,
    "min_over_time": _least,
    "present_over_time": lambda _span: 1.0,
    "rate": lambda span: _extrapolated(span, counts=True, per_second=True),
    "resets": _resets,
    "stddev_over_time": lambda span: math.sqrt(_variance(span)),
    "stdvar_over_time": _variance,
    "sum_over_time": _sum,
}
