"""The policies that are compared. Each steers the same real lifecycle.

Ours is the lifecycle left alone. The others set the number of replicas by hand, event by event, as an operator's script
would: what they start and stop goes through the same code.
"""

import math
from typing import Protocol

from dayfly.decide import events as ev
from dayfly.model.scaling import ScalingPolicy


class Policy(Protocol):
    """Says how many replicas there should be."""

    title: str

    def report(self, seen: ev.LoadObserved, wanted: int, now: float, /) -> int | None:
        """A second has passed. Return the number to set by hand; None leaves the real decision alone."""


class Windows:
    """Dayfly: stable and panic windows, hysteresis, down window."""

    title = "Dayfly's windows"

    def report(self, _seen: ev.LoadObserved, _wanted: int, _now: float) -> int | None:
        """Leave it to the decision under test."""
        return None


class Plain:
    """As many as the last report needs, at once, up and down."""

    title = "plain target"

    def __init__(self, policy: ScalingPolicy, per_replica: int) -> None:
        self._policy = policy
        self._share = per_replica * policy.proportion
        self._busy_at = 0.0
        self._finished = 0

    def report(self, seen: ev.LoadObserved, wanted: int, now: float) -> int | None:
        """Divide the calls there are by those a replica works on, less the headroom; rest like ours when idle."""
        policy, load = self._policy, seen.inflight + seen.waiting
        if load or seen.finished != self._finished:
            self._busy_at, self._finished = now, seen.finished
        if now - self._busy_at >= policy.idle_s or (wanted == 0 and not load):
            return 0
        return min(max(math.ceil(load / self._share), policy.minimum, 1), policy.maximum)


class AlertStep:
    """OpenFaaS CE: an alert on the rate of successful calls adds a step of replicas, its end takes all away.

    Prometheus scrapes every 5 s and evaluates every 15 s the rate over the last 10 s, which must be above 5 for 5 s to
    fire. The alert is sent on after 5 s, again every 30 s while it fires, and its end after 10 s. There is no scaling
    to zero, and `max` is not capped at 5 here, so that the step is what is compared and not CE's ceiling.
    """

    title = "alert and step (OpenFaaS CE)"

    def __init__(self, policy: ScalingPolicy) -> None:
        self._policy = policy
        self._step = math.ceil(policy.maximum / 100 * policy.factor)
        self._scrapes: list[int] = [0, 0, 0]
        self._pending_since: float | None = None
        self._firing = False
        self._send_at: float | None = None

    def report(self, seen: ev.LoadObserved, wanted: int, now: float) -> int | None:
        """Scrape, evaluate and alert when it is time to."""
        second = round(now)
        if second % 5 == 0:
            self._scrapes = [*self._scrapes[1:], seen.finished]
        if second % 15 == 0:
            self._evaluate(now)
        wanted = max(wanted, self._policy.minimum, 1)
        if self._send_at is None or now < self._send_at:
            return wanted
        self._send_at = now + 30.0 if self._firing else None
        return min(wanted + self._step, self._policy.maximum) if self._firing else max(self._policy.minimum, 1)

    def _evaluate(self, now: float) -> None:
        above = (self._scrapes[-1] - self._scrapes[0]) / 10 > 5
        if not above:
            self._pending_since = None
            if self._firing:
                self._firing, self._send_at = False, now + 10.0
        elif self._pending_since is None:
            self._pending_since = now
        elif not self._firing and now - self._pending_since >= 5:
            self._firing, self._send_at = True, now + 5.0
