"""The engine: every run that is not over, taken up again when the control plane starts.

Nothing of a run is known here alone. A control plane that is killed leaves logs, and the next one goes on from them:
calls that were under way are ordered again, and the queue recognises them.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence

from dayfly.control.clock import Clock
from dayfly.decide.flow import decide as decide_steps
from dayfly.decide.flow_plan import Plan
from dayfly.decide.flow_records import Records
from dayfly.events.flows.calls import Calls
from dayfly.events.flows.open_run import Decide, OpenRun
from dayfly.events.pause import pause
from dayfly.model.errors import Conflict, DayflyError, LimitExceeded
from dayfly.model.flow_run import Entry, FlowRun, Logged, RunState
from dayfly.storage.flow_runs import RunKey, RunLog

MAX_OPEN = 1000
"""Runs of one namespace that are under way."""
KEPT_S, KEPT_RUNS = 30 * 86_400.0, 10_000
"""How long runs that are over are kept, and how many of one namespace."""
_TRIM_EVERY_S = 3600.0
_log = logging.getLogger("dayfly.events")


async def by_steps(run: FlowRun, records: Records, now_unix_ms: int) -> Plan:
    """Decide for a flow that is written as steps."""
    return decide_steps(run, records, now_unix_ms)


class Engine:
    """Drives runs. `open` it before anything is asked of it."""

    def __init__(self, log: RunLog, calls: Calls, clock: Clock, decide: Decide = by_steps) -> None:
        self.on_ended: list[Callable[[str, str], None]] = []
        """Told of each run that is over: its namespace and its id."""
        self.ended: Counter[tuple[str, str, RunState]] = Counter()
        """Runs that ended since we began, by namespace, flow and what they came to."""
        self._log = log
        self._calls = calls
        self._clock = clock
        self._decide = decide
        self._open: dict[str, OpenRun] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Open the log and take up every run in it that is not over. Raises StoreUnavailable."""
        await self._log.open()
        for run in await self._log.under_way():
            self._take_up(run)

    async def tidy(self) -> None:
        """Forget runs that are over and old, now and then, until cancelled."""
        while True:
            try:
                before = self._clock.unix_ms() - round(KEPT_S * 1000)
                await self._log.trim(before, KEPT_RUNS)
            except DayflyError as error:
                _log.warning("old runs of flows stay for now reason=%s", error)
            await pause(self._clock, _TRIM_EVERY_S)

    async def close(self) -> None:
        """Stop, and close the log; runs go on from there when it is opened again. Idempotent."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)  # `_ended` has told
        for run in list(self._open.values()):
            await run.drained()
        await self._log.close()

    def under_way(self, namespace: str, flow: str = "") -> list[str]:
        """Return the ids of the runs that are not over, of a namespace or of one flow there."""
        return [run.id for run in self._open.values() if run.namespace == namespace and flow in ("", run.flow)]

    async def begin(self, run: FlowRun, log: Sequence[Logged] = (), key: RunKey | None = None) -> FlowRun:
        """Begin a run, or return the one that began with this key before.

        Raises LimitExceeded, KeyReused, StoreUnavailable.
        """
        count = len(self.under_way(run.namespace))
        if count >= MAX_OPEN:
            raise LimitExceeded(
                f"the namespace {run.namespace} has {count} runs under way, and may have no more",
                hint="Try again once some are over; `dayfly flow cancel RUN` ends one.",
                retry_after_s=5,
            )
        begun = await self._log.begin(run, log, key)
        if begun.id == run.id:
            self._take_up(run)
        return begun

    async def tell(self, run: FlowRun, make: Callable[[FlowRun, Records], Entry | None]) -> None:
        """Write what has happened to a run. Raises Conflict when it is over, what `make` raises, StoreUnavailable."""
        found = self._open.get(run.id)
        if found is None:
            raise Conflict(f"the run {run.id} is over: {run.state}")
        await found.tell(make)

    async def drop(self, namespace: str) -> None:
        """Let go of all runs of a namespace, whose log is about to be forgotten."""
        for run_id in self.under_way(namespace):
            run, task = self._open.pop(run_id), self._tasks.pop(run_id, None)
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)  # `_ended` has told
            await run.abandon()

    async def wait(self, run_id: str, seconds: float) -> None:
        """Return when the run is over, or after so long."""
        found = self._open.get(run_id)
        if found is None or seconds <= 0:
            return
        over = asyncio.ensure_future(found.over.wait())
        timer = asyncio.ensure_future(pause(self._clock, seconds))
        try:
            await asyncio.wait((over, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            timer.cancel()

    def _take_up(self, run: FlowRun) -> None:
        open_run = OpenRun(run, self._log, self._calls, self._decide, self._clock)
        self._open[run.id] = open_run
        task = asyncio.get_running_loop().create_task(open_run.drive())
        self._tasks[run.id] = task
        task.add_done_callback(lambda done: self._ended(open_run, done))

    def _ended(self, run: OpenRun, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(run.id, None)
        if run.finished is not None:
            self._open.pop(run.id, None)
            self.ended[run.namespace, run.flow, run.finished.state] += 1
            for tell in self.on_ended:
                tell(run.namespace, run.id)
        if not task.cancelled() and task.exception() is not None:
            # It stays open in the log: the next control plane takes it up again.
            _log.error("bug: a run is driven no more run=%s", run.id, exc_info=task.exception())
