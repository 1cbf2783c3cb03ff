"""Flows and their runs, for whoever asks: what the API answers and takes."""

import msgspec

from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import FlowError, FlowRun, RunState, StepRecord


class FlowStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A flow, and how many of its runs are under way."""

    spec: FlowSpec
    created_unix_ms: int
    updated_unix_ms: int
    runs_under_way: int = 0


class FlowFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How a flow's runs go."""

    flow: str
    namespace: str
    under_way: int
    ended: dict[str, int]
    """Runs that ended since the control plane started, by what they came to."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A run, without what is in it."""

    id: str
    flow: str
    namespace: str
    state: RunState
    started_unix_ms: int
    finished_unix_ms: int = 0
    started_by: str = ""
    rerun_of: str = ""
    error: FlowError | None = None

    @classmethod
    def of(cls, run: FlowRun) -> "RunSummary":
        """Return what is said of a run in a list."""
        return cls(**{name: getattr(run, name) for name in cls.__struct_fields__})


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all that it did."""

    run: FlowRun
    steps: tuple[StepRecord, ...]
    """Each place that it came to, in the order in which they began."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody says of a step that waits for approval."""

    approve: bool
    comment: str = ""


class Rerun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"step": "from"}):
    """Where a new run goes on from an old one."""

    step: str
    """The path of a step, or its name where it was taken once."""
    current: bool = False
    """Whether it takes the flow as it is now, instead of as it was."""
