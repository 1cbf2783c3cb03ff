"""A query's text as a tree, its kinds checked. What PromQL has and this has not is refused by name and place."""

from collections.abc import Mapping

from dayfly.observe.promql.faults import wrong
from dayfly.observe.promql.lexer import Word, number
from dayfly.observe.promql.nodes import (
    COMPARISONS,
    KIND_WORDS,
    SETS,
    Aggregate,
    Binary,
    Call,
    Kind,
    Matching,
    Negated,
    Node,
    Number,
    Selector,
    Text,
)
from dayfly.observe.promql.selecting import Selecting
from dayfly.observe.promql.signatures import AGGREGATIONS, FUNCTIONS, MISSING, WITH_PARAMETER

MAX_LENGTH = 10_000
MAX_DEPTH = 40
MAX_OPERATORS = 150
_POWER = 6
_BINDS = {
    "or": 1, "and": 2, "unless": 2, **dict.fromkeys(COMPARISONS, 3), "+": 4, "-": 4, "*": 5, "/": 5, "%": 5, "atan2": 5,
    "^": _POWER,
}  # fmt: skip


def parse(text: str, start_ms: int = 0, end_ms: int = 0) -> Node:
    """Return the tree of a query; the moments are what `start()` and `end()` mean behind an `@`.

    Raises QueryWrong with line and column.
    """
    if len(text) > MAX_LENGTH:
        raise wrong(text, MAX_LENGTH, f"parse error: the query is longer than {MAX_LENGTH} characters")
    return _Parser(text, {"start": start_ms, "end": end_ms}).whole()


def parse_selector(text: str) -> Selector:
    """Return the tree of a selector without a range, as `match[]` takes it. Raises QueryWrong."""
    found = parse(text)
    if not isinstance(found, Selector) or found.range_ms or found.offset_ms or found.fixed_ms is not None:
        raise wrong(text, 0, 'parse error: this takes a selector such as up{job="a"} and nothing else')
    return found


class _Parser(Selecting):
    def __init__(self, text: str, bounds: Mapping[str, int]) -> None:
        super().__init__(text, bounds)
        self._depth = 0
        self._operators = 0

    def whole(self) -> Node:
        if self.peek().kind == "end":
            raise wrong(self.text, 0, "parse error: no expression found in input")
        found = self._expression(1)
        if self.peek().kind != "end":
            self.unexpected()
        return found

    def _expression(self, least: int) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.wrong(self.peek(), f"the query is nested deeper than {MAX_DEPTH} levels")
        left = self._unary()
        while True:
            sign = self.peek()
            binds = _BINDS.get(self.operator(sign), 0)
            if binds < least:
                break
            self._operators += 1
            if self._operators > MAX_OPERATORS:
                self.wrong(sign, f"the query has more than {MAX_OPERATORS} operators")
            self.take()
            truth, matching = self._modifiers()
            right = self._expression(binds if binds == _POWER else binds + 1)
            left = self._binary(sign, left, right, truth, matching)
        self._depth -= 1
        return left

    def _unary(self) -> Node:
        sign = self.peek()
        if sign.kind == "sign" and sign.text in "+-":
            self.take()
            operand = self._expression(_POWER)
            if operand.kind not in ("scalar", "vector"):
                self.wrong(
                    sign,
                    "unary expression only allowed on expressions of type scalar or instant vector, got "
                    f'"{KIND_WORDS[operand.kind]}"',
                )
            return operand if sign.text == "+" else Negated(operand, operand.kind, sign.at)
        return self.postfix(self._primary(), sign)

    def _primary(self) -> Node:
        word = self.peek()
        match word.kind:
            case "number":
                self.take()
                return Number(number(word.text), word.at)
            case "string":
                self.take()
                return Text(word.text, word.at)
            case "name":
                return self._named(self.take())
        if self.accept("("):
            found = self._expression(1)
            self.expect(")")
            return found
        if word.text == "{" and word.kind == "sign":
            return self.selector(None, word.at)
        self.unexpected()

    def _named(self, word: Word) -> Node:
        name, follows = word.text, self.peek()
        is_called = follows.kind == "sign" and follows.text == "("
        if name.lower() in AGGREGATIONS and (is_called or self.operator(follows) in ("by", "without")):
            return self._aggregate(word)
        if is_called:
            if name not in FUNCTIONS:
                missing = name in MISSING or name.lower() in MISSING
                self.wrong(
                    word,
                    f'the function "{name}" of Prometheus is not there: Dayfly answers a subset of PromQL' if missing
                    else f'unknown function with name "{name}"',
                )  # fmt: skip
            return self._call(word)
        if self.operator(word) in (*SETS, "by", "without", "on", "ignoring", "bool", "offset", "atan2"):
            self._next -= 1
            self.unexpected()
        return self.selector(name, word.at)

    def _call(self, word: Word) -> Call:
        signature, arguments = FUNCTIONS[word.text], self._arguments()
        least, most = len(signature.takes) - signature.optional, len(signature.takes)
        if len(arguments) < least or (len(arguments) > most and not signature.again):
            wanted = f"{least} argument(s)" if least == most else f"at least {least} argument(s)"
            self.wrong(word, f'expected {wanted} in call to "{word.text}", got {len(arguments)}')
        for at, argument in enumerate(arguments):
            self._want(argument, signature.takes[min(at, most - 1)], f'call to function "{word.text}"')
        if word.text == "label_replace" and isinstance(arguments[4], Text):
            self.pattern(Word("string", arguments[4].value, arguments[4].at))
        return Call(word.text, tuple(arguments), signature.gives, word.at)

    def _arguments(self) -> list[Node]:
        self.expect("(")
        found: list[Node] = []
        if not self.accept(")"):
            found.append(self._expression(1))
            while self.accept(","):
                found.append(self._expression(1))
            self.expect(")")
        return found

    def _aggregate(self, word: Word) -> Aggregate:
        name = word.text.lower()
        grouping = self._grouping()
        arguments = self._arguments()
        grouping = grouping or self._grouping() or (False, ())
        wanted = 2 if name in WITH_PARAMETER else 1
        if len(arguments) != wanted:
            self.wrong(
                word, f"wrong number of arguments for aggregate expression provided, expected {wanted}, "
                f"got {len(arguments)}",
            )  # fmt: skip
        self._want(arguments[-1], "vector", "aggregation expression")
        if wanted == 2:
            self._want(arguments[0], "scalar", "aggregation parameter")
        return Aggregate(name, grouping[1], grouping[0], arguments[0] if wanted == 2 else None, arguments[-1], word.at)

    def _grouping(self) -> tuple[bool, tuple[str, ...]] | None:
        word = self.operator(self.peek())
        if word not in ("by", "without"):
            return None
        self.take()
        return word == "without", self.labels()

    def _modifiers(self) -> tuple[bool, Matching | None]:
        truth = self.operator(self.peek()) == "bool"
        if truth:
            self.take()
        word = self.operator(self.peek())
        if word not in ("on", "ignoring"):
            return truth, None
        self.take()
        labels, many = self.labels(), ""
        include: tuple[str, ...] = ()
        side = self.operator(self.peek())
        if side in ("group_left", "group_right"):
            self.take()
            many = side.removeprefix("group_")
            include = self.labels() if self.peek().text == "(" else ()
        return truth, Matching(labels, word == "on", many, include)  # type: ignore[arg-type]  # left or right

    def _binary(self, sign: Word, left: Node, right: Node, truth: bool, matching: Matching | None) -> Binary:
        word, kinds = self.operator(sign), {left.kind, right.kind}
        if not kinds <= {"scalar", "vector"}:
            self.wrong(sign, "binary expression must contain only scalar and instant vector types")
        if truth and word not in COMPARISONS:
            self.wrong(sign, "bool modifier can only be used on comparison operators")
        if word in COMPARISONS and kinds == {"scalar"} and not truth:
            self.wrong(sign, "comparisons between scalars must use BOOL modifier")
        if word in SETS and kinds != {"vector"}:
            self.wrong(sign, f'set operator "{word}" not allowed in binary scalar expression')
        if matching is not None and kinds != {"vector"}:
            self.wrong(sign, "vector matching only allowed between instant vectors")
        if matching is not None and matching.many and word in SETS:
            self.wrong(sign, f'no grouping allowed for "{word}" operation')
        if matching is not None and matching.on and (twice := {*matching.labels} & {*matching.include}):
            self.wrong(sign, f'label "{min(twice)}" must not occur in ON and GROUP clause at once')
        kind: Kind = "scalar" if kinds == {"scalar"} else "vector"
        return Binary(word, left, right, matching or Matching(), truth, kind, sign.at)

    def _want(self, node: Node, kind: Kind, where: str) -> None:
        if node.kind != kind:
            what = f"expected type {KIND_WORDS[kind]} in {where}, got {KIND_WORDS[node.kind]}"
            raise wrong(self.text, node.at, f"parse error: {what}")
