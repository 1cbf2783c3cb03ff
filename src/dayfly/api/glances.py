"""A glance at every function, made once for all who look at a list of them.

Each look costs a pass over all functions. So there is one at most in the time that keeps its cost to a twentieth of a
core, however many look on, and none while nobody does. The spark lines begin with what is kept of the last half hour's
calls and go on with what is counted from one look to the next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from dayfly.model.glance import SPARK_MINUTES, Glance
from dayfly.model.names import FunctionKey
from dayfly.model.rollup import SPANS_S
from dayfly.model.status import FunctionStatus
from dayfly.observe.meter import Meter
from dayfly.observe.rollups import RollupQuery

if TYPE_CHECKING:
    from dayfly.api.services import Services

LEAST_S = 1.0
"""Between one look and the next."""
_COST = 20
"""And at least so many times the processor time that this thread spends meanwhile."""
_MINUTE_S = SPANS_S["minute"]
_MOST_ROLLUPS = 100_000
_STALE_S = 10.0
"""After so long without a look, what was counted meanwhile belongs to minutes that nobody can tell: they are read."""


class Glances:
    """What was seen last. For the loop's one thread."""

    def __init__(self) -> None:
        self._looking = asyncio.Lock()
        self._seen: dict[FunctionKey, Glance] = {}
        self._sparks: dict[FunctionKey, _Spark] = {}
        self._at_s = float("-inf")
        self._took_s = 0.0
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Let nobody look any more: those who do are told by `pause`."""
        self._ended.set()

    async def pause(self) -> bool:
        """Return when the next look is due, and whether there will be one."""
        try:
            async with asyncio.timeout(self.pause_s):
                await self._ended.wait()
        except TimeoutError:
            return True
        return False

    @property
    def pause_s(self) -> float:
        """How long to wait before the next look."""
        return max(LEAST_S, _COST * self._took_s)

    async def look(self, services: Services) -> Mapping[FunctionKey, Glance]:
        """Return a glance at every function, as it was within the last `pause_s`. Raises StoreUnavailable."""
        async with self._looking:
            began_s, spent_s = time.monotonic(), time.thread_time()
            if began_s - self._at_s < self.pause_s * 0.9:
                return self._seen
            if began_s - self._at_s > max(_STALE_S, 2 * self.pause_s):
                self._sparks = await _kept(services)
            statuses = [
                status
                for namespace in services.namespaces.names()
                for status in await services.plane.statuses(namespace)
            ]
            minute = int(time.time()) // _MINUTE_S
            self._seen = {status.spec.key: self._glance(status, services.meter, minute) for status in statuses}
            self._sparks = {key: spark for key, spark in self._sparks.items() if key in self._seen}
            self._at_s = time.monotonic()
            self._took_s = time.thread_time() - spent_s
            return self._seen

    def _glance(self, status: FunctionStatus, meter: Meter, minute: int) -> Glance:
        key = status.spec.key
        spark = self._sparks.setdefault(key, _Spark())
        codes = meter.figures(key).codes
        failed = sum(figures.calls for code, figures in codes.items() if code >= 500)
        spark.count(minute, status.invocations, failed)
        calls = sum(spark.calls.values())
        minutes = range(minute - SPARK_MINUTES + 1, minute + 1) if calls else ()
        return Glance(
            name=key.name,
            namespace=key.namespace,
            state=status.state,
            reason=status.reason,
            replicas=status.ready_replicas,
            desired_replicas=status.desired_replicas,
            calls_total=status.invocations,
            error_rate=min(1.0, sum(spark.failed.values()) / calls) if calls else None,
            spark=tuple(spark.calls.get(each, 0) for each in minutes),
            updated_unix_ms=status.updated_unix_ms,
            canary=status.rollout is not None,
        )


class _Spark:
    """One function's calls by the minute, and how far they were counted."""

    def __init__(self) -> None:
        self.calls: dict[int, int] = {}
        self.failed: dict[int, int] = {}
        self._counted: tuple[int, int] | None = None

    def count(self, minute: int, calls: int, failed: int) -> None:
        """Take in totals as they are now; what is new belongs to this minute. The first ones say where to begin."""
        before, self._counted = self._counted, (calls, failed)
        if before is not None:
            self.keep(minute, max(0, calls - before[0]), max(0, failed - before[1]))
        for each in (self.calls, self.failed):
            for old in [at for at in each if at <= minute - SPARK_MINUTES]:
                del each[old]

    def keep(self, minute: int, calls: int, failed: int) -> None:
        """Take in calls of a minute."""
        for each, more in ((self.calls, calls), (self.failed, failed)):
            if more:
                each[minute] = each.get(minute, 0) + more


async def _kept(services: Services) -> dict[FunctionKey, _Spark]:
    sparks: dict[FunctionKey, _Spark] = {}
    since_s = int(time.time()) - SPARK_MINUTES * _MINUTE_S
    for namespace in services.namespaces.names():
        query = RollupQuery(namespace=namespace, span="minute", since_unix_s=since_s, limit=_MOST_ROLLUPS)
        for row in await services.records.rolled_up(query):
            key = msgspec.convert({"namespace": row.namespace, "name": row.function}, FunctionKey)
            sparks.setdefault(key, _Spark()).keep(row.at_unix_s // _MINUTE_S, row.calls, row.failed)
    return sparks
