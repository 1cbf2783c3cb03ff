"""Expressions that pick, compare and build from a JSON document, as filters of events do: JMESPath, kept small.

The language has no loops and cannot reach beyond its document, but `[@,@]|[@,@]|…` doubles with every bar. So an
expression may be only so long and so deep, and an evaluation only so much work: each step counts, and so does each
part of what a function or a comparison is about to look through. Whoever runs out gets no answer, and blocks nobody.
"""

from collections.abc import Iterator
from typing import Any

from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult, Parser
from jmespath.visitor import TreeInterpreter

from dayfly.model.errors import InvalidSpec

MAX_TEXT = 2_000
MAX_DEPTH = 50
"""How deep an expression may be nested, and a chain of its parts be long."""
MAX_WORK = 50_000
MAX_RESULT_DEPTH = 100
_TEXT_UNIT = 64
"""So many characters of text are as much work as one step."""
_FUNCTIONS = frozenset(Functions.FUNCTION_TABLE)
_NAMES_IN_FIRST = frozenset(
    ("subexpression", "index_expression", "pipe", "projection", "value_projection", "filter_projection", "flatten")
)
_NAMES_IN_NONE = frozenset(("literal", "current", "identity", "index", "slice", "expref"))


class Meter:
    """What may still be done; several evaluations can share one."""

    def __init__(self, work: int = MAX_WORK) -> None:
        self._work = self._left = work

    @property
    def spent(self) -> int:
        """What was done."""
        return self._work - self._left

    def spend(self, work: int) -> None:
        """Count work before it is done. Raises Unanswerable when it is too much."""
        self._left -= work
        if self._left < 0:
            raise Unanswerable(f"the expression takes more than {self._work} steps on this document")

    def weigh(self, value: Any) -> None:
        """Spend what it takes to look at all of a value. Raises Unanswerable."""
        todo = [(value, 0)]
        while todo:
            each, depth = todo.pop()
            if depth > MAX_RESULT_DEPTH:
                raise Unanswerable(f"the expression meets values that are nested deeper than {MAX_RESULT_DEPTH}")
            if isinstance(each, str):
                self.spend(1 + len(each) // _TEXT_UNIT)
            elif isinstance(each, list):
                self.spend(1 + len(each))
                todo += [(item, depth + 1) for item in each]
            elif isinstance(each, dict):
                self.spend(1 + len(each))
                todo += [(item, depth + 1) for item in each.values()]
            else:
                self.spend(1)
                if not isinstance(each, bool | int | float | None):
                    raise Unanswerable("the expression makes something that is no value of JSON")


class Unanswerable(Exception):
    """The expression has no answer for this document; the text says why."""


class Expression:
    """A JMESPath expression that was understood."""

    def __init__(self, text: str, parsed: ParsedResult) -> None:
        self.text = text
        self._tree = parsed.parsed

    @classmethod
    def of(cls, text: str) -> "Expression":
        """Understand an expression. Raises InvalidSpec, which says where it ends to be one."""
        if len(text) > MAX_TEXT:
            raise InvalidSpec(f"an expression has at most {MAX_TEXT} characters, and this one {len(text)}")
        try:
            parsed = Parser().parse(text)
        except JMESPathError as error:
            why = " ".join(str(error).partition("\n")[0].split())
            raise InvalidSpec(
                f"the expression {text[:80]!r} cannot be read: {why[:200]}",
                hint="Expressions are JMESPath: data.total > `100` && contains(subject, 'eu/')",
            ) from error
        except (RecursionError, ValueError):
            raise _too_deep() from None
        _check_depth(parsed.parsed)
        unknown = [name for name in _called(parsed.parsed) if name not in _FUNCTIONS]
        if unknown:
            raise InvalidSpec(f"the expression {text[:80]!r} calls {unknown[0][:40]}(), which JMESPath does not have")
        return cls(text, parsed)

    @property
    def names(self) -> frozenset[str]:
        """The names that it looks up in the document itself, not in a part of it."""
        return frozenset(_names(self._tree))

    def evaluate(self, document: Any, meter: Meter | None = None) -> Any:
        """Return the answer for a JSON document: a JSON value too, which may share parts with it.

        Raises Unanswerable.
        """
        meter = meter or Meter()
        try:
            answer = _Metered(meter).visit(self._tree, document)
            meter.weigh(answer)
        except JMESPathError as error:
            raise Unanswerable(f"the expression {self.text[:80]!r} fails: {str(error)[:200]}") from error
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            # What the library leaves to Python, as sorting what cannot be compared.
            kind = type(error).__name__
            raise Unanswerable(f"the expression {self.text[:80]!r} cannot be applied here ({kind})") from error
        return answer

    def holds(self, document: Any, meter: Meter | None = None) -> bool:
        """Whether the answer is true: anything but false, null, and empty text, lists and objects.

        Raises Unanswerable.
        """
        answer = self.evaluate(document, meter)
        return not (answer is None or answer is False or (isinstance(answer, str | list | dict) and not answer))


class _Metered(TreeInterpreter):
    """Visits as the library does, and spends beforehand what a step will take."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._meter.spend(1)
        return super().visit(node, *args, **kwargs)

    def visit_comparator(self, node: Any, value: Any) -> Any:
        return super().visit_comparator(self._seen(node, value), value)

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        return super().visit_function_expression(self._seen(node, value), value)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if isinstance(base, list):
            self._meter.spend(sum(len(each) if isinstance(each, list) else 1 for each in base))
        return super().visit_flatten(_with(node, [_literal(base)]), value)

    def _seen(self, node: Any, value: Any) -> Any:
        """Return the node with what its children came to, once that was weighed, instead of them."""
        children = []
        for child in node["children"]:
            if child["type"] != "expref":
                answer = self.visit(child, value)
                self._meter.weigh(answer)
                child = _literal(answer)
            children.append(child)
        return _with(node, children)


def _with(node: Any, children: list[Any]) -> Any:
    return {**node, "children": children}


def _literal(value: Any) -> dict[str, Any]:
    return {"type": "literal", "value": value, "children": []}


def _check_depth(tree: Any) -> None:
    todo = [(tree, 1)]
    while todo:
        node, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise _too_deep()
        if isinstance(node, dict):
            todo += [(child, depth + 1) for child in node.get("children", ())]


def _called(tree: Any) -> Iterator[str]:
    """Yield the functions that are called anywhere."""
    if isinstance(tree, dict):
        if tree["type"] == "function_expression":
            yield tree["value"]
        for child in tree.get("children", ()):
            yield from _called(child)


def _names(node: Any) -> Iterator[str]:
    kind, children = node["type"], node["children"]
    if kind == "field":
        yield node["value"]
    elif kind in _NAMES_IN_FIRST:
        yield from _names(children[0])
    elif kind not in _NAMES_IN_NONE:
        for child in children:
            yield from _names(child)


def _too_deep() -> InvalidSpec:
    return InvalidSpec(f"the expression is nested deeper than {MAX_DEPTH} levels, or chains more parts than that")
