"""The sweep: every deadline of a listener's connections, looked at together.

A timer for each call costs more than the call's parsing. Connections keep a `deadline` instead, which is an attribute
to set, and a few times a second all of them are compared with the clock: 10,000 connections take about a millisecond.
A deadline is therefore met up to `TICK_S` late.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

TICK_S = 0.1
NEVER = float("inf")


class Sweepable(Protocol):
    """Something with a deadline."""

    deadline: float
    """Monotonic seconds; NEVER for none."""

    def expired(self, now: float) -> None:
        """Called once the deadline has passed, on every tick until it is moved."""


class Sweep:
    """Calls `expired` of what is overdue. Ticks only while there is something to look at."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = loop
        self._clock = clock
        self._members: set[Sweepable] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: Sweepable) -> None:
        """Look after `member` from now on."""
        self._members.add(member)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def discard(self, member: Sweepable) -> None:
        """Forget `member`."""
        self._members.discard(member)

    def close(self) -> None:
        """Stop ticking."""
        self._members.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick) if self._members else None
        self.look(self._clock())

    def look(self, now: float) -> None:
        """Call `expired` of every member whose deadline is before `now`."""
        for member in [member for member in self._members if member.deadline < now]:
            member.expired(now)
