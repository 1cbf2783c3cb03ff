"""Processor time of the functions that scale on it.

Gateways know nothing of it, so the provider is asked every SAMPLE_S seconds, for as long as a function that scales on
`cpu` has replicas and was called since they were started; otherwise nothing runs here. A provider knows what each
replica has used since its start; what a lifecycle hears is the sum of the increases, which replicas that come and go
do not make fall. What a replica used before it was first seen, most of it its start, is left out.
"""

import asyncio
import logging

from dayfly.control.clock import Clock, Timer
from dayfly.control.reconciler import Reconciler
from dayfly.decide import events as ev
from dayfly.model.errors import Unavailable
from dayfly.model.names import FunctionKey, ReplicaId
from dayfly.model.replica import ReplicaStats
from dayfly.providers.port import Provider

log = logging.getLogger("dayfly.control")

SAMPLE_S = 2.0


class Processor:
    """Tells lifecycles what their replicas use."""

    def __init__(self, reconciler: Reconciler, provider: Provider, clock: Clock) -> None:
        self._reconciler = reconciler
        self._provider = provider
        self._clock = clock
        self._used_s: dict[FunctionKey, float] = {}
        self._seen: dict[ReplicaId, float] = {}
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def watch(self, key: FunctionKey) -> None:
        """The function was called: sample it from now on if it scales on processor time. Costs nothing otherwise."""
        if key not in self._used_s and self._is_due(key) and not self._stopped:
            self._used_s[key] = 0.0
            self._arm()

    async def stop(self) -> None:
        """Sample no more. Idempotent."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _is_due(self, key: FunctionKey) -> bool:
        machine = self._reconciler.machines.get(key)
        return machine is not None and machine.policy.signal == "cpu" and machine.scale.wanted > 0

    def _arm(self) -> None:
        if self._timer is None and self._task is None:
            self._timer = self._clock.call_at(self._clock.now() + SAMPLE_S, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._sample())
        self._task.add_done_callback(self._finished)

    async def _sample(self) -> None:
        try:
            stats = await self._provider.stats()
        except Unavailable as error:
            log.warning(
                "functions that scale on cpu stay as they are: the provider cannot tell what they use: %s", error
            )
            return
        self._used_s = {key: used_s for key, used_s in self._used_s.items() if self._is_due(key)}
        seen: dict[ReplicaId, float] = {}
        for key, used_s in self._used_s.items():
            self._used_s[key] = used_s + self._increase(key, stats, seen)
        self._seen = seen
        for key, used_s in self._used_s.items():
            self._reconciler.tell(key, ev.CpuObserved(used_s))

    def _increase(self, key: FunctionKey, stats: dict[ReplicaId, ReplicaStats], seen: dict[ReplicaId, float]) -> float:
        increase_s = 0.0
        for replica in self._reconciler.machines[key].replicas:
            found = stats.get(replica.id)
            if found is not None:
                seen[replica.id] = found.cpu_s
                increase_s += max(0.0, found.cpu_s - self._seen.get(replica.id, found.cpu_s))
        return increase_s

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            log.error("sampling processor time broke", exc_info=task.exception())
        if self._used_s and not self._stopped:
            self._arm()
