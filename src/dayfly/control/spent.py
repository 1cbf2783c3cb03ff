"""What functions' replicas use: memory now, and by function processor time and memory over time, also of those gone.

A provider knows only replicas that live, each since its own start. What a function has spent is the sum of what is seen
to be added, so that it never falls while this control plane lives; what a replica uses after it was last looked at is
not seen, and what it had used before this control plane found it is not ours to count.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from dayfly.control.clock import Clock
from dayfly.decide.lifecycle import Lifecycle
from dayfly.model.errors import Unavailable
from dayfly.model.names import FunctionKey, ReplicaId
from dayfly.model.replica import ReplicaStats
from dayfly.providers.port import Provider

log = logging.getLogger("dayfly.control")


class Spent:
    """The sums; `owners` tells whose a replica is, `machines` which functions are wanted."""

    def __init__(
        self,
        provider: Provider,
        owners: Mapping[ReplicaId, tuple[FunctionKey, int]],
        machines: Mapping[FunctionKey, Lifecycle],
        clock: Clock,
    ) -> None:
        self._provider = provider
        self._owners = owners
        self._machines = machines
        self._clock = clock
        self._looked_at = 0.0
        self._found: set[ReplicaId] = set()
        self._seen: dict[ReplicaId, float] = {}
        self._sums: defaultdict[FunctionKey, float] = defaultdict(float)
        self._gib_s: defaultdict[FunctionKey, float] = defaultdict(float)

    def found(self, replicas: Iterable[ReplicaId]) -> None:
        """These ran already: count what they use from the first look on."""
        self._found.update(replicas)

    async def look(self) -> dict[ReplicaId, ReplicaStats]:
        """Return what each replica uses now, and add what it used since the look before; nothing if nobody can tell."""
        try:
            stats = await self._provider.stats()
        except Unavailable as error:
            log.warning("the provider could not tell what replicas use: %s", error)
            return {}
        now, before = self._clock.now(), self._looked_at
        for replica, used in stats.items():
            key, _ = self._owners.get(replica, (None, 0))
            machine = self._machines.get(key) if key is not None else None
            if machine is not None and not machine.removed:
                start_s = used.cpu_s if replica in self._found else 0.0
                self._sums[machine.function.key] += max(0.0, used.cpu_s - self._seen.get(replica, start_s))
                if replica in self._seen:
                    self._gib_s[machine.function.key] += used.memory_bytes / 2**30 * (now - before)
        self._looked_at = now
        self._found -= stats.keys()
        self._seen = {replica: used.cpu_s for replica, used in stats.items()}
        return stats

    def forget(self, key: FunctionKey) -> None:
        """The function was removed; one deployed later under its name begins at zero."""
        self._sums.pop(key, None)
        self._gib_s.pop(key, None)

    def of(self, key: FunctionKey) -> float:
        """What the function has used, in seconds."""
        return self._sums.get(key, 0.0)

    def sums(self) -> Iterator[tuple[FunctionKey, tuple[float, float]]]:
        """Yield what each function has used: seconds of a processor, and GiB of memory times seconds.

        Memory counts from the second look at a replica on.
        """
        return ((key, (cpu_s, self._gib_s.get(key, 0.0))) for key, cpu_s in self._sums.items())
