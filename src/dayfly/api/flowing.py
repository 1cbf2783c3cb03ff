"""Flows and their runs as the API knows them."""

from typing import Any, Literal, Protocol

from dayfly.model.flow import FlowMode, FlowSpec
from dayfly.model.flow_run import RunState
from dayfly.model.flow_status import FlowFigures, FlowStatus, Judgement, Rerun, RunReport, RunSummary
from dayfly.model.names import NamespaceName


class Flows(Protocol):
    """The use cases of flows."""

    def in_namespace(self, namespace: NamespaceName) -> list[FlowStatus]:
        """Return the namespace's flows, ordered by name."""
        ...

    def get(self, namespace: NamespaceName, name: str) -> FlowStatus:
        """Return the flow. Raises NotFound."""
        ...

    def figures(self, namespace: NamespaceName) -> list[FlowFigures]:
        """Return how the runs of each of the namespace's flows go."""
        ...

    async def put(
        self, spec: FlowSpec, *, mode: FlowMode = "upsert"
    ) -> tuple[FlowStatus, Literal["created", "updated"]]:
        """Let runs that begin from now on take these steps.

        Raises InvalidName, InvalidSpec, Conflict (create), NotFound (update), LimitExceeded, StoreUnavailable.
        """
        ...

    async def remove(self, namespace: NamespaceName, name: str) -> None:
        """Remove the flow; its runs under way go on. Raises NotFound, StoreUnavailable."""
        ...


class Runs(Protocol):
    """The use cases of runs. All raise StoreUnavailable."""

    async def start(
        self, namespace: NamespaceName, flow: str, given: Any, *, by: str, key: str = "", depth: int = 0
    ) -> RunReport:
        """Begin a run of the flow. Raises NotFound, NotSupported, LimitExceeded, InvalidRequest, KeyReused."""
        ...

    async def rerun(self, namespace: NamespaceName, run_id: str, asked: Rerun, *, by: str, depth: int = 0) -> RunReport:
        """Begin a run that goes on from a step of another. Raises NotFound, Conflict, NotSupported, LimitExceeded."""
        ...

    async def listed(
        self, namespace: NamespaceName, *, flow: str = "", state: RunState | None = None, limit: int = 100
    ) -> list[RunSummary]:
        """Return the namespace's runs, the newest first."""
        ...

    async def report(self, namespace: NamespaceName, run_id: str, wait_s: float = 0.0) -> RunReport:
        """Return the run with its steps, when it is over or after `wait_s`. Raises NotFound."""
        ...

    async def cancel(self, namespace: NamespaceName, run_id: str, *, by: str) -> None:
        """Let a run be over. Raises NotFound, Conflict when it is."""
        ...

    async def send(
        self, namespace: NamespaceName, run_id: str, event: str, payload: Any, *, by: str, key: str = ""
    ) -> None:
        """Send an event to a run, once for its key. Raises NotFound, Conflict, InvalidRequest, LimitExceeded."""
        ...

    async def judge(self, namespace: NamespaceName, run_id: str, step: str, said: Judgement, *, by: str) -> None:
        """Approve or reject a step that waits for it. Raises NotFound, Conflict, InvalidRequest."""
        ...
