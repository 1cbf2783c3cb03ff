"""Operators between two sides: numbers, a vector and a number, or two vectors, whose series are matched by labels."""

from collections.abc import Callable, Sequence

from dayfly.observe.promql.arithmetic import binary
from dayfly.observe.promql.faults import QueryFailed
from dayfly.observe.promql.nodes import COMPARISONS, Binary, Matching
from dayfly.observe.promql.series import Column, Labels, Tick, Value, excluding, only, shown, without_name

Sign = Callable[[Labels], Labels]


def with_number(
    node: Binary, columns: Sequence[Column], numbers: Sequence[float], *, swapped: bool, tick: Tick
) -> list[Column]:
    """Reckon with each value of a vector and the number of its moment; `swapped` when the number stands left.

    A comparison chooses values, or yields 1 and 0.
    """
    reckon, chooses = binary(node.word), node.word in COMPARISONS and not node.truth
    found = []
    for column in columns:
        tick(len(numbers))
        values: list[Value] = []
        for value, number in zip(column.values, numbers, strict=True):
            if value is None:
                values.append(None)
                continue
            result = reckon(number, value) if swapped else reckon(value, number)
            values.append((value if result else None) if chooses else result)
        found.append(Column(column.labels if chooses else without_name(column.labels), values))
    return found


def joined(node: Binary, left: Sequence[Column], right: Sequence[Column], tick: Tick) -> list[Column]:
    """Return what an operator between two vectors comes to. Raises QueryFailed where no match is the only one."""
    sign = _sign(node.matching)
    if node.word in ("and", "unless", "or"):
        return _set(node.word, left, right, sign, tick)
    swapped = node.matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    by_sign: dict[Labels, list[Column]] = {}
    for column in one:
        by_sign.setdefault(sign(column.labels), []).append(column)
    _refuse_twins(by_sign, many, "left" if swapped else "right")
    reckon, chooses = binary(node.word), node.word in COMPARISONS and not node.truth
    found: dict[Labels, Column] = {}
    taken: dict[Labels, list[bool]] = {}
    for column in many:
        key = sign(column.labels)
        others = by_sign.get(key, ())
        if not others:
            continue
        tick(len(column.values) * len(others))
        for step, value in enumerate(column.values):
            other = next((each for each in others if each.values[step] is not None), None)
            if value is None or other is None:
                continue
            pair = other.values[step]
            assert pair is not None
            result = reckon(pair, value) if swapped else reckon(value, pair)
            if chooses and not result:
                continue
            _put(found, taken, node, column, other, key, step, (pair if swapped else value) if chooses else result)
    return list(found.values())


def _put(
    found: dict[Labels, Column], taken: dict[Labels, list[bool]], node: Binary, column: Column, other: Column,
    key: Labels, step: int, value: float,
) -> None:  # fmt: skip
    labels = _labels(node, column.labels, other.labels)
    steps = len(column.values)
    mark = taken.setdefault(labels if node.matching.many else key, [False] * steps)
    if mark[step]:
        raise QueryFailed(
            "multiple matches for labels: grouping labels must ensure unique matches" if node.matching.many
            else "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
        )  # fmt: skip
    mark[step] = True
    into = found.setdefault(labels, Column(labels, [None] * steps))
    if into.values[step] is not None:
        raise QueryFailed("vector cannot contain metrics with the same labelset")
    into.values[step] = value


def _refuse_twins(by_sign: dict[Labels, list[Column]], many: Sequence[Column], side: str) -> None:
    """Refuse a side on which several series are the one that others match, where there are others at all."""
    met = [any(values) for values in zip(*([v is not None for v in each.values] for each in many), strict=True)]
    for key, columns in by_sign.items():
        if len(columns) == 1:
            continue
        for step in (at for at, is_met in enumerate(met) if is_met):
            there = [column for column in columns if column.values[step] is not None]
            if len(there) > 1:
                twins = f"[{shown(there[1].labels)}, {shown(there[0].labels)}]"
                raise QueryFailed(
                    f"found duplicate series for the match group {shown(key)} on the {side} hand-side of the operation:"
                    f" {twins};many-to-many matching not allowed: matching labels must be unique on one side"
                )


def _labels(node: Binary, mine: Labels, others: Labels) -> Labels:
    matching, names = node.matching, frozenset(node.matching.labels)
    labels = mine if node.word in COMPARISONS and not node.truth else without_name(mine)
    if not matching.many:
        labels = only(labels, names) if matching.on else tuple(each for each in labels if each[0] not in names)
    if matching.include:
        from_one = dict(others)
        kept = {name: value for name, value in labels if name not in matching.include}
        kept |= {name: from_one[name] for name in matching.include if name in from_one}
        labels = tuple(sorted(kept.items()))
    return labels


def _sign(matching: Matching) -> Sign:
    names = frozenset(matching.labels)
    if matching.on:
        return lambda labels: only(labels, names)
    return lambda labels: excluding(labels, names)


def _set(word: str, left: Sequence[Column], right: Sequence[Column], sign: Sign, tick: Tick) -> list[Column]:
    if not left and not right:
        return []
    steps = len((left or right)[0].values)
    there = _present(left if word == "or" else right, sign, steps, tick)
    nowhere = [False] * steps
    wanted = word == "and"
    found = list(left) if word == "or" else []
    for column in right if word == "or" else left:
        tick(steps)
        marks = there.get(sign(column.labels), nowhere)
        values = [value if mark == wanted else None for value, mark in zip(column.values, marks, strict=True)]
        found.append(Column(column.labels, values))
    return found


def _present(columns: Sequence[Column], sign: Sign, steps: int, tick: Tick) -> dict[Labels, list[bool]]:
    marks: dict[Labels, list[bool]] = {}
    for column in columns:
        tick(steps)
        mark = marks.setdefault(sign(column.labels), [False] * steps)
        for step, value in enumerate(column.values):
            if value is not None:
                mark[step] = True
    return marks
