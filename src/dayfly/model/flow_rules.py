"""What must be true of a flow's steps, as far as it can be told without reading their expressions.

It is checked by the command line before anything is sent, and by the control plane before anything is kept. A text
names the step and its field.
"""

import re

from dayfly.model.errors import InvalidSpec
from dayfly.model.flow_step import (
    MAX_BRANCHES,
    Approval,
    Call,
    Choice,
    Code,
    Delay,
    Fail,
    Group,
    Map,
    Parallel,
    Retry,
    Split,
    Step,
    Wait,
    expressions,
    inner,
)
from dayfly.model.names import parse_function_name
from dayfly.model.quantities import parse_duration

MAX_STEPS, MAX_DEPTH = 200, 10
MAX_CONCURRENCY, MAX_ATTEMPTS = 100, 100
MAX_EXPRESSION, MAX_TEXT = 2000, 500
MAX_WAIT_S = 366 * 86_400.0
RESERVED = frozenset(("input", "last", "item", "index", "error"))
"""What expressions find under these names is never a step's result."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}", re.ASCII)
_EVENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_CODE = re.compile(r"[a-z0-9][a-z0-9_]{0,62}", re.ASCII)


def check_steps(steps: tuple[Step, ...]) -> None:
    """Refuse steps that cannot be taken, in what can be told without reading expressions. Raises InvalidSpec."""
    seen: set[str] = set()
    _check_sequence("steps", steps, 1, seen)


def span_s(where: str, text: str) -> float:
    """Return the seconds of a span that may be waited. Raises InvalidSpec."""
    try:
        seconds = parse_duration(text)
    except InvalidSpec as error:
        raise InvalidSpec(f"{where}: {error}") from None
    if not 0 < seconds <= MAX_WAIT_S:
        raise InvalidSpec(f"{where}: {text[:40]!r} must be more than 0s and at most 366 days (8784h)")
    return seconds


def is_event(text: str) -> bool:
    """Whether an event may be called this."""
    return _EVENT.fullmatch(text) is not None


def is_code(text: str) -> bool:
    """Whether an error's code may be this."""
    return _CODE.fullmatch(text) is not None


def _check_sequence(where: str, steps: tuple[Step, ...], depth: int, seen: set[str]) -> None:
    if depth > MAX_DEPTH:
        raise InvalidSpec(f"{where}: steps are nested more than {MAX_DEPTH} deep")
    for step in steps:
        if not _NAME.fullmatch(step.name):
            raise InvalidSpec(
                f"{where}: {step.name[:80]!r} is not a step's name: a letter, then letters, digits, '_' and '-',"
                " at most 63"
            )
        if step.name in RESERVED:
            raise InvalidSpec(f"{where}: no step can be called {step.name}: expressions have that name already")
        if step.name in seen:
            raise InvalidSpec(f"{where}: there are two steps called {step.name}; a name is one step's in a flow")
        seen.add(step.name)
        if len(seen) > MAX_STEPS:
            raise InvalidSpec(f"steps: a flow has at most {MAX_STEPS} of them")
        _check_step(f"step {step.name}", step)
        for _, within in inner(step):
            _check_sequence(f"step {step.name}", within, depth + 1, seen)


def _check_step(where: str, step: Step) -> None:
    if step.retry is not None:
        _check_retry(f"{where}.retry", step.retry)
    if step.catch is not None:
        _check_codes(f"{where}.catch.on", step.catch.on)
        if not step.catch.steps:
            raise InvalidSpec(f"{where}.catch.steps: there are none")
    if step.timeout:
        span_s(f"{where}.timeout", step.timeout)
    for field, text in expressions(step):
        if not 0 < len(text) <= MAX_EXPRESSION:
            raise InvalidSpec(f"{where}.{field}: an expression has 1 to {MAX_EXPRESSION} characters")
    _check_kind(where, step)


def _check_retry(where: str, retry: Retry) -> None:
    if not 1 <= retry.attempts <= MAX_ATTEMPTS:
        raise InvalidSpec(f"{where}.attempts: {retry.attempts} must be from 1 to {MAX_ATTEMPTS}")
    if span_s(f"{where}.wait", retry.wait) > span_s(f"{where}.max_wait", retry.max_wait):
        raise InvalidSpec(f"{where}.wait: {retry.wait} is more than max_wait, {retry.max_wait}")
    _check_codes(f"{where}.on", retry.on)


def _check_kind(where: str, step: Step) -> None:
    if isinstance(step, Call | Code):
        parse_function_name(step.function)
    elif isinstance(step, Parallel | Map) and not 1 <= step.concurrency <= MAX_CONCURRENCY:
        raise InvalidSpec(f"{where}.concurrency: {step.concurrency} must be from 1 to {MAX_CONCURRENCY}")
    elif isinstance(step, Split) and (step.size < 0 or (step.size > 0) == bool(step.by) or len(step.by) > MAX_TEXT):
        raise InvalidSpec(f"{where}: a split has either a size, 1 or more, or a text that it splits by")
    elif isinstance(step, Delay):
        if bool(step.span) == bool(step.until) or step.timeout:
            raise InvalidSpec(f"{where}: a delay has either `for` or `until`, and no timeout")
        if step.span:
            span_s(f"{where}.for", step.span)
    elif isinstance(step, Wait) and not is_event(step.event):
        raise InvalidSpec(f"{where}.event: {step.event[:80]!r} is not an event's name: letters, digits, '.', '_', '-'")
    elif isinstance(step, Approval) and len(step.prompt) > MAX_TEXT:
        raise InvalidSpec(f"{where}.prompt: has at most {MAX_TEXT} characters")
    elif isinstance(step, Fail) and len(step.message) > MAX_TEXT:
        raise InvalidSpec(f"{where}.message: has at most {MAX_TEXT} characters")
    if isinstance(step, Fail):
        _check_codes(f"{where}.code", (step.code,))
    _check_insides(where, step)


def _check_insides(where: str, step: Step) -> None:
    if isinstance(step, Choice | Parallel):
        if not 1 <= len(step.branches) <= MAX_BRANCHES:
            raise InvalidSpec(f"{where}.branches: there must be 1 to {MAX_BRANCHES}")
    elif isinstance(step, Map | Group) and not step.steps:
        raise InvalidSpec(f"{where}.steps: there are none")
    for name in step.branches if isinstance(step, Parallel) else ():
        if not _NAME.fullmatch(name):
            raise InvalidSpec(f"{where}.branches: {name[:80]!r} is not a branch's name; it is written as a step's is")


def _check_codes(where: str, codes: tuple[str, ...]) -> None:
    for code in codes:
        if not _CODE.fullmatch(code):
            raise InvalidSpec(f"{where}: {code[:80]!r} is not an error's code: a-z, 0-9 and '_'")
