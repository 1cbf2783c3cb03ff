"""What each kind of step does by itself: what it works on, when its time is up, and what it comes to.

Kinds that call functions or have steps inside are taken by the walk in `flow`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from dayfly.decide.expressions import Expression, Meter, Unanswerable
from dayfly.decide.flow_records import Record, Records
from dayfly.model.flow_data import MAX_DATA_BYTES
from dayfly.model.flow_run import FlowError
from dayfly.model.flow_step import (
    Approval,
    Call,
    Choice,
    Code,
    Delay,
    Fail,
    Filter,
    Map,
    Set,
    Split,
    Step,
    Wait,
)
from dayfly.model.quantities import parse_duration

MAX_ITEMS = 1000
"""Items that a map takes its steps for."""
WORK = 300_000
"""What the expressions of one step may do together."""
Scope = dict[str, Any]


class Done(msgspec.Struct, frozen=True):
    """A step has come to a result."""

    result: Any
    signal: str = ""
    """The event that it took."""


Outcome = Done | FlowError | None
"""None: it is not known yet."""
expression = lru_cache(maxsize=2048)(Expression.of)


def failure(code: str, message: str, path: str = "") -> FlowError:
    """Return an error of the platform's own."""
    return FlowError(code=code, message=message, step=path)


def begin_input(step: Step, scope: Scope, meter: Meter) -> Any:
    """Return what an attempt works on, which is kept in the log. Raises Unanswerable."""
    match step:
        case Call(body=body) | Code(body=body):
            return bounded(expression(body).evaluate(scope, meter)) if body else scope["last"]
        case Map(over=over) | Filter(over=over):
            items = expression(over).evaluate(scope, meter)
            if not isinstance(items, list):
                raise Unanswerable(f"{over!r} must be a list, and is {_kind(items)}")
            if isinstance(step, Map) and len(items) > MAX_ITEMS:
                raise Unanswerable(f"{over!r} has {len(items)} items; a map takes at most {MAX_ITEMS}")
            return bounded(items)
        case Split(over=over):
            return bounded(expression(over).evaluate(scope, meter))
        case Choice(branches=branches):
            held = (at for at, branch in enumerate(branches) if expression(branch.when).holds(scope, meter))
            return next(held, None)
        case Wait(event=event):
            return event
        case Approval(prompt=prompt):
            return prompt
    return None


def due_of(step: Step, scope: Scope, now_unix_ms: int) -> int:
    """Return when the time of an attempt that begins now is up; 0 for never. Raises Unanswerable."""
    if isinstance(step, Delay):
        if step.span:
            return now_unix_ms + round(parse_duration(step.span) * 1000)
        return _moment(step.until, scope)
    return now_unix_ms + round(parse_duration(step.timeout) * 1000) if step.timeout else 0


def bounded(value: Any) -> Any:
    """Return a value as the log will give it back. Raises Unanswerable for one that it cannot hold."""
    try:
        written = msgspec.json.encode(value)
    except (OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise Unanswerable(f"the value cannot be written as JSON: {error}") from None
    if len(written) > MAX_DATA_BYTES:
        raise Unanswerable(f"the value has {len(written)} bytes as JSON; a step works with at most {MAX_DATA_BYTES}")
    return msgspec.json.decode(written)


def _set(step: Set, scope: Scope, _record: Record, _all: Records, meter: Meter, _now: int) -> Outcome:
    return Done(bounded(expression(step.value).evaluate(scope, meter)))


def _filter(step: Filter, scope: Scope, record: Record, _all: Records, meter: Meter, _now: int) -> Outcome:
    keep = expression(step.keep)
    seen = ((item, scope | {"item": item, "index": at}) for at, item in enumerate(record.input))
    return Done([item for item, within in seen if keep.holds(within, meter)])


def _split(step: Split, _scope: Scope, record: Record, _all: Records, _meter: Meter, _now: int) -> Outcome:
    whole = record.input
    if step.by:
        if not isinstance(whole, str):
            raise Unanswerable(f"{step.over!r} must be a text, and is {_kind(whole)}")
        return Done(whole.split(step.by))
    if not isinstance(whole, list):
        raise Unanswerable(f"{step.over!r} must be a list, and is {_kind(whole)}")
    return Done([whole[at : at + step.size] for at in range(0, len(whole), step.size)])


def _delay(_step: Delay, scope: Scope, record: Record, _all: Records, _meter: Meter, now: int) -> Outcome:
    return Done(scope["last"]) if now >= record.due_unix_ms else None


def _wait(step: Wait, _scope: Scope, _record: Record, all_: Records, _meter: Meter, _now: int) -> Outcome:
    waiting = all_.signals.get(step.event)
    return Done(waiting[0].payload, signal=waiting[0].id) if waiting else None


def _approve(_step: Approval, _scope: Scope, record: Record, _all: Records, _meter: Meter, _now: int) -> Outcome:
    judged = record.judged
    if judged is None:
        return None
    if judged.approved:
        return Done({"approved": True, "by": judged.by, "comment": judged.comment})
    said = f": {judged.comment}" if judged.comment else "."
    return failure("rejected", f"{judged.by or 'Somebody'} rejected it{said}")


def _fail(step: Fail, *_: object) -> Outcome:
    return failure(step.code, step.message or f"The step {step.name} says so.")


Taker = Callable[[Any, Scope, Record, Records, Meter, int], Outcome]
TAKERS: dict[type, Taker] = {
    Set: _set, Filter: _filter, Split: _split, Delay: _delay, Wait: _wait, Approval: _approve, Fail: _fail,
}  # fmt: skip
"""Kinds that need nothing but the run's own records and the time."""


def _moment(text: str, scope: Scope) -> int:
    value = expression(text).evaluate(scope, Meter(WORK))
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Unanswerable(f"{text!r} must be a moment such as 2030-01-31T12:00:00Z, and is {value!r:.60}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(1, round(moment.timestamp() * 1000))


def _kind(value: Any) -> str:
    names = {str: "a text", dict: "an object", list: "a list", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")
