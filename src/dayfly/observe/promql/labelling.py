"""Functions that change labels and no values: `label_replace`, `label_join`; and the labels of what is absent."""

import re
from collections.abc import Sequence

from dayfly.observe.promql.faults import QueryFailed
from dayfly.observe.promql.nodes import NAME, Node, Selector
from dayfly.observe.promql.pattern import Pattern
from dayfly.observe.promql.series import Column, Labels, Tick

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def replaced(
    columns: Sequence[Column], target: str, template: str, source: str, pattern: str, tick: Tick
) -> list[Column]:
    """Let a label be the template, filled from what the pattern finds in another; those it does not fit stay."""
    _refuse(target)
    wanted = Pattern(pattern)
    found = []
    for column in columns:
        text = dict(column.labels).get(source, "")
        tick(wanted.cost(text))
        match = wanted.match(text)
        labels = column.labels if match is None else _set(column.labels, target, wanted.expand(template, text, match))
        found.append(Column(labels, column.values))
    return found


def connected(columns: Sequence[Column], target: str, between: str, sources: Sequence[str]) -> list[Column]:
    """Let a label be the others, joined."""
    _refuse(target)
    return [
        Column(
            _set(column.labels, target, between.join(dict(column.labels).get(name, "") for name in sources)),
            column.values,
        )
        for column in columns
    ]


def of_absent(node: Node) -> Labels:
    """Return the labels that a selector asks to be equal to something, once each."""
    if not isinstance(node, Selector):
        return ()
    given: dict[str, list[str | None]] = {}
    for matcher in node.matchers:
        if matcher.label != NAME:
            given.setdefault(matcher.label, []).append(matcher.value if matcher.word == "=" else None)
    return tuple(sorted((name, values[0]) for name, values in given.items() if len(values) == 1 and values[0]))


def _set(labels: Labels, name: str, value: str) -> Labels:
    kept = dict(labels)
    kept[name] = value
    return tuple(sorted((name, value) for name, value in kept.items() if value))


def _refuse(target: str) -> None:
    if not _LABEL.fullmatch(target):
        raise QueryFailed(f"invalid destination label name: {target[:80]!r}")
