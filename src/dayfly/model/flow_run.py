"""Runs of flows: what is known of each, and the log that all of it is made from.

A run's log only grows. Its entries are what happened; where the run stands follows from them alone, whoever reads them
and whenever. A path names a place: the step's name, and before it, parted by dots, the names of the steps around it
with the branch or the item's number: `each.3.resize`. Later attempts of a step that has steps inside are told apart by
`~2`, the steps of its catch by `~catch`.
"""

from typing import Any, Literal

import msgspec

from dayfly.model.flow import FlowSpec

RunState = Literal["running", "done", "failed", "cancelled"]
StepState = Literal["running", "retrying", "waiting", "done", "failed", "stopped"]
"""waiting: for time, an event or a person. stopped: its run or the step around it ended before it did."""
OVER: frozenset[str] = frozenset(("done", "failed", "cancelled"))


class FlowError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a step or a run failed; expressions in a catch see it as `error`."""

    code: str
    message: str
    step: str = ""
    """The path of the step that failed at first."""
    status: int = 0
    """A function's, when it answered."""
    body: Any = None
    """What it answered, cut short."""


class Begun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="begun"):
    """An attempt of a step begins; what it needs from outside is asked for after this is in the log."""

    path: str
    attempt: int = 1
    input: Any = None
    due_unix_ms: int = 0
    """When its time is up; 0 for never."""


class Ended(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="ended"):
    """A step has its result."""

    path: str
    attempt: int = 1
    result: Any = None
    signal: str = ""
    """The event that it took, when it waited for one."""


class Failed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="failed"):
    """An attempt of a step has failed; whether there is another, its step says."""

    path: str
    attempt: int = 1
    error: FlowError


class Signalled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="signalled"):
    """Somebody has sent an event; it is kept until a step waits for it."""

    id: str
    event: str
    payload: Any = None
    by: str = ""


class Judged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="judged"):
    """Somebody has approved or rejected."""

    path: str
    attempt: int = 1
    approved: bool
    by: str = ""
    comment: str = ""


class Cancelled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="cancelled"):
    """Somebody wants the run to be over."""

    by: str = ""


class Finished(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="finished"):
    """The run is over; nothing comes after this."""

    state: RunState
    result: Any = None
    error: FlowError | None = None


Entry = Begun | Ended | Failed | Signalled | Judged | Cancelled | Finished


class Logged(msgspec.Struct, frozen=True):
    """An entry in a run's log; the first has the number 1."""

    number: int
    unix_ms: int
    entry: Entry


class FlowRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run, without its steps."""

    id: str
    namespace: str
    flow: str
    spec: FlowSpec
    input: Any
    started_unix_ms: int
    started_by: str = ""
    depth: int = 0
    """How deep the call of a function was that began it; 0 when nobody's did."""
    rerun_of: str = ""
    """The run that this one goes on from."""
    rerun_from: str = ""
    """The path of the step it began at."""
    state: RunState = "running"
    finished_unix_ms: int = 0
    result: Any = None
    error: FlowError | None = None


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one place in a run."""

    path: str
    state: StepState
    attempt: int
    started_unix_ms: int
    """Of the first attempt."""
    finished_unix_ms: int = 0
    due_unix_ms: int = 0
    """When its time is up, or the next attempt begins."""
    input: Any = None
    result: Any = None
    error: FlowError | None = None
    """Why the last attempt failed."""
    by: str = ""
    """Who approved, rejected or sent the event."""
    comment: str = ""
