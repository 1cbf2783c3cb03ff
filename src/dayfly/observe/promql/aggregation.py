"""Aggregations: the series of a group as one, or as the few that are highest or lowest."""

import math
from collections.abc import Callable, Sequence

from dayfly.observe.promql.histograms import quantile
from dayfly.observe.promql.nodes import Aggregate
from dayfly.observe.promql.series import Column, Labels, Tick, Value, excluding, only


def aggregated(node: Aggregate, columns: Sequence[Column], parameter: Sequence[float], tick: Tick) -> list[Column]:
    """Return the groups; `parameter` has a value for each moment, where there is one at all."""
    groups: dict[Labels, list[Column]] = {}
    names = frozenset(node.labels)
    for column in columns:
        label = excluding(column.labels, names) if node.without else only(column.labels, names)
        groups.setdefault(label, []).append(column)
    found: list[Column] = []
    for label, group in groups.items():
        tick(len(group) * len(group[0].values))
        if node.name in ("topk", "bottomk"):
            found += _few(group, parameter, highest=node.name == "topk")
        elif node.name == "quantile":
            rows = _rows(group)
            found.append(
                Column(label, [quantile(at, row) if row else None for at, row in zip(parameter, rows, strict=True)])
            )
        else:
            reckon = _AGGREGATIONS[node.name]
            found.append(Column(label, [reckon(row) if row else None for row in _rows(group)]))
    return found


def _rows(group: Sequence[Column]) -> list[list[float]]:
    rows = zip(*(column.values for column in group), strict=True)
    return [[value for value in row if value is not None] for row in rows]


def _few(group: Sequence[Column], parameter: Sequence[float], *, highest: bool) -> list[Column]:
    kept: list[list[Value]] = [[None] * len(parameter) for _ in group]
    for step, wanted in enumerate(parameter):
        if not wanted >= 1:
            continue
        there = [(value, at) for at, column in enumerate(group) if (value := column.values[step]) is not None]
        # NaN is the least wanted, whichever end is asked for.
        there.sort(key=lambda each: (each[0] != each[0], -each[0] if highest else each[0]))
        for value, at in there[: int(min(wanted, len(there)))]:
            kept[at][step] = value
    found = [Column(column.labels, values) for column, values in zip(group, kept, strict=True)]
    found = [column for column in found if any(value is not None for value in column.values)]
    if len(parameter) == 1:
        found.sort(key=lambda column: _order(column, highest=highest))
    return found


def _order(column: Column, *, highest: bool) -> tuple[bool, float]:
    value = column.values[0] or 0.0
    return value != value, -value if highest else value


def _average(row: list[float]) -> float:
    total = sum(row)
    if math.isinf(total) and not any(map(math.isinf, row)):
        return sum(value / len(row) for value in row)
    return total / len(row)


def _extreme(row: list[float], choose: Callable[[list[float]], float]) -> float:
    return choose([value for value in row if value == value] or [math.nan])


def _variance(row: list[float]) -> float:
    mean = _average(row)
    return sum((value - mean) ** 2 for value in row) / len(row)


_AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "avg": _average,
    "count": lambda row: float(len(row)),
    "group": lambda _row: 1.0,
    "min": lambda row: _extreme(row, min),
    "max": lambda row: _extreme(row, max),
    "stdvar": _variance,
    "stddev": lambda row: math.sqrt(_variance(row)),
}
