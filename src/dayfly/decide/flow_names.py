"""Whether a flow's expressions can be read, and name only what is there when they are evaluated.

A misspelt name would find nothing and say nothing, perhaps in the one branch that is taken once a year. So a flow is
refused whose expressions look up anything but `input`, `last`, earlier steps of the same and the surrounding sequences,
and what the steps around it add.
"""

from dayfly.decide.expressions import Expression
from dayfly.model.errors import InvalidSpec
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_step import Filter, Map, Step, expressions, inner

_ALWAYS = frozenset(("input", "last"))
_ITEM = frozenset(("item", "index"))


def check_names(spec: FlowSpec) -> None:
    """Refuse expressions that cannot be read or name what is not there. Raises InvalidSpec."""
    known = _check(spec.steps, _ALWAYS)
    if spec.output:
        _look("output", spec.output, known)


def _check(steps: tuple[Step, ...], known: frozenset[str]) -> frozenset[str]:
    """Check the steps of a sequence; return what is known after it."""
    for step in steps:
        for field, text in expressions(step):
            more = _ITEM if isinstance(step, Filter) and field == "keep" else frozenset()
            _look(f"step {step.name}.{field}", text, known | more)
        for place, within in inner(step):
            more = frozenset(("error",)) if place == "~catch" else _ITEM if isinstance(step, Map) else frozenset()
            _check(within, known | more)
        known |= {step.name}
    return known


def _look(where: str, text: str, known: frozenset[str]) -> None:
    try:
        names = Expression.of(text).names
    except InvalidSpec as error:
        raise InvalidSpec(f"{where}: {error}") from None
    unknown = sorted(names - known)
    if unknown:
        told = f"{where}: {text[:100]!r} looks up {unknown[0][:60]!r}, which is not known there"
        raise InvalidSpec(told, hint=f"Known are: {', '.join(sorted(known)[:40])}.")
