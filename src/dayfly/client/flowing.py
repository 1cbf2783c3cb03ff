"""What both clients have for flows and their runs. A namespace that is left empty is the client's own."""

from abc import ABC, abstractmethod
from typing import TypeVar

from dayfly.client import flow_calls as calls
from dayfly.client.calls import Call
from dayfly.client.gateway import Target
from dayfly.model.flow import FlowMode, FlowSpec
from dayfly.model.flow_run import RunState
from dayfly.model.flow_status import FlowStatus, Judgement, Rerun, RunReport, RunSummary

T = TypeVar("T")
TEXT = "text/plain; charset=utf-8"


class Flowing(ABC):
    """The methods of the client for programs without asyncio."""

    _target: Target

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def list_flows(self, namespace: str = "") -> list[FlowStatus]:
        """Return a namespace's flows, sorted by name."""
        return self._send(calls.list_flows(self._target.namespace(namespace)))

    def get_flow(self, name: str, *, namespace: str = "") -> FlowStatus:
        """Return one flow. Raises NotFound."""
        return self._send(calls.get_flow(name, self._target.namespace(namespace)))

    def put_flow(self, spec: FlowSpec, *, mode: FlowMode = "upsert") -> FlowStatus:
        """Let runs that begin from now on take these steps.

        Raises InvalidSpec, Conflict (create, and it exists), NotFound (update, and it does not exist).
        """
        return self._send(calls.put_flow(spec, mode))

    def remove_flow(self, name: str, *, namespace: str = "") -> None:
        """Take a flow away; its runs under way go on. Raises NotFound."""
        self._send(calls.remove_flow(name, self._target.namespace(namespace)))

    def start_run(
        self,
        name: str,
        body: bytes = b"",
        *,
        namespace: str = "",
        content_type: str = TEXT,
        key: str = "",
        wait_s: float = 0.0,
    ) -> RunReport:
        """Begin a run of a flow and return how it stands, when it is over or after `wait_s`, up to 60.

        With a `key` it begins once, whoever asks again gets the first one. Raises NotFound, NotSupported,
        LimitExceeded, KeyReused.
        """
        return self._send(calls.start_run(name, self._target.namespace(namespace), body, content_type, key, wait_s))

    def list_runs(
        self, namespace: str = "", *, flow: str = "", state: RunState | None = None, limit: int = 100
    ) -> list[RunSummary]:
        """Return a namespace's runs, the newest first."""
        return self._send(calls.list_runs(self._target.namespace(namespace), flow, state, limit))

    def get_run(self, run: str, *, namespace: str = "", wait_s: float = 0.0) -> RunReport:
        """Return a run with its steps, when it is over or after `wait_s`, up to 60. Raises NotFound."""
        return self._send(calls.get_run(run, self._target.namespace(namespace), wait_s))

    def cancel_run(self, run: str, *, namespace: str = "") -> RunReport:
        """Let a run be over. Raises NotFound, Conflict when it is over already."""
        return self._send(calls.cancel_run(run, self._target.namespace(namespace)))

    def send_event(
        self, run: str, event: str, body: bytes = b"", *, namespace: str = "", content_type: str = TEXT
    ) -> None:
        """Send an event to a run, which keeps it until a step waits for it. Raises NotFound, Conflict."""
        self._send(calls.send_event(run, event, self._target.namespace(namespace), body, content_type))

    def judge_step(self, run: str, step: str, *, approve: bool, comment: str = "", namespace: str = "") -> None:
        """Approve or reject a step that waits for it. Raises NotFound, Conflict when it does not wait."""
        said = Judgement(approve=approve, comment=comment)
        self._send(calls.judge_step(run, step, self._target.namespace(namespace), said))

    def rerun(self, run: str, step: str, *, current: bool = False, namespace: str = "") -> RunReport:
        """Begin a run that keeps what came before a step of another, and takes the rest anew.

        `current` has it take the flow as it is now. Raises NotFound, Conflict for a run under way.
        """
        return self._send(calls.rerun(run, self._target.namespace(namespace), Rerun(step=step, current=current)))


class AsyncFlowing(ABC):
    """The methods of the client for asyncio."""

    _target: Target

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def list_flows(self, namespace: str = "") -> list[FlowStatus]:
        """Return a namespace's flows, sorted by name."""
        return await self._send(calls.list_flows(self._target.namespace(namespace)))

    async def get_flow(self, name: str, *, namespace: str = "") -> FlowStatus:
        """Return one flow. Raises NotFound."""
        return await self._send(calls.get_flow(name, self._target.namespace(namespace)))

    async def put_flow(self, spec: FlowSpec, *, mode: FlowMode = "upsert") -> FlowStatus:
        """Let runs that begin from now on take these steps.

        Raises InvalidSpec, Conflict (create, and it exists), NotFound (update, and it does not exist).
        """
        return await self._send(calls.put_flow(spec, mode))

    async def remove_flow(self, name: str, *, namespace: str = "") -> None:
        """Take a flow away; its runs under way go on. Raises NotFound."""
        await self._send(calls.remove_flow(name, self._target.namespace(namespace)))

    async def start_run(
        self,
        name: str,
        body: bytes = b"",
        *,
        namespace: str = "",
        content_type: str = TEXT,
        key: str = "",
        wait_s: float = 0.0,
    ) -> RunReport:
        """Begin a run of a flow and return how it stands, when it is over or after `wait_s`, up to 60.

        With a `key` it begins once, whoever asks again gets the first one. Raises NotFound, NotSupported,
        LimitExceeded, KeyReused.
        """
        return await self._send(
            calls.start_run(name, self._target.namespace(namespace), body, content_type, key, wait_s)
        )

    async def list_runs(
        self, namespace: str = "", *, flow: str = "", state: RunState | None = None, limit: int = 100
    ) -> list[RunSummary]:
        """Return a namespace's runs, the newest first."""
        return await self._send(calls.list_runs(self._target.namespace(namespace), flow, state, limit))

    async def get_run(self, run: str, *, namespace: str = "", wait_s: float = 0.0) -> RunReport:
        """Return a run with its steps, when it is over or after `wait_s`, up to 60. Raises NotFound."""
        return await self._send(calls.get_run(run, self._target.namespace(namespace), wait_s))

    async def cancel_run(self, run: str, *, namespace: str = "") -> RunReport:
        """Let a run be over. Raises NotFound, Conflict when it is over already."""
        return await self._send(calls.cancel_run(run, self._target.namespace(namespace)))

    async def send_event(
        self, run: str, event: str, body: bytes = b"", *, namespace: str = "", content_type: str = TEXT
    ) -> None:
        """Send an event to a run, which keeps it until a step waits for it. Raises NotFound, Conflict."""
        await self._send(calls.send_event(run, event, self._target.namespace(namespace), body, content_type))

    async def judge_step(self, run: str, step: str, *, approve: bool, comment: str = "", namespace: str = "") -> None:
        """Approve or reject a step that waits for it. Raises NotFound, Conflict when it does not wait."""
        said = Judgement(approve=approve, comment=comment)
        await self._send(calls.judge_step(run, step, self._target.namespace(namespace), said))

    async def rerun(self, run: str, step: str, *, current: bool = False, namespace: str = "") -> RunReport:
        """Begin a run that keeps what came before a step of another, and takes the rest anew.

        `current` has it take the flow as it is now. Raises NotFound, Conflict for a run under way.
        """
        return await self._send(calls.rerun(run, self._target.namespace(namespace), Rerun(step=step, current=current)))
