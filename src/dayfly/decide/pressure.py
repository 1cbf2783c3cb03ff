"""How many replicas the load of one function asks for, as a fraction, from what was seen of it up to now.

Three looks at the same signal, and the highest counts:

- the **stable window**: its mean over STABLE_S seconds. It sees through noise, and alone it would be a minute late.
- the **panic window**: its mean over PANIC_S seconds, less what a replica can bear for a while (PANIC_OVERLOAD).
- **this instant**: the last report, less what a replica can bear for a moment (INSTANT_OVERLOAD). Calls that wait for a
  free replica count in full: nobody bears them at all.

What these ask for is held for the policy's down window, so that there are fewer replicas only after fewer were enough
for all of it, and a load that swings faster than that changes nothing. There is no panic mode that is entered and left:
a mode depends on the replicas there are, and then more load can end in fewer of them. A maximum of three means cannot.

`capacity` is a level, calls in flight and waiting, that holds from one report to the next. `rps` and `cpu` are counters
of which the increase counts; they are spread over the time since they were last read.
"""

import math

from dayfly.decide.windows import SPAN_S, Peaks, Sums
from dayfly.model.scaling import ScalingPolicy, Signal

STABLE_S = SPAN_S
PANIC_S = 6
PANIC_OVERLOAD = 1.25
INSTANT_OVERLOAD = 1.5
SLACK = 0.1
"""Hysteresis: a number of replicas is given up only when fewer would do with this much more load."""
REPORT_S = 1.0
"""How often gateways report; calls seen now were begun no earlier than this ago."""
_MEAN_TO_MOST = (PANIC_S + 1) / PANIC_S
"""What a mean can be of the fullest second at most: a span touches one second more than it is long."""
_ROUNDING = 1e-6


class Pressure:
    """What is remembered of one function's load. Made when there is some, dropped when none is left to remember."""

    __slots__ = ("_at", "_changed_at", "_instant", "_level", "_peaks", "_sums", "signal")

    def __init__(self, policy: ScalingPolicy, now: float) -> None:
        self.signal: Signal = policy.signal
        self._sums = Sums()
        self._peaks = Peaks(policy.down_window_s)
        self._level = 0
        self._instant = 0.0
        self._at = now
        self._changed_at = now

    def level(self, working: int, waiting: int, now: float) -> None:
        """From now on this many calls are worked on, and this many wait."""
        self._pass_time(now)
        if working + waiting != self._level:
            self._level = working + waiting
            self._changed_at = now
        self._instant = working / INSTANT_OVERLOAD + waiting

    def count(self, amount: float, begin: float, now: float) -> None:
        """Between `begin` and now there was this much more."""
        self._pass_time(now)
        if amount > 0:
            self._sums.add(amount, begin, now)
            self._instant = max(self._instant, amount / max(now - begin, REPORT_S) / INSTANT_OVERLOAD)
            self._changed_at = now

    def under(self, policy: ScalingPolicy, now: float) -> None:
        """Hold for as long as this policy says from now on; what is held stays, what was seen stays."""
        held = self._peaks.top(now)
        self._peaks = Peaks(policy.down_window_s)
        self._peaks.note(held, now)
        self._changed_at = now

    def hold(self, replicas: int, policy: ScalingPolicy, now: float) -> None:
        """Behave as if the load had just asked for this many replicas."""
        self._peaks.note(replicas * policy.share, now)
        self._changed_at = now

    def settle(self, policy: ScalingPolicy, now: float) -> float:
        """Return the replicas that the load asks for, or did during the down window."""
        self._pass_time(now)
        sums = self._sums
        load = max(sums.mean(STABLE_S, now), sums.mean(PANIC_S, now) / PANIC_OVERLOAD, self._instant)
        if self.signal != "capacity":
            # A counter's increase is over with the report that told of it.
            self._instant = 0.0
        self._peaks.note(load, now)
        return self._peaks.top(now) / policy.share

    def bound(self, policy: ScalingPolicy) -> float:
        """Return the most it can come to ask for by time alone; what is held not counted."""
        return max(self._sums.most() * _MEAN_TO_MOST, float(self._level)) / policy.share

    def next_change(self) -> float | None:
        """Return when to look again though nothing is reported: every second until time changes nothing any more."""
        return math.floor(self._at) + 1.0 if self._at < self._rests_at else None

    def is_spent(self, now: float) -> bool:
        """Whether nothing is left that a new Pressure would not know."""
        return self._level == 0 and now >= self._rests_at

    @property
    def _rests_at(self) -> float:
        return self._changed_at + STABLE_S + 1.0 + self._peaks.longest_s

    def _pass_time(self, now: float) -> None:
        if self._level:
            self._sums.add(self._level * (now - self._at), self._at, now)
        self._at = max(self._at, now)


def whole(replicas: float) -> int:
    """Return the least whole number of replicas that is enough, blind to errors of rounding."""
    return math.ceil(replicas - _ROUNDING)
