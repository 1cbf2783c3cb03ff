"""A turn of a flow that is written as code: what the platform tells the function, and what the function answers.

Nothing of the code's own state is kept. Each turn runs it from the start: what it asked for before has an answer
already, and it gets on until it needs something that it has not. So an answer names only what is asked for anew, and
the code has to ask for the same each time, in the same order.
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from dayfly.model.flow_step import Approval, Call, Code, Delay, Retry, Step, Wait, every
from dayfly.model.quantities import format_duration

MARK = "dayfly_flow_turn"
"""What a turn's body has at its top, and no other request by accident; its value is this form's version."""
VERSION = 1


class Wanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Something that the code waits for; its number is its place among all that it ever asked for, from 1 on."""

    do: Literal["call", "delay", "wait", "approval"]
    function: str = ""
    body: Any = None
    attempts: int = 1
    """How often a call that fails is tried, the first time included."""
    seconds: float = 0.0
    """A delay's length."""
    event: str = ""
    prompt: str = ""
    timeout_s: float = 0.0
    """After which it fails; 0 for as long as the flow may take."""

    def step(self, number: int) -> Step:
        """Return the step that does it; its name is its place below the code's."""
        name = f"{self.do}-{number}"
        timeout = _span(self.timeout_s) if self.timeout_s else ""
        match self.do:
            case "call":
                retry = Retry(attempts=self.attempts) if self.attempts != 1 else None
                return Call(name=name, function=self.function, retry=retry, timeout=timeout)
            case "delay":
                return Delay(name=name, span=_span(self.seconds))
            case "wait":
                return Wait(name=name, event=self.event, timeout=timeout)
            case "approval":
                return Approval(name=name, prompt=self.prompt, timeout=timeout)


class Came(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of something that was asked for."""

    number: int
    at_unix_ms: int
    result: Any = None
    error: "Failure | None" = None


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why it failed; the code sees it as an exception."""

    code: str
    message: str
    status: int = 0
    body: Any = None


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn's request."""

    version: int = msgspec.field(name=MARK)
    run: str
    started_unix_ms: int
    input: Any
    wanted: tuple[Wanted, ...]
    """All that was asked for before, in its order."""
    came: tuple[Came, ...]
    """What came of it, in the order in which it came."""
    seen: int
    """How much of it the turn before had already; -1 before the first."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A turn's answer."""

    state: Literal["waiting", "done", "failed"]
    wanted: tuple[Wanted, ...] = ()
    """What is asked for anew; with `waiting` only."""
    result: Any = None
    error: Failure | None = None


def steps_asked_for(steps: tuple[Step, ...], results: Iterable[tuple[str, Any]]) -> dict[str, Step]:
    """Return the steps that code has asked for by their paths; `results` are those of a run's places in their order."""
    codes = {step.name for step in every(steps) if isinstance(step, Code)}
    asked: dict[str, Step] = {}
    counts: dict[str, int] = {}
    for path, result in results:
        around, _, name = path.rpartition(".")
        if not name.startswith("turn-") or around.rpartition(".")[2].partition("~")[0] not in codes:
            continue
        try:
            wanted = msgspec.convert(result, Answer).wanted
        except msgspec.ValidationError:
            continue  # it is told as the turn's error
        for each in wanted:
            number = counts[around] = counts.get(around, 0) + 1
            step = each.step(number)
            asked[f"{around}.{step.name}"] = step
    return asked


def _span(seconds: float) -> str:
    """Return a span as a flow's file has it; what is shorter than a millisecond takes one."""
    return format_duration(max(0.001, seconds))
