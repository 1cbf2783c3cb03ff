"""One function's life: from what is wanted and what is, to what must be done next.

A `Lifecycle` takes in an event and the time and returns instructions; it has no clock, no socket and no loop, and the
ids of new replicas come from a callable it is given. After every event it settles: it compares what is wanted
(a revision, a number of replicas) with the replicas it knows, and asks for the difference.

A new revision starts its replicas beside the old ones; only when the first of them is ready do the old ones drain.

What always holds between two events (`validate` checks it, the tests do after every step):

    L1  READY and only READY replicas have an address and serve
    L2  the current revision has never more replicas STARTING or READY than are wanted
    L3  replicas of an old revision are READY only while none of the current one is, and some are wanted
    L4  a removed function has DRAINING replicas only
    L5  when replicas are missing, they are being prepared for, waited for (back-off, or one trying ahead), or ordered
    L6  whenever the passing of time alone must have an effect, a wake-up is asked for no later than that
    L7  callers are told of a failure only while no replica is ready and the back-off runs
"""

from collections.abc import Callable, Iterator
from typing import Any

from dayfly.decide import events as ev
from dayfly.decide import scaling
from dayfly.decide.orders import start_order
from dayfly.decide.replicas import (
    DRAINING,
    READY,
    START_LIMIT_S,
    STARTING,
    STOP_AGAIN_S,
    STOPPED,
    InvalidTransition,
    Replica,
    Replicas,
)
from dayfly.decide.trouble import HEALTHY_AFTER_S, Trouble, failed
from dayfly.model.function import Function
from dayfly.model.names import ReplicaId
from dayfly.model.replica import Prepared, ReplicaPhase
from dayfly.model.scaling import ScalingPolicy

STOP_RETRY_S = 1.0
"""How soon a stop that the provider refused is asked for again."""
MAX_STORY = 32
"""Events kept to explain a bug."""


class Lifecycle:
    """The state of one function. Small, because ten thousand idle ones must fit."""

    __slots__ = (
        "_dirty", "_new_id", "_story", "failing", "function", "policy", "prepared", "preparing", "removed", "replicas",
        "scale", "timeout_s", "trouble", "wake_at",
    )  # fmt: skip

    def __init__(self, function: Function, new_id: Callable[[], ReplicaId]) -> None:
        self.policy: ScalingPolicy
        self.timeout_s: float
        self._adopt_spec(function)
        self.replicas = Replicas()
        self.scale = scaling.Scaling()
        self.trouble: Trouble | None = None
        self.failing = self.preparing = self.removed = False
        self.prepared: Prepared | None = None
        self.wake_at: float | None = None
        self._new_id = new_id
        self._dirty = False
        self._story: list[tuple[float, ev.Event]] | None = None

    def handle(self, event: ev.Event, now: float) -> list[ev.Instruction]:
        """Take in one event; return what must be done now, in order. Raises InvalidTransition for a bug of ours."""
        self._remember(event, now)
        out: list[ev.Instruction] = []
        try:
            _HANDLERS[type(event)](self, event, now, out)
            self._settle(now, out)
        except InvalidTransition as error:
            story = "\n".join(f"{at:.3f} {told}" for at, told in self._story or ())
            raise InvalidTransition(f"{error} after\n{story}") from error
        return out

    def current(self, *phases: ReplicaPhase) -> list[Replica]:
        """Return the current revision's replicas in these phases, oldest first."""
        number = self.function.revision.number
        return [replica for replica in self.replicas.within(*phases) if replica.revision == number]

    def old(self, *phases: ReplicaPhase) -> list[Replica]:
        """Return the replicas of other revisions in these phases."""
        number = self.function.revision.number
        return [replica for replica in self.replicas.within(*phases) if replica.revision != number]

    @property
    def ready(self) -> int:
        """How many replicas serve, of whatever revision."""
        return len(self.replicas.within(READY))

    # -- events ------------------------------------------------------------------------------------------------------

    def _deployed(self, event: ev.Deployed, now: float, _out: list[ev.Instruction]) -> None:
        self._adopt_spec(event.function)
        self.removed = self.preparing = False
        self.prepared = self.trouble = None
        self._dirty = True
        scaling.deploy(self.scale, self.policy, now)

    def _scaled(self, event: ev.Scaled, now: float, _out: list[ev.Instruction]) -> None:
        self.function = event.function
        scaling.by_hand(self.scale, self.policy, self.function.replicas, now)

    def _removed(self, _event: ev.Removed, _now: float, out: list[ev.Instruction]) -> None:
        if not self.removed:
            self.removed = True
            self.preparing = self._dirty = False
            self.prepared = self.trouble = None
            self.scale = scaling.Scaling()
            out.append(ev.Retract())

    def _recovered(self, event: ev.Recovered, now: float, _out: list[ev.Instruction]) -> None:
        for found in event.replicas:
            replica = self.replicas.enlist(found.order.replica, found.order.revision, now)
            if found.address:
                self.replicas.move(replica, READY, now, address=found.address)
        running = len(self.current(STARTING, READY)) or min(1, len(self.old(READY)))
        scaling.resume(self.scale, self.policy, self.function.replicas, running, now)

    def _demanded(self, _event: ev.Demanded, now: float, _out: list[ev.Instruction]) -> None:
        if not self.removed:
            scaling.demand(self.scale, self.policy, self.function.replicas, now)
            # A gateway that asks although the table holds an answer may have lost it: tell it again.
            self._dirty = self._dirty or self.failing

    def _load_observed(self, event: ev.LoadObserved, now: float, _out: list[ev.Instruction]) -> None:
        scaling.observe(self.scale, self.policy, event, now)
        if event.waiting and not self.ready and not self.removed:
            scaling.demand(self.scale, self.policy, self.function.replicas, now)

    def _cpu_observed(self, event: ev.CpuObserved, now: float, _out: list[ev.Instruction]) -> None:
        scaling.observe_cpu(self.scale, self.policy, event.cpu_s, now)

    def _prepare_done(self, event: ev.PrepareDone, _now: float, _out: list[ev.Instruction]) -> None:
        if self.preparing and event.revision == self.function.revision.number:
            self.preparing = False
            self.prepared = event.prepared

    def _prepare_failed(self, event: ev.PrepareFailed, now: float, out: list[ev.Instruction]) -> None:
        if self.preparing and event.revision == self.function.revision.number:
            self.preparing = False
            self._fail(failed(self.trouble, "prepare_failed", event.detail, (), now), event.detail, out)

    def _is_ready(self, event: ev.Ready, now: float, _out: list[ev.Instruction]) -> None:
        replica = self.replicas.get(event.replica)
        # One that was given up meanwhile comes too late, and a second word says nothing new.
        if replica is not None and replica.phase is STARTING:
            self.replicas.move(replica, READY, now, address=event.address)

    def _exited(self, event: ev.Exited, now: float, out: list[ev.Instruction]) -> None:
        replica = self.replicas.get(event.replica)
        if replica is None:
            return
        wanted = replica.phase is not DRAINING and replica.revision == self.function.revision.number
        if wanted:
            self.prepared = None if event.reason == "start_failed" else self.prepared
            lived_s = now - replica.started if replica.phase is READY else None
            trouble = failed(self.trouble, event.reason, event.detail, event.lines, now, lived_s=lived_s)
            self._fail(trouble, event.detail, out)
        self.replicas.move(replica, STOPPED, now)

    def _stop_failed(self, event: ev.StopFailed, now: float, _out: list[ev.Instruction]) -> None:
        replica = self.replicas.get(event.replica)
        if replica is not None and replica.phase is DRAINING:
            replica.act_at = now + STOP_RETRY_S

    def _tick(self, _event: ev.Tick, _now: float, _out: list[ev.Instruction]) -> None:
        self.wake_at = None

    # -- settling ----------------------------------------------------------------------------------------------------

    def _settle(self, now: float, out: list[ev.Instruction]) -> None:
        if not self.removed:
            scaling.settle(self.scale, self.policy, self.function.replicas, now)
            self._give_up_slow(now, out)
        for replica in list(self._surplus()):
            self.replicas.move(replica, DRAINING, now)
        self._heal(now)
        self._publish(now, out)
        for replica in self.replicas.within(DRAINING):
            if replica.act_at is not None and replica.act_at <= now:
                grace_s = self.timeout_s if replica.address else 0.0
                replica.act_at = now + grace_s + STOP_AGAIN_S
                out.append(ev.StopReplica(replica.id, grace_s))
        self._fill(now, out)
        self._ask_to_be_woken(now, out)
        if self.removed and not self.replicas:
            out.append(ev.Forget())

    def _give_up_slow(self, now: float, out: list[ev.Instruction]) -> None:
        for replica in self.current(STARTING):
            if replica.act_at is not None and replica.act_at <= now:
                self.replicas.move(replica, DRAINING, now)
                detail = f"not ready {START_LIMIT_S:g} s after its start"
                self._fail(failed(self.trouble, "too_slow", detail, (), now), detail, out)

    def _surplus(self) -> Iterator[Replica]:
        if self.removed:
            yield from self.replicas.within(STARTING, READY)
            return
        yield from self.old(STARTING)
        serving = self.current(READY)
        if serving or self.scale.wanted == 0:
            yield from self.old(READY)
        by_worth = serving + self.current(STARTING)
        yield from by_worth[self.scale.wanted :]

    def _heal(self, now: float) -> None:
        if self.trouble and now >= self.trouble.retry_at + HEALTHY_AFTER_S and self.current(READY):
            self.trouble = None

    def _publish(self, now: float, out: list[ev.Instruction]) -> None:
        failing = self.trouble is not None and not self.trouble.hold and now < self.trouble.retry_at and not self.ready
        if failing != self.failing:
            self.failing = failing
            self._dirty = True
        if (self._dirty or self.replicas.rerouted) and not self.removed:
            out.append(ev.Publish())
        self._dirty = self.replicas.rerouted = False

    def _fill(self, now: float, out: list[ev.Instruction]) -> None:
        missing = self._startable(now)
        if missing <= 0:
            return
        if self.prepared is None:
            if not self.preparing:
                self.preparing = True
                out.append(ev.Prepare(self.function.revision.number, self.function.revision.spec))
            return
        for _ in range(missing):
            order = start_order(self.function, self.prepared, self._new_id())
            self.replicas.enlist(order.replica, order.revision, now)
            out.append(ev.StartReplica(order))

    def _startable(self, now: float) -> int:
        if self.removed or (self.trouble is not None and now < self.trouble.retry_at):
            return 0
        starting, ready = len(self.current(STARTING)), len(self.current(READY))
        missing = self.scale.wanted - starting - ready
        if self.trouble is not None and not ready:
            # After a failure one replica tries ahead of the others: twenty that fail the same way say no more.
            return min(missing, 1 - starting)
        return missing

    def _ask_to_be_woken(self, now: float, out: list[ev.Instruction]) -> None:
        due = self.next_due(now)
        if due is not None and (self.wake_at is None or due < self.wake_at):
            self.wake_at = due
            out.append(ev.WakeAt(due))

    def next_due(self, now: float) -> float | None:
        """Return when time alone will have an effect; None for never."""
        times = [replica.act_at for replica in self.replicas if replica.act_at is not None]
        if not self.removed:
            times.extend(scaling.next_changes(self.scale, self.policy, self.function.replicas))
            if self.trouble is not None:
                times.extend(at for at in (self.trouble.retry_at, self.trouble.retry_at + HEALTHY_AFTER_S) if at > now)
        return min(times, default=None)

    def _adopt_spec(self, function: Function) -> None:
        self.function = function
        self.policy = function.revision.spec.scaling
        self.timeout_s = function.revision.spec.timeout_s

    def _fail(self, trouble: Trouble, detail: str, out: list[ev.Instruction]) -> None:
        self.trouble = trouble
        number, count = self.function.revision.number, trouble.failures
        out.append(ev.Tell(f"revision {number} failed, {count} in a row: {trouble.sentence}", detail))

    def _remember(self, event: ev.Event, now: float) -> None:
        if isinstance(event, ev.Tick | ev.LoadObserved | ev.CpuObserved):
            return
        if self._story is None or (self.scale.wanted == 0 and not self.replicas):
            self._story = []
        self._story.append((now, event))
        del self._story[:-MAX_STORY]


_HANDLERS: dict[type[ev.Event], Callable[[Lifecycle, Any, float, list[ev.Instruction]], None]] = {
    ev.Deployed: Lifecycle._deployed,
    ev.Scaled: Lifecycle._scaled,
    ev.Removed: Lifecycle._removed,
    ev.Recovered: Lifecycle._recovered,
    ev.Demanded: Lifecycle._demanded,
    ev.LoadObserved: Lifecycle._load_observed,
    ev.CpuObserved: Lifecycle._cpu_observed,
    ev.PrepareDone: Lifecycle._prepare_done,
    ev.PrepareFailed: Lifecycle._prepare_failed,
    ev.Ready: Lifecycle._is_ready,
    ev.Exited: Lifecycle._exited,
    ev.StopFailed: Lifecycle._stop_failed,
    ev.Tick: Lifecycle._tick,
}
