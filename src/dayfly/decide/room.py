"""Room for replicas: how many may be started now, and what to do when the namespace's quota leaves none.

A replica that there is no room for waits; nobody is refused for it. Three things keep a full namespace moving. A
rollout, or the replacement of stale replicas, lets one that serves go first where there is no room for both. The end of
any replica wakes those that wait. And a function that is called without having a single replica has the one rest that
nobody has called for longest, as time would have let it rest anyway.
"""

from collections.abc import Iterable

from dayfly.decide import events as ev
from dayfly.decide import rollout
from dayfly.decide.replicas import DRAINING, READY, STARTING, Replica
from dayfly.decide.standing import Standing
from dayfly.decide.track import Track

TELL_AGAIN_S = 60.0
"""How often at most a function's log says that there is no room for it."""
ASK_AGAIN_S = 1.0
"""How often at most functions of a namespace are asked to rest; one that does needs half of that to be gone."""


def startable(at: Standing, track: Track, now: float) -> int:
    """Return how many replicas the revision lacks and might start now if there were room for them."""
    alive = at.of(track, STARTING, READY)
    missing = at.share(track, now) - len(alive)
    if missing <= 0:
        return 0
    starting = sum(replica.phase is STARTING for replica in alive)
    missing = track.startable(missing, starting, len(alive) - starting, now)
    if track is at.candidate or at.left_over(READY):
        # Beside others that serve, in steps: the machine has to carry both.
        missing = min(missing, rollout.step(at.scale.wanted) - starting)
    return max(0, missing)


def displaced(at: Standing, now: float) -> list[Replica]:
    """Return the replicas that have to go for what is to take their place to have room, those on their way out too.

    None where there is room, where their going would not make enough of it, and for a candidate that has failed once.
    A canary has to find room beside what serves; but one of a revision that had served has no more than its part.
    """
    heir = at.first_in_line[0]
    if heir.prepared is None or (heir is at.candidate and heir.trouble is not None):
        return []
    if at.budget.room(heir.need) or not startable(at, heir, now):
        return []
    staying = [] if heir is at.candidate else _canary(at)
    going = [
        replica
        for replica in at.replicas.within(READY, DRAINING)
        if replica.phase is DRAINING or replica.stale or (replica.revision != heir.number and replica not in staying)
    ]
    return going if at.budget.room(heir.need, without=[replica.need for replica in going]) else []


def _canary(at: Standing) -> list[Replica]:
    """Return the ready replicas that a canary keeps: its part of what is wanted."""
    if at.candidate is None or at.canary is None:
        return []
    part = max(1, rollout.part(at.scale.wanted, at.canary.weight))
    return at.of(at.candidate, READY)[:part]


def concede(at: Standing, now: float) -> None:
    """Let one of the displaced replicas go, and the next one only after it has ended."""
    going = displaced(at, now)
    if going and all(replica.phase is READY for replica in going):
        at.replicas.move(going[0], DRAINING, now)


def note(at: Standing, now: float, out: list[ev.Instruction]) -> None:
    """See whether a replica waits for room; tell of it, and ask for room where the function has no replica at all."""
    key, waiting = at.function.key, at.budget.waiting
    at.lacking = None
    for track in at.tracks:
        if track.prepared is not None and startable(at, track, now) and not at.budget.room(track.need):
            at.lacking = track
    if at.lacking is None:
        waiting.pop(key, None)
    else:
        waiting.setdefault(key)
        if at.told_at is None or now >= at.told_at + TELL_AGAIN_S:
            at.told_at = now
            out.append(ev.Tell(reason(at), ""))
        asked_at = at.budget.asked_at
        if not at.replicas.within(STARTING, READY) and (asked_at is None or now >= asked_at + ASK_AGAIN_S):
            at.budget.asked_at = now
            out.append(ev.AskForRoom())
    if at.replicas.shrunk and len(waiting) > (key in waiting):
        out.append(ev.RoomMade())
    at.replicas.shrunk = False


def reason(at: Standing) -> str:
    """Return why there are fewer replicas than wanted; empty when none waits for room."""
    if at.lacking is None:
        return ""
    lack = at.budget.lack(at.lacking.need)
    return f"a replica waits until the namespace {at.function.key.namespace} has room: {lack}" if lack else ""


def may_rest(at: Standing, now: float) -> bool:
    """Whether the function may go to zero before its time: nobody calls it, and its policy lets it rest."""
    idle = at.scale.wanted > 0 and at.scale.load == 0 and now > at.scale.busy_at
    return idle and at.policy.to_zero and at.function.replicas is None and at.candidate is None and not at.removed


def to_rest(namespace: Iterable[Standing], now: float) -> list[Standing]:
    """Return which of the namespace's functions should rest: as many as lack their only replica, the idlest first."""
    functions = list(namespace)
    lacking = sum(at.lacking is not None and not at.replicas.within(STARTING, READY) for at in functions)
    idle = sorted((at for at in functions if may_rest(at, now)), key=lambda at: at.scale.busy_at)
    return idle[:lacking]
