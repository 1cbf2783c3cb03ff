"""What must hold of a lifecycle between any two events, as code.

The numbers are those in the lifecycle's description. Tests call `validate` after every event of thousands of random
stories; a fault found in production can be put through it as well.
"""

from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.replicas import DRAINING, READY, STARTING
from dayfly.decide.routing import entry
from dayfly.model.errors import InternalError


class InvariantBroken(InternalError):
    """A lifecycle is in a state that it must never be in: a bug of ours."""


def validate(machine: Lifecycle, now: float) -> None:
    """Check every invariant. Raises InvariantBroken with the number of the first that does not hold."""
    for number, holds in _checks(machine, now):
        if not holds:
            state = [(r.id, r.revision, r.phase) for r in machine.replicas]
            raise InvariantBroken(f"{number} does not hold of {machine.function.key}: {machine.scale}, {state}")


def _checks(machine: Lifecycle, now: float) -> list[tuple[str, bool]]:
    row = entry(machine)
    replicas, ready = machine.replicas, machine.replicas.within(READY)
    current_alive = machine.current(STARTING, READY)
    waits = machine.trouble is not None and now < machine.trouble.retry_at
    tries = machine.trouble is not None and bool(machine.current(STARTING))
    missing = not machine.removed and len(current_alive) < machine.scale.wanted
    due = machine.next_due(now)
    return [
        ("L1", {e.replica for e in row.endpoints} == {r.id for r in ready} and all(r.address for r in ready)),
        ("L2", len(current_alive) <= machine.scale.wanted),
        ("L3", not machine.old(READY) or (not machine.current(READY) and machine.scale.wanted > 0)),
        ("L3", not machine.old(STARTING)),
        ("L4", not machine.removed or all(replica.phase is DRAINING for replica in replicas)),
        ("L5", not missing or machine.preparing or waits or tries),
        ("L6", due is None or (machine.wake_at is not None and machine.wake_at <= due)),
        ("L6", all(r.act_at is not None for r in replicas if r.phase is not READY)),
        ("L7", not row.failing or (not ready and waits)),
    ]
