"""Deployments and returns as changes of what should be true, and the decisions of lifecycles written down.

A person's change is written to the store before it is acted upon. A lifecycle's own decision, to promote a candidate or
to take it back, is acted upon at once, since calls depend on it, and written as soon as the changes before it are. What
is written then is what is true by then, so that the two kinds cannot undo each other in the store.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from dayfly.control.clock import Clock, Timer
from dayfly.control.ports import LogSink
from dayfly.control.refusals import not_kept
from dayfly.control.sequence import Sequence
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.rollout import BY_HAND, dated, returned, shifted
from dayfly.model.errors import InvalidRequest, StoreUnavailable
from dayfly.model.function import Function, Revision
from dayfly.model.log import LogLine
from dayfly.model.names import FunctionKey, ReplicaId
from dayfly.model.rollout import Outcome, Verdict
from dayfly.model.status import RevisionStatus
from dayfly.storage.port import StateStore

log = logging.getLogger("dayfly.control")

RETRY_S = 5.0
"""How soon a decision that could not be written is written again."""


class Rollouts:
    """Keeps what lifecycles decide, and knows a function's history."""

    def __init__(
        self,
        store: StateStore,
        changes: Sequence,
        clock: Clock,
        logs: LogSink,
        machines: Mapping[FunctionKey, Lifecycle],
    ) -> None:
        self.on_decided: list[Callable[[FunctionKey, Outcome], None]] = []
        """Told of each rollout that ended by itself."""
        self.ended: Counter[tuple[FunctionKey, Verdict]] = Counter()
        """Rollouts that ended since the control plane started."""
        self._store = store
        self._changes = changes
        self._clock = clock
        self._logs = logs
        self._machines = machines
        self._retries: dict[FunctionKey, Timer] = {}

    def record(self, machine: Lifecycle) -> None:
        """A lifecycle has changed what should be true: date it, tell of it, write it down soon."""
        key = machine.function.key
        if machine.date(self._clock.unix_ms()) and machine.function.outcome is not None:
            self._tell(key, machine.function.outcome)
            for tell in self.on_decided:
                tell(key, machine.function.outcome)
        self._changes.begin(key, self._write(key))

    def stop(self) -> None:
        """Try no more to write what could not be written."""
        for timer in self._retries.values():
            timer.cancel()
        self._retries.clear()

    async def put(self, function: Function) -> Function:
        """Write what should be true from now on; return it with a date where it lacked one. Raises StoreUnavailable."""
        function = dated(function, self._clock.unix_ms())
        await self._store.put(function)
        return function

    async def decided(self, function: Function, verdict: Literal["promoted", "returned"]) -> None:
        """Write what a person decided about the candidate. Raises StoreUnavailable."""
        await self.put(shifted(function) if verdict == "promoted" else returned(function, BY_HAND))

    async def next_number(self, key: FunctionKey, present: Function | None, living: Iterable[int]) -> int:
        """Return a number that no revision of the function ever had, nor any of its replicas that still live.

        Raises StoreUnavailable.
        """
        known = [revision.number for revision in await self._store.revisions(key)] if present is not None else []
        return max([0, *known, *living]) + 1

    async def revisions(self, key: FunctionKey, present: Function) -> list[RevisionStatus]:
        """Return the function's revisions, the highest number first. Raises NotFound, StoreUnavailable."""
        return [
            RevisionStatus(
                number=revision.number,
                created_unix_ms=revision.created_unix_ms,
                spec=revision.spec,
                role=(
                    "serving" if revision.number == present.revision.number
                    else "candidate" if revision.number == present.newest.number
                    else "kept"
                ),
            )
            for revision in await self._store.revisions(key)
        ]  # fmt: skip

    async def target(self, key: FunctionKey, present: Function, to: int | None) -> Revision:
        """Return the revision to go back to. Raises InvalidRequest, NotFound, StoreUnavailable."""
        kept = await self._store.revisions(key)
        serving = present.revision.number
        if to is None:
            served = await self._store.served(key)
            older = [revision for revision in kept if revision.number < serving and revision.number in served]
            if not older:
                raise InvalidRequest(
                    f"no revision of {key.name} that served before revision {serving} is kept; name another with --to"
                )
            return older[0]
        if to == serving:
            raise InvalidRequest(f"revision {to} of {key.name} serves already")
        if to == present.newest.number:
            raise InvalidRequest(f"revision {to} of {key.name} is about to take over already")
        for revision in kept:
            if revision.number == to:
                return revision
        raise not_kept(key, to, (revision.number for revision in kept))

    async def _write(self, key: FunctionKey) -> None:
        machine = self._machines.get(key)
        if machine is None or machine.removed:
            return
        try:
            await self._store.put(machine.function)
        except StoreUnavailable as error:
            log.warning("%s: how its rollout ended could not be written and will be tried again: %s", key, error)
            earlier = self._retries.pop(key, None)
            if earlier is not None:
                earlier.cancel()
            self._retries[key] = self._clock.call_at(self._clock.now() + RETRY_S, lambda: self._retry(key))

    def _retry(self, key: FunctionKey) -> None:
        self._retries.pop(key, None)
        self._changes.begin(key, self._write(key))

    def _tell(self, key: FunctionKey, outcome: Outcome) -> None:
        self.ended[key, outcome.verdict] += 1
        text = f"revision {outcome.revision} was {outcome.verdict}: {outcome.reason}"
        log.log(logging.WARNING if outcome.verdict == "returned" else logging.INFO, "%s: %s", key, text)
        unix_ns = outcome.ended_unix_ms * 1_000_000
        self._logs.write(LogLine(unix_ns, key, ReplicaId(""), "platform", "", text))
