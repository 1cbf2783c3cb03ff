"""Runs of flows in memory: the port's executable specification."""

from collections.abc import Collection, Sequence

import msgspec

from dayfly.model.errors import KeyReused, NotFound, StoreUnavailable
from dayfly.model.flow_run import Entry, Finished, FlowRun, Logged
from dayfly.model.names import NamespaceName
from dayfly.storage.flow_runs import Outrun, RunKey, RunLog, RunQuery


class MemoryRuns(RunLog):
    """Everything in dictionaries. `broken` holds a text while every call is to fail, for tests."""

    def __init__(self) -> None:
        self.broken = ""
        self._runs: dict[str, FlowRun] = {}
        self._logs: dict[str, list[Logged]] = {}
        self._keys: dict[tuple[str, str, str], tuple[str, str]] = {}

    async def open(self) -> None:
        """Open."""
        self._check()

    async def close(self) -> None:
        """Keep everything: it is memory."""

    async def begin(self, run: FlowRun, log: Sequence[Logged] = (), key: RunKey | None = None) -> FlowRun:
        """Keep a new run, or return the one of the key. Raises KeyReused."""
        self._check()
        if key is not None:
            known, digest = self._keys.setdefault((run.namespace, run.flow, key.key), (run.id, key.digest))
            if digest != key.digest:
                raise reused()
            if known in self._runs:
                return self._runs[known]
        self._runs[run.id], self._logs[run.id] = run, list(log)
        return run

    async def append(self, run: str, after: int, unix_ms: int, entries: Sequence[Entry]) -> int:
        """Add entries, and return the size of the log. Raises Outrun."""
        self._check()
        if run not in self._runs or self._runs[run].state != "running" or len(self._logs[run]) != after:
            raise Outrun
        log = self._logs[run]
        log += [Logged(after + at, unix_ms, entry) for at, entry in enumerate(entries, 1)]
        for entry in entries:
            if isinstance(entry, Finished):
                self._runs[run] = finished(self._runs[run], entry, unix_ms)
        return await self.size(run)

    async def log(self, run: str) -> list[Logged]:
        """Return the run's log."""
        self._check()
        return list(self._logs.get(run, ()))

    async def size(self, run: str) -> int:
        """Return the size of the log."""
        self._check()
        return sum(len(msgspec.json.encode(logged.entry)) for logged in self._logs.get(run, ()))

    async def get(self, run: str) -> FlowRun:
        """Return the run. Raises NotFound."""
        self._check()
        if run not in self._runs:
            raise NotFound(missing(run))
        return self._runs[run]

    async def listed(self, query: RunQuery) -> list[FlowRun]:
        """Return the runs wanted, the newest first."""
        self._check()
        found = [
            run
            for run in reversed(self._runs.values())
            if run.namespace == query.namespace
            and query.flow in ("", run.flow)
            and query.state in (None, run.state)
        ]  # fmt: skip
        return sorted(found, key=lambda run: -run.started_unix_ms)[: query.limit]

    async def under_way(self) -> list[FlowRun]:
        """Return every run that is not over, the oldest first."""
        self._check()
        return sorted(
            (run for run in self._runs.values() if run.state == "running"), key=lambda run: run.started_unix_ms
        )

    async def remove(self, runs: Collection[str]) -> None:
        """Forget these runs."""
        self._check()
        for run in runs:
            self._runs.pop(run, None)
            self._logs.pop(run, None)
        self._keys = {key: kept for key, kept in self._keys.items() if kept[0] in self._runs}

    async def forget(self, namespace: NamespaceName) -> None:
        """Forget all runs of the namespace."""
        await self.remove([run.id for run in self._runs.values() if run.namespace == namespace])

    async def trim(self, finished_before_unix_ms: int, most: int) -> int:
        """Forget what is old, and what is too much of one namespace."""
        self._check()
        over = sorted(
            (run for run in self._runs.values() if run.state != "running"), key=lambda run: -run.finished_unix_ms
        )
        gone, counts = [], dict[str, int]()
        for run in over:
            counts[run.namespace] = counts.get(run.namespace, 0) + 1
            if run.finished_unix_ms < finished_before_unix_ms or counts[run.namespace] > most:
                gone.append(run.id)
        await self.remove(gone)
        return len(gone)

    def _check(self) -> None:
        if self.broken:
            raise StoreUnavailable(self.broken)


def finished(run: FlowRun, entry: Finished, unix_ms: int) -> FlowRun:
    """Return the run as it is once this is in its log."""
    return msgspec.structs.replace(
        run, state=entry.state, result=entry.result, error=entry.error, finished_unix_ms=unix_ms
    )


def missing(run: str) -> str:
    """Return what is said of a run that is not there."""
    return f"there is no run {run[:80]}; runs that are over are kept for a while only"


def reused() -> KeyReused:
    """Return the refusal of a key that came with something else before."""
    return KeyReused("The Idempotency-Key came with another input before", hint="Use a key for one run.")
