"""The replicas of one function, each in its phase.

    STARTING ──► READY ──► DRAINING ──► (gone)
        └──────────┴────────────┴─────────▲      a replica can be gone from any phase; STARTING can be given up

- STARTING: ordered from the provider. Not in the routing table.
- READY: takes calls; exactly these are in the routing table.
- DRAINING: taken out of the table. It is told to stop a moment later, so that gateways hear of it first, and then has
  the timeout of its own revision to finish its calls.

The ways are a table; anything that is not in it is a bug of ours and raises.
"""

from collections.abc import Callable, Iterator

import msgspec

from dayfly.decide.quotas import Budget, Need
from dayfly.model.errors import InternalError
from dayfly.model.names import ReplicaId
from dayfly.model.replica import ReplicaPhase, StartOrder

STARTING = ReplicaPhase.STARTING
READY = ReplicaPhase.READY
DRAINING = ReplicaPhase.DRAINING
STOPPED = ReplicaPhase.STOPPED

START_LIMIT_S = 120.0
"""A replica that is not ready by then is given up: its handler blocks while it is imported."""
DRAIN_DELAY_S = 0.5
"""From leaving the routing table to being told to stop: a busy gateway needs a few milliseconds to hear of it."""
STOP_AGAIN_S = 10.0
"""A stop that was not confirmed this long after its grace is asked for again."""


class InvalidTransition(InternalError):
    """A replica was to go a way that does not exist: a bug of ours."""


class Replica(msgspec.Struct, gc=False):
    """What a lifecycle knows of one replica."""

    id: ReplicaId
    revision: int
    phase: ReplicaPhase
    started: float
    """When it was ordered, or found running."""
    timeout_s: float
    """How long its calls may take."""
    need: Need
    """What it takes of its namespace's quota."""
    stale: bool = False
    """What runs it is being replaced, or what it was given has changed: another of its revision must take its place."""
    address: str = ""
    """Where it took calls; empty when it never was ready."""
    act_at: float | None = None
    """STARTING: when it is given up. DRAINING: when it is told to stop, or told again. READY: None."""


class Replicas:
    """All replicas of a function that are not gone, oldest first; each is in the namespace's budget for as long."""

    __slots__ = ("_budget", "_by_id", "rerouted", "shrunk")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._by_id: dict[ReplicaId, Replica] = {}
        self.rerouted = False
        """Whether the replicas that serve are others than when this was last set to False."""
        self.shrunk = False
        """Whether a replica has gone since this was last set to False."""

    def __len__(self) -> int:
        """Return how many there are, in whatever phase."""
        return len(self._by_id)

    def __iter__(self) -> Iterator[Replica]:
        """Iterate over a copy, so that replicas may change on the way."""
        return iter(list(self._by_id.values()))

    def get(self, name: ReplicaId) -> Replica | None:
        """Return the replica; None when it is gone or was never known."""
        return self._by_id.get(name)

    def within(self, *phases: ReplicaPhase) -> list[Replica]:
        """Return those in these phases, of every revision."""
        return [replica for replica in self._by_id.values() if replica.phase in phases]

    def of(self, revision: int, *phases: ReplicaPhase) -> list[Replica]:
        """Return the revision's replicas in these phases, oldest first, the stale ones left out."""
        return [r for r in self._by_id.values() if r.revision == revision and r.phase in phases and not r.stale]

    def enlist(self, order: StartOrder, now: float, *, stale: bool = False) -> Replica:
        """Take in a replica that starts."""
        replica = Replica(
            order.replica, order.revision, STARTING,
            started=now, timeout_s=order.timeout_s, need=Need.of_order(order), stale=stale, act_at=now + START_LIMIT_S,
        )  # fmt: skip
        self._by_id[order.replica] = replica
        self._budget.take(replica.need)
        return replica

    def move(self, replica: Replica, to: ReplicaPhase, now: float, *, address: str = "") -> None:
        """Bring the replica into its next phase. Raises InvalidTransition when there is no such way."""
        change = _TRANSITIONS.get((replica.phase, to))
        if change is None:
            raise InvalidTransition(f"replica {replica.id} cannot go from {replica.phase} to {to}")
        change(self, replica, now, address)
        replica.phase = to

    def _begin_to_serve(self, replica: Replica, _now: float, address: str) -> None:
        replica.address, replica.act_at = address, None
        self.rerouted = True

    def _give_up(self, replica: Replica, now: float, _address: str) -> None:
        replica.act_at = now

    def _withdraw(self, replica: Replica, now: float, _address: str) -> None:
        replica.act_at = now + DRAIN_DELAY_S
        self.rerouted = True

    def _vanish(self, replica: Replica, _now: float, _address: str) -> None:
        del self._by_id[replica.id]
        self._budget.give(replica.need)
        self.shrunk = True
        self.rerouted = self.rerouted or replica.phase is READY


_TRANSITIONS: dict[tuple[ReplicaPhase, ReplicaPhase], Callable[[Replicas, Replica, float, str], None]] = {
    (STARTING, READY): Replicas._begin_to_serve,
    (STARTING, DRAINING): Replicas._give_up,
    (STARTING, STOPPED): Replicas._vanish,
    (READY, DRAINING): Replicas._withdraw,
    (READY, STOPPED): Replicas._vanish,
    (DRAINING, STOPPED): Replicas._vanish,
}
