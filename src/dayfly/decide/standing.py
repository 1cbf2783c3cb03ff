"""Where one function stands: what is wanted of it, its one or two revisions, its replicas.

Held by its `Lifecycle`, which changes it, and read by all that want to know. The revision that serves and the candidate
beside it have a `Track` each; `share` says how many replicas each should have. Replicas of neither, and stale ones, are
left over: they serve while those of the two are too few.
"""

from dayfly.decide import rollout, scaling
from dayfly.decide.quotas import Budget
from dayfly.decide.replicas import DRAINING, READY, STARTING, Replica, Replicas
from dayfly.decide.track import Track
from dayfly.model.function import Function
from dayfly.model.replica import ReplicaPhase
from dayfly.model.rollout import Canary
from dayfly.model.scaling import ScalingPolicy
from dayfly.model.table import Allowed


class Standing:
    """The state of one function. Small, because ten thousand idle ones must fit."""

    __slots__ = (
        "allowed", "budget", "candidate", "changed", "failing", "function", "lacking", "removed", "replicas", "scale",
        "serving", "told_at", "unsplit", "wake_at",
    )  # fmt: skip

    def __init__(self, function: Function, budget: Budget) -> None:
        self.function = function
        self.budget = budget
        self.allowed: Allowed | None = None
        """What budgets of a day or a month leave of calls; None without one."""
        self.lacking: Track | None = None
        """The revision of which a replica waits for room in the budget, if one does."""
        self.told_at: float | None = None
        """When that was last told."""
        self.serving = Track(function.revision)
        self.candidate = Track(function.candidate.revision) if function.candidate is not None else None
        self.replicas = Replicas(budget)
        self.scale = scaling.Scaling()
        self.removed = False
        self.failing = False
        """Whether callers are told of a failure."""
        self.unsplit = False
        """Whether a canary gets all calls because nothing else could take them."""
        self.changed = False
        """Whether gateways must be told though the same replicas serve."""
        self.wake_at: float | None = None

    @property
    def policy(self) -> ScalingPolicy:
        """How many replicas, as the revision that serves says."""
        return self.serving.policy

    @property
    def canary(self) -> Canary | None:
        """The trial that the candidate is on, if there is one."""
        return self.function.candidate.canary if self.function.candidate is not None else None

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The revision that serves, and the candidate if there is one."""
        return (self.serving,) if self.candidate is None else (self.serving, self.candidate)

    @property
    def first_in_line(self) -> tuple[Track, ...]:
        """The same, whichever has the first claim to room first: what is to take over, but not a canary."""
        return self.tracks if self.canary is not None else self.tracks[::-1]

    @property
    def ready(self) -> int:
        """How many replicas serve, of whatever revision."""
        return len(self.replicas.within(READY))

    @property
    def works(self) -> bool:
        """Whether the revision that serves does, or may be expected to."""
        return not self.serving.is_blamed or any(r.revision == self.serving.number for r in self.replicas.within(READY))

    def of(self, track: Track, *phases: ReplicaPhase) -> list[Replica]:
        """Return the revision's replicas in these phases, oldest first; stale ones are left out."""
        return self.replicas.of(track.number, *phases)

    def left_over(self, *phases: ReplicaPhase) -> list[Replica]:
        """Return the replicas in these phases that are stale or of neither revision."""
        serving = self.serving.number
        other = self.candidate.number if self.candidate is not None else serving
        return [r for r in self.replicas.within(*phases) if r.stale or r.revision not in (serving, other)]

    def share(self, track: Track, now: float) -> int:
        """Return how many replicas the revision should have now."""
        wanted, candidate = self.scale.wanted, self.candidate
        if candidate is None or self.removed:
            return 0 if self.removed else wanted
        if track is self.serving:
            return wanted if self.canary is not None else max(0, wanted - len(self.of(candidate, READY)))
        least = 1 if candidate.is_tried(now) else 0
        if self.canary is not None:
            # A revision that served before may have more than a canary needs: they stay while the other is short of.
            kept = min(len(self.of(candidate, READY)), wanted - len(self.of(self.serving, READY)))
            return max(least, rollout.part(wanted, self.canary.weight), kept)
        return max(least, min(wanted, candidate.policy.maximum))

    def enough(self, track: Track) -> int:
        """Return how many ready replicas a candidate takes over with: as many as are wanted and will have room."""
        ours = self.of(track, STARTING, READY)
        others = [r.need for r in self.replicas if r.phase is DRAINING or r.stale or r.revision != track.number]
        room = len(ours) + self.budget.room(track.need, without=others)
        return rollout.enough(min(self.scale.wanted, room), track.policy.maximum)

    def short(self) -> int:
        """Return how many replicas left over must go on serving because there are too few others."""
        if self.removed:
            return 0
        counted = (self.serving,) if self.canary is not None else self.tracks
        return max(0, self.scale.wanted - sum(len(self.of(track, READY)) for track in counted))

    def take(self, function: Function, fresh: Track | None = None) -> None:
        """Let this be wanted from now on. Revisions that stay keep their track, but for the `fresh` one."""
        known = {track.number: track for track in self.tracks}
        if fresh is not None:
            known[fresh.number] = fresh
        candidate = function.candidate
        self.function = function
        self.serving = known.get(function.revision.number) or Track(function.revision)
        self.candidate = None
        if candidate is not None:
            self.candidate = known.get(candidate.revision.number) or Track(candidate.revision)
        self.changed = True

    def date(self, unix_ms: int) -> bool:
        """Put a date on the last rollout's outcome; return whether it had none, so that it is news."""
        before, self.function = self.function, rollout.dated(self.function, unix_ms)
        return self.function is not before
