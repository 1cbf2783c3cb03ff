"""A query as a tree. Each node knows its kind of value and its place in the text."""

from typing import Literal

import msgspec

Kind = Literal["scalar", "vector", "matrix", "string"]
"""As Prometheus names them: a number, one value a series, several values a series, a text."""
KIND_WORDS: dict[Kind, str] = {
    "scalar": "scalar", "vector": "instant vector", "matrix": "range vector", "string": "string",
}  # fmt: skip
MatchWord = Literal["=", "!=", "=~", "!~"]
NAME = "__name__"
COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")
SETS = ("and", "or", "unless")


class Matcher(msgspec.Struct, frozen=True):
    """What a label must be; one that a series lacks is empty."""

    label: str
    word: MatchWord
    value: str


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """What may be about another moment than the one that is asked for."""

    offset_ms: int = 0
    fixed_ms: int | None = None
    """The moment that is meant whichever is asked for: `@`."""

    def moment(self, asked_ms: int) -> int:
        """Return the moment that is meant where one is asked for."""
        return (asked_ms if self.fixed_ms is None else self.fixed_ms) - self.offset_ms


class Selector(Timed, frozen=True):
    """Series, by their labels: their last values, or with a range all values of that span."""

    matchers: tuple[Matcher, ...]
    range_ms: int
    at: int

    @property
    def kind(self) -> Kind:
        """What it is worth."""
        return "matrix" if self.range_ms else "vector"


class Subquery(Timed, frozen=True):
    """What an expression comes to again and again over a span, at whole multiples of a step."""

    operand: "Node"
    range_ms: int
    every_ms: int
    at: int
    kind: Literal["matrix"] = "matrix"


class Number(msgspec.Struct, frozen=True):
    """A number as it is written."""

    value: float
    at: int
    kind: Literal["scalar"] = "scalar"


class Text(msgspec.Struct, frozen=True):
    """A text as it is written."""

    value: str
    at: int
    kind: Literal["string"] = "string"


class Call(msgspec.Struct, frozen=True):
    """A function of its arguments."""

    name: str
    arguments: "tuple[Node, ...]"
    kind: Kind
    at: int


class Aggregate(msgspec.Struct, frozen=True):
    """Many series made few: one a group of equal labels."""

    name: str
    labels: tuple[str, ...]
    without: bool
    parameter: "Node | None"
    operand: "Node"
    at: int
    kind: Literal["vector"] = "vector"


class Matching(msgspec.Struct, frozen=True):
    """Which series of two sides belong together."""

    labels: tuple[str, ...] = ()
    on: bool = False
    many: Literal["", "left", "right"] = ""
    """The side of which several series may belong to one of the other; none where it is one to one."""
    include: tuple[str, ...] = ()
    """Labels that are taken from the side of one."""


class Binary(msgspec.Struct, frozen=True):
    """Two sides and what is between them."""

    word: str
    left: "Node"
    right: "Node"
    matching: Matching
    truth: bool
    """Whether a comparison yields 0 or 1 rather than choosing: `bool`."""
    kind: Kind
    at: int


class Negated(msgspec.Struct, frozen=True):
    """A minus sign before something."""

    operand: "Node"
    kind: Kind
    at: int


Ranged = Selector | Subquery
Node = Ranged | Number | Text | Call | Aggregate | Binary | Negated


def parts(node: Node) -> "tuple[Node, ...]":
    """Return what a node is made of."""
    match node:
        case Call():
            return node.arguments
        case Aggregate():
            return (node.operand,) if node.parameter is None else (node.parameter, node.operand)
        case Binary():
            return node.left, node.right
        case Negated() | Subquery():
            return (node.operand,)
    return ()
