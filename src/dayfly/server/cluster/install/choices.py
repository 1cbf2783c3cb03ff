"""How one function makes both Kubernetes objects and the templates of a chart.

The function gets values. For an installation they are what somebody wrote; for the chart they are `Expression`s, texts
that stand for what Helm will put there, and go into names and sentences as any text does. What depends on a value asks
`when`, `each`, `every` and `is_set` instead of Python's own words: for known values they decide, for expressions they
leave the decision to the template. An expression asked by mistake (`if`, `==`) raises, so that a chart can never be
made of one side of a choice.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec

OPEN, CLOSE = "\ue000", "\ue001"
"""Around an expression, inside of any text."""

T = TypeVar("T")
Node: TypeAlias = Any
"""Dicts, lists, scalars, and below them what is defined here."""


class Expression(str):
    """A Go template's expression where a value is meant."""

    __slots__ = ()

    @classmethod
    def of(cls, text: str) -> "Expression":
        """Return what stands for this expression."""
        return cls(f"{OPEN}{text}{CLOSE}")

    @property
    def go(self) -> str:
        """The expression."""
        return self[1:-1]

    def __bool__(self) -> bool:
        """Refuse to be asked. Raises TypeError."""
        raise TypeError(f"whether {self.go} is only Helm's to know")

    def __eq__(self, other: object) -> bool:
        """Refuse to be asked. Raises TypeError."""
        raise TypeError(f"what {self.go} is, is only Helm's to know")

    __hash__ = str.__hash__


class When(msgspec.Struct, frozen=True):
    """One of two, as Helm finds."""

    condition: str
    then: Node
    otherwise: Node


class Each(msgspec.Struct, frozen=True):
    """The nodes of `made` for each item of a list that Helm knows."""

    items: str
    variable: str
    made: Node


class Several(msgspec.Struct, frozen=True):
    """Items of the list that they are in, not a list in it."""

    items: Sequence[Node]


class Absent(msgspec.Struct, frozen=True):
    """Nothing: the key or item is left out."""


ABSENT = Absent()


def when(condition: object, then: Node, otherwise: Node = ABSENT) -> Node:
    """Return `then` if the condition holds, else `otherwise`; for an expression, both under it."""
    if isinstance(condition, Expression):
        return When(condition.go, then, otherwise)
    return then if condition else otherwise


def each(items: Iterable[T], make: Callable[[T | Expression], Node], variable: str = "$each") -> Node:
    """Return what `make` gives for each item, to be in a list in place of this."""
    if isinstance(items, Expression):
        return Each(items.go, variable, make(Expression.of(variable)))
    return Several([make(item) for item in items])


def every(*conditions: object) -> object:
    """Return whether all conditions hold."""
    if not any(isinstance(each, Expression) for each in conditions):
        return all(conditions)
    parts = [each.go if isinstance(each, Expression) else str(bool(each)).lower() for each in conditions]
    return Expression.of("and " + " ".join(f"({part})" for part in parts))


def is_set(value: object) -> object:
    """Return whether there is anything in a text, list or mapping."""
    return value if isinstance(value, Expression) else bool(value)


def is_not(condition: object) -> object:
    """Return whether it does not hold."""
    return Expression.of(f"not ({condition.go})") if isinstance(condition, Expression) else not condition


def is_equal(value: object, other: str | int) -> object:
    """Return whether a value is this one."""
    if not isinstance(value, Expression):
        return value == other
    return Expression.of(f'eq ({value.go}) "{other}"' if isinstance(other, str) else f"eq (int ({value.go})) {other}")


def joined(items: Iterable[str]) -> str:
    """Return texts with commas between them."""
    return Expression.of(f'join "," {items.go}') if isinstance(items, Expression) else ",".join(items)


def settled(node: Node) -> Node:
    """Return the node without what is absent. Raises TypeError for a condition that is only Helm's to know."""
    if isinstance(node, dict):
        return {key: settled(value) for key, value in node.items() if value is not ABSENT}
    if isinstance(node, list | tuple):
        return [settled(item) for item in _spread(node)]
    if isinstance(node, When | Each):
        raise TypeError("a choice is left that only Helm can make")
    return node


def _spread(nodes: Iterable[Node]) -> Iterable[Node]:
    for node in nodes:
        if isinstance(node, Several):
            yield from _spread(node.items)
        elif node is not ABSENT:
            yield node
