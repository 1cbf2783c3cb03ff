"""Questions to the history, and their answers as data: at a moment, over a span, and which series there are."""

from collections.abc import Sequence

import msgspec

from dayfly.observe.history.budget import Budget
from dayfly.observe.history.shelf import Family, Shelf
from dayfly.observe.promql.evaluate import LOOKBACK_MS, evaluate
from dayfly.observe.promql.faults import QueryFailed
from dayfly.observe.promql.nodes import Kind, Selector, Text, selectors
from dayfly.observe.promql.parser import parse, parse_selector
from dayfly.observe.promql.series import Labels

MAX_STEPS = 11_000
MAX_VALUES = 2_000_000


class Line(msgspec.Struct, frozen=True):
    """A series of an answer: moments in milliseconds since 1970, and values."""

    labels: Labels
    points: tuple[tuple[int, float], ...]


class Answer(msgspec.Struct, frozen=True):
    """What a query came to. A scalar is one line without labels; a string has its text."""

    kind: Kind
    lines: tuple[Line, ...]
    text: str = ""


class Extent(msgspec.Struct, frozen=True):
    """Whose series may be seen, and from when to when."""

    namespace: str | None
    """None for all, and for those of the installation itself."""
    from_ms: int
    to_ms: int


def at_moment(shelf: Shelf, query: str, extent: Extent, budget: Budget) -> Answer:
    """Answer a query at the end of the extent. Raises QueryWrong, QueryFailed, StoreUnavailable."""
    tree = parse(query)
    if isinstance(tree, Text):
        return Answer("string", (), tree.value)
    at_ms = extent.to_ms
    with shelf.reading() as reader:
        loaded = {each: shelf.load(reader, each, extent.namespace, at_ms, at_ms, 0, budget) for each in selectors(tree)}
    if isinstance(tree, Selector) and tree.kind == "matrix":
        until_ms = at_ms - tree.offset_ms
        lines = []
        for series in (one.living() for one in loaded[tree].series):
            low, high = series.within(until_ms - tree.range_ms, until_ms)
            pairs = zip(series.times[low:high], series.values[low:high], strict=True)
            points = tuple((moment, value) for moment, value in pairs if value is not None)
            if points:
                lines.append(Line(series.labels, points))
        return Answer("matrix", tuple(lines))
    columns = evaluate(tree, [at_ms], loaded, budget.work)
    lines = [
        Line(column.labels, ((at_ms, value),)) for column in columns for value in column.values if value is not None
    ]
    return Answer(tree.kind, tuple(lines))


def over_span(shelf: Shelf, query: str, extent: Extent, step_ms: int, budget: Budget) -> Answer:
    """Answer a query from the beginning of the extent to its end, step by step.

    Raises QueryWrong, QueryFailed, StoreUnavailable.
    """
    tree = parse(query)
    if tree.kind not in ("scalar", "vector"):
        raise QueryFailed(f"invalid expression type {tree.kind!r} for range query, must be scalar or instant vector")
    steps = moments(extent, step_ms)
    with shelf.reading() as reader:
        loaded = {
            each: shelf.load(reader, each, extent.namespace, steps[0], steps[-1], step_ms, budget)
            for each in selectors(tree)
        }
    columns = evaluate(tree, steps, loaded, budget.work)
    if len(columns) * len(steps) > MAX_VALUES:
        raise QueryFailed(
            f"the answer has more than {MAX_VALUES:,} values",
            hint="have fewer series, with sum by (…) or topk, or a longer step",
        )
    lines = [
        Line(
            column.labels,
            tuple((at_ms, value) for at_ms, value in zip(steps, column.values, strict=True) if value is not None),
        )
        for column in columns
    ]
    return Answer("matrix", tuple(sorted(lines, key=lambda line: line.labels)))


def moments(extent: Extent, step_ms: int) -> list[int]:
    """Return the moments of a span. Raises QueryFailed when there are too many or none."""
    if step_ms <= 0:
        raise QueryFailed("zero or negative query resolution step widths are not accepted. Try a positive integer")
    if extent.to_ms < extent.from_ms:
        raise QueryFailed("end timestamp must not be before start time")
    if (extent.to_ms - extent.from_ms) // step_ms >= MAX_STEPS:
        raise QueryFailed(
            f"exceeded maximum resolution of {MAX_STEPS:,} points per timeseries. Try a larger step, or less time"
        )
    return list(range(extent.from_ms, extent.to_ms + 1, step_ms))


def series(shelf: Shelf, selectors_: Sequence[str], extent: Extent, budget: Budget) -> list[Labels]:
    """Return the labels of the series that any of the selectors means and that have samples in the extent.

    Without a selector all are meant. Raises QueryWrong, QueryFailed, StoreUnavailable.
    """
    wanted = [parse_selector(each).matchers for each in selectors_] or [()]
    with shelf.reading() as reader:
        found = {
            each.number: each
            for matchers in wanted
            for each in shelf.series(reader, matchers, extent.namespace, budget)
        }
        alive = shelf.alive(reader, found.values(), extent.from_ms - LOOKBACK_MS, extent.to_ms)
        return sorted(each.labels for each in alive)


def families(shelf: Shelf) -> list[Family]:
    """Return what the metrics are. Raises StoreUnavailable."""
    with shelf.reading() as reader:
        return shelf.families(reader)
