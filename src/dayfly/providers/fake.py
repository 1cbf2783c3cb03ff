"""A provider without processes, for tests of everything that drives one.

How its replicas behave is set by a `FakePlan`, for all functions or for one by its name: how long they take to be
ready, whether they fail to start or end by themselves, how they print, how they stop. Time comes from a callable, so
that a test can turn it by hand. Replicas live in this object and outlive `close`, as real ones outlive the control
plane.
"""

import asyncio
import time
from collections.abc import Callable

import msgspec

from dayfly.model.errors import Unavailable
from dayfly.model.log import LogLine
from dayfly.model.names import ReplicaId
from dayfly.model.replica import (
    ExitReason,
    RecoveredReplica,
    ReplicaEvent,
    ReplicaExited,
    ReplicaReady,
    ReplicaStats,
    StartOrder,
)
from dayfly.providers.port import Provider

CallLater = Callable[[float, Callable[[], None]], object]


class FakePlan(msgspec.Struct, frozen=True, kw_only=True):
    """How replicas behave. Times are in seconds; None means never."""

    ready_after_s: float | None = 0.0
    """0 is at once, within `start`."""
    refuse_start: str = ""
    """`start` raises Unavailable with this text."""
    refuse_stop: str = ""
    """`stop` raises Unavailable with this text."""
    exit_after_s: float | None = None
    """Since the start; before it is ready when that is earlier."""
    exit_reason: ExitReason = "crashed"
    exit_detail: str = ""
    prints: tuple[str, ...] = ()
    """Lines printed as soon as it is started."""
    stop_after_s: float | None = 0.0
    """How long it takes to stop when asked; None is until the grace is over."""


class FakeReplica(msgspec.Struct):
    """A replica that only exists here."""

    order: StartOrder
    plan: FakePlan
    address: str = ""
    grace_s: float | None = None
    """The grace it was asked to stop within."""


class FakeProvider(Provider):
    """Starts and stops replicas by the book only. `plan` holds for functions that `plans` does not name."""

    name = "fake"

    def __init__(self, plan: FakePlan | None = None, *, call_later: CallLater | None = None) -> None:
        self.plan = plan or FakePlan()
        self.plans: dict[str, FakePlan] = {}
        self.replicas: dict[ReplicaId, FakeReplica] = {}
        self.started: list[StartOrder] = []
        """Every order ever taken on, oldest first."""
        self.stopped: list[tuple[ReplicaId, float]] = []
        """Every stop ever asked for, with its grace."""
        self._call_later = call_later or _on_loop
        self._on_event: Callable[[ReplicaEvent], None] | None = None
        self._on_log: Callable[[LogLine], None] | None = None

    async def open(self, on_event: Callable[[ReplicaEvent], None], on_log: Callable[[LogLine], None]) -> None:
        """Report to these from now on."""
        self._on_event, self._on_log = on_event, on_log

    async def close(self) -> None:
        """Report no more; replicas stay."""
        self._on_event = self._on_log = None

    async def recover(self) -> list[RecoveredReplica]:
        """Return the replicas that run."""
        return [RecoveredReplica(replica.order, replica.address) for replica in self.replicas.values()]

    async def start(self, order: StartOrder) -> None:
        """Start a replica as its plan says. Raises Unavailable when the plan refuses."""
        plan = self.plans.get(order.key.name, self.plan)
        if plan.refuse_start:
            raise Unavailable(plan.refuse_start)
        if order.replica in self.replicas:
            return
        self.started.append(order)
        self.replicas[order.replica] = FakeReplica(order, plan)
        for text in plan.prints:
            self._print(order, text)
        self._after(plan.exit_after_s, lambda: self.end(order.replica, plan.exit_reason, plan.exit_detail))
        self._after(plan.ready_after_s, lambda: self.make_ready(order.replica))

    async def stop(self, replica: ReplicaId, *, grace_s: float) -> None:
        """Stop a replica as its plan says. Raises Unavailable when the plan refuses."""
        plan = self.replicas[replica].plan if replica in self.replicas else self.plan
        if plan.refuse_stop:
            raise Unavailable(plan.refuse_stop)
        self.stopped.append((replica, grace_s))
        if replica in self.replicas:
            self.replicas[replica].grace_s = grace_s
            within = grace_s if plan.stop_after_s is None else min(plan.stop_after_s, grace_s)
            self._after(within, lambda: self.end(replica, "stopped"))

    async def stats(self) -> dict[ReplicaId, ReplicaStats]:
        """Return a made-up use of each replica."""
        return {replica: ReplicaStats(cpu_s=0.25, memory_bytes=10 << 20) for replica in self.replicas}

    def make_ready(self, replica: ReplicaId) -> None:
        """Let a replica become ready, if it still runs and is not ready."""
        found = self.replicas.get(replica)
        if found is not None and not found.address:
            found.address = f"unix:/fake/{replica}.sock"
            self._report(ReplicaReady(replica, found.address, 0.0))

    def end(self, replica: ReplicaId, reason: ExitReason, detail: str = "") -> None:
        """Let a replica end, if it still runs."""
        if self.replicas.pop(replica, None) is not None:
            self._report(ReplicaExited(replica, reason, detail))

    def _after(self, delay_s: float | None, action: Callable[[], None]) -> None:
        if delay_s == 0:
            action()
        elif delay_s is not None:
            self._call_later(delay_s, action)

    def _report(self, event: ReplicaEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)

    def _print(self, order: StartOrder, text: str) -> None:
        if self._on_log is not None:
            self._on_log(LogLine(time.time_ns(), order.key, order.replica, "stdout", "", text))


def _on_loop(delay_s: float, action: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(delay_s, action)
