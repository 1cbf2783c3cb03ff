"""Time as the control plane sees it, so that tests can turn it by hand.

Decisions get the time as an argument; this is where it comes from. `now()` only ever goes forward and is for
measuring, `unix_ms()` is for people.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Do not call after all. Idempotent, also after it was called."""


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Seconds since some moment in the past; never goes back."""

    def unix_ms(self) -> int:
        """Milliseconds since 1970, as the machine believes."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call back once `now()` has reached `when`; at the next turn of the loop when it has already."""


class SystemClock:
    """The machine's clock; timers run on the current event loop."""

    def now(self) -> float:
        """Seconds since some moment in the past; never goes back."""
        return time.monotonic()

    def unix_ms(self) -> int:
        """Milliseconds since 1970, as the machine believes."""
        return time.time_ns() // 1_000_000

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call back once `now()` has reached `when`, give or take the loop's resolution of a millisecond."""
        return asyncio.get_running_loop().call_later(max(0.0, when - time.monotonic()), callback)


class ManualClock:
    """A clock that stands still until it is told to advance, for tests."""

    def __init__(self, now: float = 1000.0, unix_ms: int = 1_700_000_000_000) -> None:
        self._now = now
        self._unix_ms_at_zero = unix_ms - now * 1000
        self._timers: list[tuple[float, int, ManualTimer]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        """Seconds, as set."""
        return self._now

    def unix_ms(self) -> int:
        """Milliseconds since 1970, moving with `now()`."""
        return int(self._unix_ms_at_zero + self._now * 1000)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call back during the `advance` that reaches `when`."""
        timer = ManualTimer(callback)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Let this much time pass; due timers run in order, each at its own moment."""
        until = self._now + seconds
        while self._timers and self._timers[0][0] <= until:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            timer.run()
        self._now = until


class ManualTimer:
    """A timer of a ManualClock."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Do not call after all."""
        self._callback = None

    def run(self) -> None:
        """Call, unless cancelled."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()
