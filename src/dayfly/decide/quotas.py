"""What the replicas of a namespace use and may use, counted one by one.

Every replica that exists, from its order to its end, draining ones too, is in its namespace's budget, and none is
ordered that there is no room for. So no order of deployments, calls, rollouts and ends exceeds a quota, and what load
asks for beyond it waits. A quota that is lowered stops nothing; nothing starts until there is room below it.
"""

from collections.abc import Sequence

import msgspec

from dayfly.model.function import FunctionSpec, memory_of, millicores_of
from dayfly.model.names import FunctionKey
from dayfly.model.namespace import Quota, Usage
from dayfly.model.quantities import format_cpu
from dayfly.model.replica import StartOrder
from dayfly.model.scaling import MAX_REPLICAS

PLENTY = 10 * MAX_REPLICAS
"""More replicas than anybody could ask for."""
NAMES = ("replicas", "memory", "cpu")
"""What replicas take of a quota, in the order of all amounts here."""


class Need(msgspec.Struct, frozen=True):
    """What one replica takes of a quota."""

    memory_bytes: int
    cpu_millicores: int
    """0 for one without a limit, which may take all there is."""

    @classmethod
    def of(cls, spec: FunctionSpec) -> "Need":
        """What a replica of the function takes."""
        return cls(spec.memory_bytes, spec.cpu_millicores)

    @classmethod
    def of_order(cls, order: StartOrder) -> "Need":
        """What the replica that is ordered takes."""
        return cls(memory_of(order.memory_bytes), millicores_of(order.cpu_millicores))

    @property
    def parts(self) -> tuple[int, int, int]:
        """The amounts by `NAMES`."""
        return 1, self.memory_bytes, self.cpu_millicores


class Budget:
    """What the replicas of one namespace use and may use; shared by the lifecycles of its functions."""

    __slots__ = ("_most", "_used", "asked_at", "body_bytes", "log_rate_bytes", "quota", "waiting")

    def __init__(self, quota: Quota | None = None) -> None:
        self._used = [0] * len(NAMES)
        self.waiting: dict[FunctionKey, None] = {}
        """Functions that lack a replica for want of room, longest first."""
        self.asked_at: float | None = None
        """When functions were last asked to rest."""
        self.limit(quota or Quota())

    def limit(self, quota: Quota) -> None:
        """Let this be what may be used from now on; what is used already stays."""
        self.quota = quota
        self._most = amounts(quota)
        self.body_bytes = quota.body_bytes
        self.log_rate_bytes = quota.log_rate_bytes

    def room(self, need: Need, without: Sequence[Need] = ()) -> int:
        """Return how many more such replicas there may be, or might if those `without` were gone."""
        used = self._used
        for gone in without:
            used = [amount - each for amount, each in zip(used, gone.parts, strict=True)]
        rooms = [
            (most - amount) // each if each else 0
            for most, amount, each in zip(self._most, used, need.parts, strict=True)
            if most is not None
        ]
        return max(0, min(rooms, default=PLENTY))

    def take(self, need: Need) -> None:
        """One more such replica exists."""
        self._used = [used + each for used, each in zip(self._used, need.parts, strict=True)]

    def give(self, need: Need) -> None:
        """One such replica is gone."""
        self._used = [used - each for used, each in zip(self._used, need.parts, strict=True)]

    def lack(self, need: Need) -> str:
        """Return which amount leaves no room for one more such replica; empty when there is room."""
        for name, most, used, each in zip(NAMES, self._most, self._used, need.parts, strict=True):
            if most is not None and not each:
                return "its quota of cpu asks for limits.cpu, which the function has not"
            if most is not None and used + each > most:
                text = f"its quota of {name} is used up, {written(name, used)} of {written(name, most)}"
                return text if each == 1 else f"{text}; a replica takes {written(name, each)}"
        return ""

    def usage(self, functions: int) -> Usage:
        """Return what is used now, by so many functions."""
        replicas, memory_bytes, cpu_millicores = self._used
        return Usage(functions=functions, replicas=replicas, memory_bytes=memory_bytes, cpu_millicores=cpu_millicores)


def amounts(quota: Quota) -> tuple[int | None, int | None, int | None]:
    """Return what replicas may take together, by `NAMES`; None where the quota says nothing."""
    return quota.replicas, quota.memory_bytes or None, quota.cpu_millicores or None


def written(name: str, amount: int) -> str:
    """Return an amount as a quota writes it; memory is rounded up to whole mebibytes."""
    if name == "memory":
        return f"{-(-amount // 2**20)}Mi"
    return format_cpu(amount) if name == "cpu" else str(amount)
