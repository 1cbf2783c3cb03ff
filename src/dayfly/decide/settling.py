"""From where a function stands to what must be done next.

After every event the same questions are asked in the same order: does the candidate take over or go, which replicas are
too many, must gateways be told, what must be started, when must time be looked at again. Nothing here remembers; what
there is to remember is in the `Standing`.
"""

from collections.abc import Callable, Iterator

from dayfly.decide import events as ev
from dayfly.decide import rollout, room, scaling
from dayfly.decide.canary import Trial, judge
from dayfly.decide.orders import start_order
from dayfly.decide.replicas import DRAINING, READY, START_LIMIT_S, STARTING, STOP_AGAIN_S, Replica
from dayfly.decide.standing import Standing
from dayfly.decide.track import Track
from dayfly.model.names import ReplicaId


def settle(at: Standing, new_id: Callable[[], ReplicaId], now: float, out: list[ev.Instruction]) -> None:
    """Bring what is in line with what is wanted; append what must be done."""
    if not at.removed:
        scaling.settle(at.scale, at.policy, at.function.replicas, now)
        _give_up_slow(at, now, out)
        if at.candidate is not None:
            _advance(at, at.candidate, now, out)
        room.concede(at, now)
    for replica in list(surplus(at, now)):
        at.replicas.move(replica, DRAINING, now)
    for track in at.tracks:
        if track.trouble is not None and at.of(track, READY):
            track.heal(now)
    _publish(at, now, out)
    for replica in at.replicas.within(DRAINING):
        if replica.act_at is not None and replica.act_at <= now:
            grace_s = replica.timeout_s if replica.address else 0.0
            replica.act_at = now + grace_s + STOP_AGAIN_S
            out.append(ev.StopReplica(replica.id, grace_s))
    for track in at.first_in_line:
        _fill(at, track, new_id, now, out)
    due = next_due(at, now)
    if due is not None and (at.wake_at is None or due < at.wake_at):
        at.wake_at = due
        out.append(ev.WakeAt(due))
    # Last: others hear of it while it is carried out, and may come back to this function with something newer.
    room.note(at, now, out)
    if at.removed and not at.replicas:
        out.append(ev.Forget())


def shift(at: Standing, reason: str, now: float, out: list[ev.Instruction]) -> None:
    """The candidate is good: its canary, if any, is over, and it takes over in steps."""
    if at.candidate is not None and at.canary is not None:
        at.candidate.reason, at.candidate.trial = reason, None
        # It may have failed long ago and have no replica now that nobody calls: it is to be started all the same.
        at.candidate.until = now + at.policy.idle_s
        at.take(rollout.shifted(at.function))
        out.append(ev.Record())


def give_back(at: Standing, reason: str, now: float, out: list[ev.Instruction]) -> None:
    """The candidate is not to serve: what there is of it goes at once if anything else serves."""
    candidate = at.candidate
    if candidate is None:
        return
    at.take(rollout.returned(at.function, reason))
    ours = [replica for replica in at.replicas.within(READY) if replica.revision == candidate.number]  # stale ones too
    if at.ready > len(ours):
        for replica in ours:
            at.replicas.move(replica, DRAINING, now)
    out.append(ev.Record())


def surplus(at: Standing, now: float) -> Iterator[Replica]:
    """Yield the replicas that are too many."""
    for track in at.tracks:
        alive, share = at.of(track, STARTING, READY), at.share(track, now)
        if len(alive) > share:
            alive.sort(key=lambda replica: replica.phase is STARTING)
            yield from alive[share:]
    left = at.left_over(STARTING, READY)
    if left:
        yield from (replica for replica in left if replica.phase is STARTING)
        serving = [replica for replica in left if replica.phase is READY]
        serving.sort(key=lambda replica: replica.revision != at.serving.number)
        yield from serving[at.short() :]


def next_due(at: Standing, now: float) -> float | None:
    """Return when time alone will have an effect; None for never."""
    times = [replica.act_at for replica in at.replicas if replica.act_at is not None]
    if not at.removed:
        times.extend(scaling.next_changes(at.scale, at.policy, at.function.replicas))
        for track in at.tracks:
            times.extend(track.next_due(now))
        if at.candidate is not None and at.candidate.trial is not None and at.canary is not None:
            ends = at.candidate.trial.began + at.canary.window_s
            times.extend([ends] if ends > now else [])
    return min(times, default=None)


def _give_up_slow(at: Standing, now: float, out: list[ev.Instruction]) -> None:
    for track in at.tracks:
        for replica in at.of(track, STARTING):
            if replica.act_at is not None and replica.act_at <= now:
                at.replicas.move(replica, DRAINING, now)
                out.append(track.fail("too_slow", f"not ready {START_LIMIT_S:g} s after its start", (), now))


def _advance(at: Standing, candidate: Track, now: float, out: list[ev.Instruction]) -> None:
    """Take the candidate a step on: into its trial, out of it, into service."""
    ready = len(at.of(candidate, READY))
    if at.canary is not None:
        if candidate.trial is None and ready:
            candidate.trial = Trial(now)
        if candidate.trial is not None:
            judgement = judge(at.canary, candidate.trial, now)
            if judgement.verdict == "return":
                give_back(at, judgement.reason, now, out)
            elif judgement.verdict == "promote":
                shift(at, judgement.reason, now, out)
    if at.candidate is None or at.canary is not None:
        return
    if ready >= at.enough(candidate):
        at.take(rollout.promoted(at.function, candidate.reason or _readiness(ready)))
        asked = at.function.replicas
        if asked is None:
            scaling.deploy(at.scale, at.policy, now)
        else:
            scaling.by_hand(at.scale, at.policy, asked, now)
        out.append(ev.Record())


def _readiness(ready: int) -> str:
    return "its replica was ready" if ready == 1 else f"its {ready} replicas were ready"


def _publish(at: Standing, now: float, out: list[ev.Instruction]) -> None:
    failing = at.serving.is_blamed and at.serving.waits(now) and not at.ready
    unsplit = at.canary is not None and not at.works
    if (failing, unsplit) != (at.failing, at.unsplit):
        at.failing, at.unsplit = failing, unsplit
        at.changed = True
    if (at.changed or at.replicas.rerouted) and not at.removed:
        out.append(ev.Publish())
    at.changed = at.replicas.rerouted = False


def _fill(at: Standing, track: Track, new_id: Callable[[], ReplicaId], now: float, out: list[ev.Instruction]) -> None:
    missing = room.startable(at, track, now)
    if not missing or (track is not at.first_in_line[0] and room.displaced(at, now)):
        return
    if track.prepared is None:
        if not track.preparing:
            track.preparing = True
            out.append(ev.Prepare(track.number, track.revision.spec))
        return
    for _ in range(min(missing, at.budget.room(track.need))):
        order = start_order(track.revision, track.prepared, new_id(), at.budget)
        at.replicas.enlist(order, now)
        out.append(ev.StartReplica(order, track.revision.spec.secrets))
