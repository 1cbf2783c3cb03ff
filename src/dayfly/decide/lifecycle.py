"""One function's life: from what is wanted and what is, to what must be done next.

A `Lifecycle` takes in an event and the time and returns instructions; it has no clock, no socket and no loop, and the
ids of new replicas come from a callable it is given. After every event it settles: it compares what is wanted
(one revision or two, a number of replicas) with the replicas it knows, and asks for the difference.

This module takes the events in; `settling` draws the conclusions, from where the function then stands (`standing`).

What always holds between two events (`validate` checks it, the tests do after every step):

    L1  READY and only READY replicas have an address and serve
    L2  neither revision has more replicas STARTING or READY than it should
    L3  replicas left over are READY only as far as there are too few others, and never STARTING
    L4  a removed function has DRAINING replicas only
    L5  when replicas are missing, they are being prepared for, waited for (back-off, room, or others first), or ordered
    L6  whenever the passing of time alone must have an effect, a wake-up is asked for no later than that
    L7  callers are told of a failure only while no replica is ready and the back-off of the serving revision runs
    L8  the candidate is another revision than the one that serves, and fewer of it are ready than would be enough
    L9  calls are split only between two revisions, and a canary's time runs once one of its replicas was ready
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from dayfly.decide import events as ev
from dayfly.decide import rollout, room, scaling, settling
from dayfly.decide.endings import explain
from dayfly.decide.quotas import Budget
from dayfly.decide.replicas import DRAINING, READY, STARTING, STOPPED, InvalidTransition
from dayfly.decide.standing import Standing
from dayfly.decide.track import Track
from dayfly.model.function import Function, Revision
from dayfly.model.names import ReplicaId
from dayfly.model.rollout import Canary

STOP_RETRY_S = 1.0
"""How soon a stop that the provider refused is asked for again."""
MAX_STORY = 32
"""Events kept to explain a bug."""


class Lifecycle(Standing):
    """The state of one function, and what events make of it."""

    __slots__ = ("_new_id", "_story")

    def __init__(self, function: Function, new_id: Callable[[], ReplicaId], budget: Budget | None = None) -> None:
        super().__init__(function, budget or Budget())
        self._new_id = new_id
        self._story: list[tuple[float, ev.Event]] | None = None

    def handle(self, event: ev.Event, now: float) -> list[ev.Instruction]:
        """Take in one event; return what must be done now, in order. Raises InvalidTransition for a bug of ours."""
        self._remember(event, now)
        out: list[ev.Instruction] = []
        try:
            _HANDLERS[type(event)](self, event, now, out)
            settling.settle(self, self._new_id, now, out)
        except InvalidTransition as error:
            story = "\n".join(f"{at:.3f} {told}" for at, told in self._story or ())
            raise InvalidTransition(f"{error} after\n{story}") from error
        return out

    def plan(self, revision: Revision, canary: Canary | None) -> Function:
        """Return what should be true once this revision is deployed. What serves goes on until it can."""
        function, works = self.function, self.works
        if not works and self.candidate is not None and self.of(self.candidate, READY):
            function, works = rollout.promoted(function, "the revision before it did not come up any more"), True
        return rollout.deployed(function, revision, canary, works=works)

    # -- events ------------------------------------------------------------------------------------------------------

    def _deployed(self, event: ev.Deployed, now: float, out: list[ev.Instruction]) -> None:
        function, newest = event.function, event.function.newest
        if not self.removed and newest.number != self.function.newest.number:
            # While it was written down, the revision that serves may have come up, or another may have taken over.
            planned = self.plan(newest, function.candidate.canary if function.candidate is not None else None)
            in_place = planned.candidate is None and function.candidate is None
            if planned != function and not in_place:
                function = planned
                out.append(ev.Record())
        self.removed = False
        self.take(function, Track(newest, now + self.policy.idle_s))
        if self.candidate is None or self.scale.wanted or not self.policy.to_zero:
            scaling.deploy(self.scale, self.policy, now)

    def _decided(self, event: ev.Decided, now: float, out: list[ev.Instruction]) -> None:
        if self.candidate is None or self.candidate.number != event.revision:
            return
        if event.verdict == "promoted":
            settling.shift(self, "somebody promoted it by hand", now, out)
        else:
            settling.give_back(self, rollout.BY_HAND, now, out)

    def _scaled(self, event: ev.Scaled, now: float, _out: list[ev.Instruction]) -> None:
        self.function = replace(self.function, replicas=event.function.replicas)
        scaling.by_hand(self.scale, self.policy, self.function.replicas, now)

    def _rest(self, _event: ev.Rest, now: float, _out: list[ev.Instruction]) -> None:
        if room.may_rest(self, now):
            self.scale.wanted = 0

    def _removed(self, _event: ev.Removed, _now: float, out: list[ev.Instruction]) -> None:
        if not self.removed:
            self.removed = True
            self.take(replace(self.function, candidate=None), Track(self.function.revision))
            self.changed = False
            self.scale = scaling.Scaling()
            out.append(ev.Retract())

    def _recovered(self, event: ev.Recovered, now: float, _out: list[ev.Instruction]) -> None:
        if self.candidate is not None:
            self.candidate.until = now + self.policy.idle_s  # when it was deployed no clock of ours can tell
        for found in event.replicas:
            replica = self.replicas.enlist(found.order, now, stale=found.stale)
            if found.address:
                self.replicas.move(replica, READY, now, address=found.address)
        running = [r for r in self.replicas if r.phase is READY or not r.stale]
        counted = (self.serving,) if self.canary is not None else self.tracks
        ours = [r for r in running if r.revision in [track.number for track in counted]]
        scaling.resume(self.scale, self.policy, self.function.replicas, len(ours) or min(1, self.ready), now)

    def _secret_changed(self, event: ev.SecretChanged, _now: float, _out: list[ev.Instruction]) -> None:
        for track in self.tracks:
            if event.name in track.revision.spec.secrets and not self.removed:
                # Replicas that hold what was in it before serve until others that hold the new take their place.
                for replica in self.of(track, STARTING, READY):
                    replica.stale = True
                # What failed may have failed for the lack of it.
                track.trouble = None

    def _demanded(self, _event: ev.Demanded, now: float, _out: list[ev.Instruction]) -> None:
        if not self.removed:
            scaling.demand(self.scale, self.policy, self.function.replicas, now)
            # A gateway that asks although the table holds an answer may have lost it: tell it again.
            self.changed = self.changed or self.failing

    def _load_observed(self, event: ev.LoadObserved, now: float, _out: list[ev.Instruction]) -> None:
        scaling.observe(self.scale, self.policy, event, now)
        if event.waiting and not self.ready and not self.removed:
            scaling.demand(self.scale, self.policy, self.function.replicas, now)

    def _cpu_observed(self, event: ev.CpuObserved, now: float, _out: list[ev.Instruction]) -> None:
        scaling.observe_cpu(self.scale, self.policy, event.cpu_s, now)

    def _canary_observed(self, event: ev.CanaryObserved, _now: float, _out: list[ev.Instruction]) -> None:
        if self.candidate is not None and self.candidate.trial is not None:
            for side in event.sides:
                self.candidate.trial.add(side, candidate=self.candidate.number, serving=self.serving.number)

    def _prepare_done(self, event: ev.PrepareDone, _now: float, _out: list[ev.Instruction]) -> None:
        for track in self.tracks:
            if track.preparing and event.revision == track.number:
                track.preparing, track.prepared = False, event.prepared

    def _prepare_failed(self, event: ev.PrepareFailed, now: float, out: list[ev.Instruction]) -> None:
        for track in self.tracks:
            if track.preparing and event.revision == track.number:
                track.preparing = False
                out.append(track.fail("prepare_failed", event.detail, (), now))

    def _is_ready(self, event: ev.Ready, now: float, _out: list[ev.Instruction]) -> None:
        replica = self.replicas.get(event.replica)
        # One that was given up meanwhile comes too late, and a second word says nothing new.
        if replica is not None and replica.phase is STARTING:
            self.replicas.move(replica, READY, now, address=event.address)

    def _exited(self, event: ev.Exited, now: float, out: list[ev.Instruction]) -> None:
        replica = self.replicas.get(event.replica)
        if replica is None:
            return
        wanted = replica.phase is not DRAINING and not replica.stale
        lived_s = now - replica.started if replica.phase is READY else None
        if replica.address and event.reason != "stopped":
            out.append(ev.Explain(explain(replica, event.reason, event.detail)))
        self.replicas.move(replica, STOPPED, now)
        for track in self.tracks:
            if wanted and track.number == replica.revision:
                track.prepared = None if event.reason == "start_failed" else track.prepared
                out.append(track.fail(event.reason, event.detail, event.lines, now, lived_s=lived_s))

    def _stop_failed(self, event: ev.StopFailed, now: float, _out: list[ev.Instruction]) -> None:
        replica = self.replicas.get(event.replica)
        if replica is not None and replica.phase is DRAINING:
            replica.act_at = now + STOP_RETRY_S

    def _tick(self, _event: ev.Tick, _now: float, _out: list[ev.Instruction]) -> None:
        self.wake_at = None

    def next_due(self, now: float) -> float | None:
        """Return when time alone will have an effect; None for never."""
        return settling.next_due(self, now)

    def _remember(self, event: ev.Event, now: float) -> None:
        if isinstance(event, ev.Tick | ev.LoadObserved | ev.CpuObserved | ev.CanaryObserved):
            return
        if self._story is None or (self.scale.wanted == 0 and not self.replicas):
            self._story = []
        self._story.append((now, event))
        del self._story[:-MAX_STORY]


_HANDLERS: dict[type[ev.Event], Callable[[Lifecycle, Any, float, list[ev.Instruction]], None]] = {
    ev.Deployed: Lifecycle._deployed,
    ev.Decided: Lifecycle._decided,
    ev.Scaled: Lifecycle._scaled,
    ev.Rest: Lifecycle._rest,
    ev.Removed: Lifecycle._removed,
    ev.Recovered: Lifecycle._recovered,
    ev.SecretChanged: Lifecycle._secret_changed,
    ev.Demanded: Lifecycle._demanded,
    ev.LoadObserved: Lifecycle._load_observed,
    ev.CpuObserved: Lifecycle._cpu_observed,
    ev.CanaryObserved: Lifecycle._canary_observed,
    ev.PrepareDone: Lifecycle._prepare_done,
    ev.PrepareFailed: Lifecycle._prepare_failed,
    ev.Ready: Lifecycle._is_ready,
    ev.Exited: Lifecycle._exited,
    ev.StopFailed: Lifecycle._stop_failed,
    ev.Tick: Lifecycle._tick,
}
