"""Turns: which calls are tried now. A data structure without a clock or a store.

Queued calls have their turn as the schedule says, and so many at a time. A direct call, whose caller waits, has it at
once: the gateways let no more of them in than functions take, and a long queue must not keep anybody waiting who did
not queue.
"""

import sys
from typing import NamedTuple

from dayfly.model.queued import QueuedCall
from dayfly.queue.limits import QueueLimits
from dayfly.queue.schedule import Schedule


class Turn(NamedTuple):
    """A call that is tried now."""

    call_id: str
    function: str
    direct: bool


class Turns:
    """The turns of the calls of one process."""

    def __init__(self, limits: QueueLimits) -> None:
        self._most = limits.concurrency
        self._queued = Schedule(limits.concurrency_of_one)
        self._direct = Schedule(sys.maxsize)
        self._busy = 0

    def add(self, call: QueuedCall, due: float) -> None:
        """Let a call wait until `due`, and then for its turn; one that waits already is due at the new time only."""
        schedule = self._direct if call.direct else self._queued
        schedule.add(call.id, call.function, call.priority, due, call.concurrency)

    def discard(self, call_id: str) -> None:
        """Let a call wait no longer. Idempotent."""
        self._queued.discard(call_id)
        self._direct.discard(call_id)

    def take(self, now: float) -> Turn | None:
        """Return the next call, which is being tried from now on; None when none is due or may be."""
        taken = self._direct.take(now)
        if taken is not None:
            return Turn(*taken, direct=True)
        taken = self._queued.take(now) if self._busy < self._most else None
        if taken is None:
            return None
        self._busy += 1
        return Turn(*taken, direct=False)

    def hold(self, function: str, until: float) -> None:
        """Try none of the function's queued calls before `until`."""
        self._queued.hold(function, until)

    def done(self, turn: Turn) -> None:
        """Note that a call was tried."""
        if turn.direct:
            self._direct.done(turn.function)
        else:
            self._busy -= 1
            self._queued.done(turn.function)

    def next_due(self) -> float | None:
        """Return when the next call is due that waits for its time and might have its turn then."""
        queued = self._queued.next_due() if self._busy < self._most else None
        return min((due for due in (queued, self._direct.next_due()) if due is not None), default=None)
