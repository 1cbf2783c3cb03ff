"""Questions to the history, and their answers as data: at a moment, over a span, and which series there are."""

from collections.abc import Sequence

import msgspec

from dayfly.observe.history.budget import Budget
from dayfly.observe.history.shelf import Family, Shelf
from dayfly.observe.promql.evaluate import evaluate, spans
from dayfly.observe.promql.faults import QueryFailed
from dayfly.observe.promql.leaves import LOOKBACK_MS, Loaded
from dayfly.observe.promql.nodes import Kind, Node, Selector, Text
from dayfly.observe.promql.parser import parse, parse_selector
from dayfly.observe.promql.reach import Reach, reaches
from dayfly.observe.promql.series import Labels

MAX_STEPS = 11_000
MAX_VALUES = 2_000_000


class Line(msgspec.Struct, frozen=True):
    """A series of an answer: moments in milliseconds since 1970, and values."""

    labels: Labels
    points: Sequence[tuple[int, float]]


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
    at_ms = extent.to_ms
    tree = parse(query, at_ms, at_ms)
    if isinstance(tree, Text):
        return Answer("string", (), tree.value)
    loaded = _load(shelf, tree, Reach(at_ms, at_ms), extent.namespace, budget)
    if tree.kind == "matrix":
        return Answer("matrix", tuple(Line(*each) for each in spans(tree, at_ms, loaded, budget.work)))
    columns = evaluate(tree, [at_ms], loaded, budget.work)
    lines = [
        Line(column.labels, ((at_ms, value),)) for column in columns for value in column.values if value is not None
    ]
    return Answer(tree.kind, tuple(lines))


def over_span(shelf: Shelf, query: str, extent: Extent, step_ms: int, budget: Budget) -> Answer:
    """Answer a query from the beginning of the extent to its end, step by step.

    Raises QueryWrong, QueryFailed, StoreUnavailable.
    """
    tree = parse(query, extent.from_ms, extent.to_ms)
    if tree.kind not in ("scalar", "vector"):
        raise QueryFailed(f"invalid expression type {tree.kind!r} for range query, must be scalar or instant vector")
    steps = moments(extent, step_ms)
    loaded = _load(shelf, tree, Reach(steps[0], steps[-1], step_ms), extent.namespace, budget)
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


def _load(
    shelf: Shelf, tree: Node, asked: Reach, namespace: str | None, budget: Budget
) -> dict[Selector, Loaded]:  # fmt: skip
    with shelf.reading() as reader:
        return {
            selector: shelf.load(reader, selector, namespace, reach, budget)
            for selector, reach in reaches(tree, asked).items()
        }


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
