"""What a signal was over the last while, in a fixed few hundred bytes.

`Sums` keeps how much of something there was in each of the last seconds and tells the mean over a span that ends now.
`Peaks` keeps the highest of the values noted during the time it looks back. Both are rings of SLOTS numbers that a
write moves on, so that a function costs the same whether it was called twice or a million times.

Every answer is a sum or a maximum of what was put in, weighted by numbers that depend on time only. That is what makes
scaling monotone: more put in, at whatever moments, never gives a smaller answer.
"""

import math
from array import array

SLOTS = 61
SPAN_S = SLOTS - 1
"""The longest span that `Sums` knows the mean of, in seconds."""


class Sums:
    """Amounts by second."""

    __slots__ = ("_newest", "_slots")

    def __init__(self) -> None:
        self._slots = array("d", bytes(8 * SLOTS))
        self._newest = 0

    def add(self, amount: float, begin: float, end: float) -> None:
        """Spread the amount evenly over the time from `begin` to `end`; what is older than SPAN_S is lost."""
        self._move_to(math.floor(end))
        if end <= begin:
            self._slots[self._newest % SLOTS] += amount
            return
        rate = amount / (end - begin)
        at = max(begin, float(self._newest - SPAN_S))
        while at < end:
            second = math.floor(at)
            until = min(end, second + 1.0)
            self._slots[second % SLOTS] += rate * (until - at)
            at = until

    def mean(self, span_s: int, now: float) -> float:
        """Return how much there was a second during the `span_s` seconds before `now`, at most SPAN_S."""
        self._move_to(math.floor(now))
        newest, slots = self._newest, self._slots
        total = sum(slots) if span_s == SPAN_S else sum(slots[(newest - ago) % SLOTS] for ago in range(span_s + 1))
        # Of the oldest second only the part that lies within the span.
        total -= (now - newest) * slots[(newest - span_s) % SLOTS]
        return max(0.0, total / span_s)

    def most(self) -> float:
        """Return the most there was in one second; a mean over n seconds is at most (n + 1) / n of it."""
        return max(self._slots)

    def _move_to(self, second: int) -> None:
        for passed in range(max(self._newest + 1, second - SPAN_S), second + 1):
            self._slots[passed % SLOTS] = 0.0
        self._newest = max(self._newest, second)


class Peaks:
    """The highest value noted during the last `hold_s` seconds, and up to one slot longer."""

    __slots__ = ("_newest", "_reach", "_slot_s", "_slots")

    def __init__(self, hold_s: float) -> None:
        self._slot_s = max(1.0, hold_s / SPAN_S)
        self._reach = math.ceil(hold_s / self._slot_s)
        self._slots = array("d", bytes(8 * (self._reach + 1)))
        self._newest = 0

    @property
    def longest_s(self) -> float:
        """How long a value is held at most."""
        return (self._reach + 1) * self._slot_s

    def note(self, value: float, now: float) -> None:
        """Hold this value from now on."""
        self._move_to(now)
        index = self._newest % len(self._slots)
        self._slots[index] = max(self._slots[index], value)

    def top(self, now: float) -> float:
        """Return the highest value that is held."""
        self._move_to(now)
        return max(self._slots)

    def _move_to(self, now: float) -> None:
        slot, count = math.floor(now / self._slot_s), len(self._slots)
        for passed in range(max(self._newest + 1, slot - count + 1), slot + 1):
            self._slots[passed % count] = 0.0
        self._newest = max(self._newest, slot)
