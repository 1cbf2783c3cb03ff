"""Runs of flows, for those who begin them, look at them, and tell them what has happened."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import msgspec

from dayfly.control.clock import Clock
from dayfly.decide.flow_records import Records
from dayfly.decide.flow_rerun import kept
from dayfly.decide.flow_view import view, waits_for_judgement
from dayfly.events.firing import Beginning
from dayfly.events.flows.calls import Calls
from dayfly.events.flows.engine import Engine
from dayfly.events.flows.flows import Flows
from dayfly.model.errors import Conflict, InvalidRequest, LimitExceeded, NotFound, NotSupported
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_rules import MAX_TEXT, is_event
from dayfly.model.flow_run import OVER, Cancelled, FlowRun, Judged, RunState, Signalled
from dayfly.model.flow_status import Judgement, Rerun, RunReport, RunSummary
from dayfly.model.names import NamespaceName, new_run_id
from dayfly.storage.flow_runs import RunKey, RunLog, RunQuery
from dayfly.storage.memory_flow_runs import missing

MAX_SIGNALS = 1000
"""Events of a run that no step has taken yet."""
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")


class Runs:
    """The use cases of runs. A run is only ever looked for in the namespace that is asked about."""

    def __init__(
        self,
        flows: Flows,
        engine: Engine,
        log: RunLog,
        calls: Calls,
        check_open: Callable[[NamespaceName], None],
        clock: Clock,
    ) -> None:
        self._flows = flows
        self._engine = engine
        self._log = log
        self._calls = calls
        self._check_open = check_open
        self._clock = clock

    async def start(
        self, namespace: NamespaceName, flow: str, given: Any, *, by: str, key: str = "", depth: int = 0
    ) -> RunReport:
        """Begin a run of the flow; with a `key` once, whoever asks again gets the first one.

        `depth` is that of the call of a function which begins it; its own calls are one deeper.

        Raises NotFound, NotSupported, LimitExceeded, InvalidRequest, KeyReused, StoreUnavailable.
        """
        _check_key(key)
        asked = Beginning(namespace=namespace, flow=flow, input=given, key=key, depth=depth, by=by)
        return await self.report(namespace, await self._start(asked))

    async def begin(self, beginning: Beginning, /) -> None:
        """Begin the run that an event asks for, once for its key. Raises as `start` does."""
        # No key that a caller may bring has a newline in it.
        await self._start(msgspec.structs.replace(beginning, key=f"event\n{beginning.key}"))

    async def _start(self, asked: Beginning) -> str:
        spec = self._flows.get(asked.namespace, asked.flow).spec
        self._check(asked.namespace)
        run = FlowRun(
            id=new_run_id(), namespace=asked.namespace, flow=asked.flow, spec=spec, input=asked.input,
            started_unix_ms=self._clock.unix_ms(), started_by=asked.by, depth=asked.depth,
        )  # fmt: skip
        digest = hashlib.sha256(msgspec.json.encode(asked.input, order="deterministic")).hexdigest()
        return (await self._engine.begin(run, key=RunKey(asked.key, digest) if asked.key else None)).id

    async def rerun(self, namespace: NamespaceName, run_id: str, asked: Rerun, *, by: str, depth: int = 0) -> RunReport:
        """Begin a run that goes on from a step of one that is over.

        Raises NotFound, Conflict for a run under way, NotSupported, LimitExceeded, StoreUnavailable.
        """
        before = await self._found(namespace, run_id)
        if before.state not in OVER:
            raise Conflict(f"the run {run_id} is under way", hint="Cancel it first, or wait until it is over.")
        self._check(namespace)
        spec = self._flows.get(namespace, before.flow).spec if asked.current else before.spec
        log = await self._log.log(run_id)
        step = _place(Records(log), asked.step)
        _check_around(before.spec, spec, step)
        now_ms = self._clock.unix_ms()
        run = FlowRun(
            id=new_run_id(), namespace=namespace, flow=before.flow, spec=spec, input=before.input,
            started_unix_ms=now_ms, started_by=by, depth=depth, rerun_of=run_id, rerun_from=step,
        )  # fmt: skip
        await self._engine.begin(run, kept(spec, log, step, now_ms))
        return await self.report(namespace, run.id)

    async def listed(
        self, namespace: NamespaceName, *, flow: str = "", state: RunState | None = None, limit: int = 100
    ) -> list[RunSummary]:
        """Return the namespace's runs, the newest first. Raises StoreUnavailable."""
        runs = await self._log.listed(RunQuery(namespace=namespace, flow=flow, state=state, limit=limit))
        return [RunSummary.of(run) for run in runs]

    async def report(self, namespace: NamespaceName, run_id: str, wait_s: float = 0.0) -> RunReport:
        """Return the run with its steps, when it is over or after `wait_s`. Raises NotFound, StoreUnavailable."""
        run = await self._found(namespace, run_id)
        if wait_s and run.state not in OVER:
            await self._engine.wait(run_id, wait_s)
            run = await self._found(namespace, run_id)
        records = Records(await self._log.log(run_id))
        return RunReport(run=run, steps=view(run.spec, records))

    async def cancel(self, namespace: NamespaceName, run_id: str, *, by: str) -> None:
        """Let a run be over. Raises NotFound, Conflict when it is, StoreUnavailable."""
        run = await self._found(namespace, run_id)
        await self._engine.tell(run, lambda _run, _records: Cancelled(by=by))

    async def send(
        self, namespace: NamespaceName, run_id: str, event: str, payload: Any, *, by: str, key: str = ""
    ) -> None:
        """Send an event to a run, with a `key` once; one that no step waits for is kept until one does.

        Raises NotFound, Conflict for a run that is over, InvalidRequest, LimitExceeded, StoreUnavailable.
        """
        if not is_event(event):
            raise InvalidRequest(f"{event[:80]!r} is not an event's name: letters, digits, '.', '_', '-', at most 100")
        _check_key(key)
        run = await self._found(namespace, run_id)

        def make(_run: FlowRun, records: Records) -> Signalled | None:
            if key in records.senders:
                return None
            if sum(map(len, records.signals.values())) >= MAX_SIGNALS:
                raise LimitExceeded(f"{MAX_SIGNALS} events wait for the run {run_id} already")
            return Signalled(id=key or new_run_id(), event=event, payload=payload, by=by)

        await self._engine.tell(run, make)

    async def judge(self, namespace: NamespaceName, run_id: str, step: str, said: Judgement, *, by: str) -> None:
        """Approve or reject a step that waits for it.

        Raises NotFound, Conflict when it does not wait, InvalidRequest, StoreUnavailable.
        """
        if len(said.comment) > MAX_TEXT:
            raise InvalidRequest(f"comment: has at most {MAX_TEXT} characters")
        run = await self._found(namespace, run_id)

        def make(run: FlowRun, records: Records) -> Judged:
            waiting = waits_for_judgement(run.spec, records)
            path = _place(records, step, among=waiting)
            if path not in waiting:
                raise Conflict(f"the step {path} does not wait for approval")
            attempt = records.of(path).attempt
            return Judged(path=path, attempt=attempt, approved=said.approve, by=by, comment=said.comment)

        await self._engine.tell(run, make)

    def _check(self, namespace: NamespaceName) -> None:
        self._check_open(namespace)
        if self._calls.missing:
            raise NotSupported(f"Flows cannot run here: {self._calls.missing}")

    async def _found(self, namespace: NamespaceName, run_id: str) -> FlowRun:
        run = await self._log.get(run_id)
        if run.namespace != namespace:
            raise NotFound(missing(run_id))
        return run


def _check_around(before: FlowSpec, now: FlowSpec, path: str) -> None:
    """Refuse to go on inside a step that is another one now, since what it works on is kept. Raises Conflict."""
    name, dot, _ = path.partition(".")
    name = name.partition("~")[0]
    found = [next((step for step in spec.steps if step.name == name), None) for spec in (before, now)]
    if found[1] is None or ((dot or "~" in path) and found[0] != found[1]):
        told = f"the step {name} has changed since, so that a run cannot go on inside it"
        raise Conflict(told, hint=f"Go on from {name}, or from a step before it.")


def _check_key(key: str) -> None:
    if key and not _KEY.fullmatch(key):
        raise InvalidRequest("Idempotency-Key: must be 1 to 128 characters of printable ASCII")


def _place(records: Records, step: str, among: list[str] | None = None) -> str:
    """Return the path that somebody means, who may have given the step's name alone.

    Raises NotFound, and Conflict when there are several of that name.
    """
    if step in records.places:
        return step
    named = [path for path in records.places if path.rpartition(".")[2] == step]
    found = [path for path in named if among is None or path in among] or named
    if not found:
        raise NotFound(f"the run began no step {step[:100]}", hint="`dayfly flow describe RUN` shows those it began.")
    if len(found) > 1:
        told = ", ".join(found[:5]) + (" …" if len(found) > 5 else "")
        raise Conflict(f"the run took the step {step} in several places", hint=f"Name one by its path: {told}.")
    return found[0]
