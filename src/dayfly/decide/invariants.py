"""What must hold of a lifecycle between any two events, as code.

The numbers are those in the lifecycle's description. Tests call `validate` after every event of thousands of random
stories; a fault found in production can be put through it as well.
"""

from dayfly.decide import rollout, room
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.replicas import DRAINING, READY, STARTING
from dayfly.decide.routing import entry
from dayfly.decide.track import Track
from dayfly.model.errors import InternalError


class InvariantBroken(InternalError):
    """A lifecycle is in a state that it must never be in: a bug of ours."""


def validate(machine: Lifecycle, now: float) -> None:
    """Check every invariant. Raises InvariantBroken with the number of the first that does not hold."""
    checks = _checks(machine, now)
    for track in machine.tracks:
        checks += _track_checks(machine, track, now)
    for number, holds in sorted(checks):
        if not holds:
            state = [(r.id, r.revision, r.phase) for r in machine.replicas]
            numbers = [track.number for track in machine.tracks]
            raise InvariantBroken(
                f"{number} does not hold of {machine.function.key}: {machine.scale}, {numbers}, {state}"
            )


def _checks(machine: Lifecycle, now: float) -> list[tuple[str, bool]]:
    row, canary, candidate = entry(machine), machine.canary, machine.candidate
    replicas, ready = machine.replicas, machine.replicas.within(READY)
    due, enough = machine.next_due(now), 1
    if candidate is not None:
        enough = rollout.enough(machine.scale.wanted, candidate.policy.maximum)
    return [
        ("L1", {e.replica for e in row.endpoints} == {r.id for r in ready} and all(r.address for r in ready)),
        ("L3", len(machine.left_over(READY)) <= machine.short()),
        ("L3", not machine.left_over(STARTING)),
        ("L4", not machine.removed or all(replica.phase is DRAINING for replica in replicas)),
        ("L6", due is None or (machine.wake_at is not None and machine.wake_at <= due)),
        ("L6", all(r.act_at is not None for r in replicas if r.phase is not READY)),
        ("L7", not row.failing or (not ready and machine.serving.waits(now))),
        ("L8", (candidate is None) == (machine.function.candidate is None)),
        ("L8", candidate is None or candidate.number != machine.serving.number),
        ("L8", candidate is None or canary is not None or len(machine.of(candidate, READY)) < enough),
        ("L9", bool(row.canary) == (canary is not None and machine.works)),
        ("L9", not row.canary or (candidate is not None and row.canary == candidate.number)),
        ("L9", candidate is None or canary is None or not machine.of(candidate, READY) or candidate.trial is not None),
    ]


def _track_checks(machine: Lifecycle, track: Track, now: float) -> list[tuple[str, bool]]:
    alive, share = len(machine.of(track, STARTING, READY)), machine.share(track, now)
    beside = track is machine.candidate or bool(machine.left_over(READY))
    tries = bool(machine.of(track, STARTING)) and (track.trouble is not None or beside)
    waits_for_room = not machine.budget.room(track.need) or bool(room.displaced(machine, now))
    return [
        ("L2", alive <= share),
        ("L5", alive >= share or track.preparing or track.waits(now) or tries or waits_for_room),
    ]
