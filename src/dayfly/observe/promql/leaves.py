"""The leaves of a query: at each moment the last values of series, or what a function makes of those in a span.

Of a leaf that is about the same moment whichever is asked for, the first is reckoned and holds for all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from dayfly.observe.promql import windows
from dayfly.observe.promql.faults import QueryFailed
from dayfly.observe.promql.nodes import Node, Ranged, Selector, Subquery
from dayfly.observe.promql.series import Column, Labels, Samples, Tick, Value

LOOKBACK_MS = 300_000
"""How old a sample may be to stand for a moment after it."""
MAX_MOMENTS = 200_000
"""Of a subquery."""


class Loaded(msgspec.Struct, frozen=True):
    """The series of one selector."""

    series: Sequence[Samples]
    lookback_ms: int = LOOKBACK_MS
    least_range_ms: int = 0
    """A shorter range is as long as this: where samples are far from each other, it would have too few."""


class Leaves:
    """The leaves at some moments; `vector` reckons what a subquery is made of at others."""

    def __init__(
        self, steps: Sequence[int], loaded: Mapping[Selector, Loaded], tick: Tick,
        vector: Callable[[Node, list[int]], list[Column]],
    ) -> None:  # fmt: skip
        self._steps = steps
        self._loaded = loaded
        self._tick = tick
        self._vector = vector

    def last(self, node: Selector, value: Callable[[Samples, int], Value]) -> list[Column]:
        """Return what `value` says of the last sample of each series."""
        loaded, found = self._loaded[node], []
        steps, times = self._moments(node, alike=True)
        for samples in loaded.series:
            self._tick(len(self._steps))
            values: list[Value] = []
            for step in steps:
                at = samples.latest(node.moment(step), loaded.lookback_ms)
                values.append(None if at < 0 else value(samples, at))
            found.append(Column(samples.labels, values * times))
        return found

    def over_time(self, node: Node, function: windows.Function, *, alike: bool = True) -> list[Column]:
        """Return what a function makes of the samples in the node's span, where there are any.

        `alike` says that of the same span it makes the same at any moment.
        """
        node = _ranged(node)
        loaded, found = self._load(node), []
        range_ms = max(node.range_ms, loaded.least_range_ms)
        steps, times = self._moments(node, alike=alike)
        for samples in loaded.series:
            living = samples.living()
            self._tick(len(self._steps))
            values: list[Value] = []
            for step in steps:
                to_ms = node.moment(step)
                low, high = living.within(to_ms - range_ms, to_ms)
                if low == high:
                    values.append(None)
                    continue
                self._tick(high - low)
                values.append(function(windows.Span(living, low, high, to_ms - range_ms, to_ms, step)))
            found.append(Column(samples.labels, values * times))
        return found

    def spans(self, node: Node) -> Iterator[tuple[Labels, list[tuple[int, float]]]]:
        """Yield the samples in the node's span before the first moment, of the series that have any."""
        node = _ranged(node)
        to_ms = node.moment(self._steps[0])
        for series in (one.living() for one in self._load(node).series):
            low, high = series.within(to_ms - node.range_ms, to_ms)
            pairs = zip(series.times[low:high], series.values[low:high], strict=True)
            if points := [(moment, value) for moment, value in pairs if value is not None]:
                yield series.labels, points

    def _moments(self, node: Ranged, *, alike: bool) -> tuple[Sequence[int], int]:
        """Return the moments to reckon, and how often what they come to holds."""
        return (self._steps[:1], len(self._steps)) if alike and node.fixed_ms is not None else (self._steps, 1)

    def _load(self, node: Ranged) -> Loaded:
        if isinstance(node, Selector):
            return self._loaded[node]
        moments = self._inner(node)
        columns = self._vector(node.operand, moments) if moments else []
        return Loaded([Samples(column.labels, moments, column.values) for column in columns])

    def _inner(self, node: Subquery) -> list[int]:
        """Return the moments within any of the spans, each once. Raises QueryFailed for very many."""
        found: list[int] = []
        for step in self._steps:
            to_ms = node.moment(step)
            first_ms = -((node.range_ms - to_ms) // node.every_ms) * node.every_ms
            more = range(max(first_ms, found[-1] + node.every_ms) if found else first_ms, to_ms + 1, node.every_ms)
            if len(found) + len(more) > MAX_MOMENTS:
                raise QueryFailed(
                    f"the subquery comes to more than {MAX_MOMENTS:,} moments",
                    hint="ask for a shorter range or a longer step",
                )
            self._tick(len(more))
            found.extend(more)
        return found


def _ranged(node: Node) -> Ranged:
    assert isinstance(node, Selector | Subquery)
    return node
