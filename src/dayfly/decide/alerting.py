"""From readings to alerts: pending, firing, resolved, and neither coming nor going at every little thing.

                     holds                      held for `for`
        (nothing) ───────────► pending ─────────────────────────► firing ◄──────┐
            ▲                     │ holds no more                    │          │ holds again
            │◄────────────────────┘                                  ▼          │
            │        kept for a while                       calm for `keep_firing_for`
            └──────────────────────── resolved ◄─────────────────────┘

An alert that fires goes on for as long as its figure is beyond `resolve`, which may lie nearer to what is good than the
threshold does. What is not among the readings holds no more; where the readings are not complete, what is missing
stays as it is. Times are those of the wall clock, since alerts outlive the process; on a clock that was put back,
nothing has lasted for longer than it shows.
"""

import hashlib
import math
import sys
from collections.abc import Mapping

import msgspec

from dayfly.model.alert import WATCHED, AlertRule, AlertState
from dayfly.model.quantities import parse_duration

KEPT_MS = 15 * 60_000
"""For how long an alert is shown that is resolved."""
UNHEARD_MS = 24 * 3_600_000
"""After how long an alert of others is over that they told of no more; an Alertmanager repeats itself sooner."""
MOST = sys.float_info.max
MAX_INSTANCES = 1_000
"""Alerts of one rule; an expression may have as many elements as there are functions."""
Labels = Mapping[str, str]


class Terms(msgspec.Struct, frozen=True):
    """What a rule says of figures and times, understood."""

    above: bool = True
    threshold: float | None = None
    """None where everything that there is holds."""
    resolve: float | None = None
    for_ms: int = 0
    keep_ms: int = 0

    @classmethod
    def of(cls, rule: AlertRule) -> "Terms":
        """Return those of a rule that was checked."""
        watched = WATCHED[rule.kind]
        threshold = rule.threshold if rule.threshold is not None else watched.threshold
        return cls(
            above=(rule.direction or watched.direction) == "above",
            threshold=threshold,
            resolve=rule.resolve if rule.resolve is not None else threshold,
            for_ms=round(parse_duration(rule.for_) * 1000),
            keep_ms=round(parse_duration(rule.keep_firing_for) * 1000),
        )

    def holds(self, value: float, *, firing: bool) -> bool:
        """Whether the figure is beyond what is asked of it."""
        bound = self.resolve if firing else self.threshold
        if bound is None:
            return True
        return value > bound if self.above else value < bound


class Reading(msgspec.Struct, frozen=True):
    """A figure, and of what."""

    labels: dict[str, str]
    value: float


class Readings(msgspec.Struct, frozen=True):
    """What a look at the figures found."""

    found: tuple[Reading, ...] = ()
    is_complete: bool = True
    """Whether what is not here, or does not hold, says that all is well."""


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of a rule."""

    labels: dict[str, str]
    state: AlertState
    value: float
    pending_unix_ms: int
    """Since when it has held."""
    fired_unix_ms: int = 0
    calm_unix_ms: int = 0
    """Since when it does not hold while it is firing still; 0 while it does."""
    resolved_unix_ms: int = 0
    text: str = ""
    """What another said of it who told us."""
    summary: str = ""
    heard_unix_ms: int = 0
    """When another last told of it."""


def finite(value: float) -> float | None:
    """Return a figure as JSON can hold it; None for one that is no number, which no threshold is compared with."""
    return None if math.isnan(value) else max(-MOST, min(MOST, value))


Instances = Mapping[str, Instance]


def fingerprint(owner: str, labels: Labels) -> str:
    """Return what an alert is known by: its labels, and whose rule found it."""
    parts = [owner, *(text for pair in sorted(labels.items()) for text in pair)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def step(terms: Terms, known: Instances, readings: Mapping[str, Reading], now_ms: int, *, complete: bool = True,
         held: frozenset[str] = frozenset()) -> dict[str, Instance]:  # fmt: skip
    """Return the alerts after a look at the figures.

    `readings` are by fingerprint. An alert that is resolved goes after KEPT_MS, unless it is among `held`: those that
    somebody has yet to be told of.
    """
    after: dict[str, Instance] = {}
    for name in [*known, *(name for name in readings if name not in known)]:
        before, reading = known.get(name), readings.get(name)
        firing = before is not None and before.state == "firing"
        if reading is not None and terms.holds(reading.value, firing=firing):
            if before is not None or len(after) < MAX_INSTANCES:
                after[name] = _holding(terms, before, reading, now_ms)
        elif before is not None and complete:
            calm = _calm(terms, before, reading, now_ms)
            if calm is not None and not (_is_over(calm, now_ms) and name not in held):
                after[name] = calm
        elif before is not None:
            after[name] = before
    return after


def end(known: Instances, now_ms: int) -> dict[str, Instance]:
    """Return the alerts of a rule that nobody watches any more: what fired is resolved, what was pending is gone."""
    return {
        name: each if each.state == "resolved" else _resolved(each, now_ms)
        for name, each in known.items()
        if each.state != "pending"
    }


def heard(known: Instances, news: Instances) -> dict[str, Instance]:
    """Return the alerts that others watch after they told of some: those fire, or are resolved if they were known."""
    after = dict(known)
    for name, each in news.items():
        before = known.get(name)
        if each.state == "firing":
            goes_on = before is not None and before.state == "firing"
            since = before.fired_unix_ms if before is not None and goes_on else each.fired_unix_ms
            begun = before.pending_unix_ms if before is not None and goes_on else each.pending_unix_ms
            after[name] = msgspec.structs.replace(each, fired_unix_ms=since, pending_unix_ms=begun)
        elif before is not None and before.state != "resolved":
            after[name] = msgspec.structs.replace(before, state="resolved", resolved_unix_ms=each.resolved_unix_ms)
    return after


def unheard(known: Instances, now_ms: int, held: frozenset[str]) -> dict[str, Instance]:
    """Return the alerts that others watch: those that nobody tells of any more are over."""
    silent = {name for name, each in known.items() if now_ms - each.heard_unix_ms > UNHEARD_MS}
    kept = {name: each for name, each in known.items() if name not in silent}
    return forgotten(kept | end({name: known[name] for name in silent}, now_ms), now_ms, held)


def forgotten(known: Instances, now_ms: int, held: frozenset[str]) -> dict[str, Instance]:
    """Return the alerts without those that have been resolved for long enough."""
    return {name: each for name, each in known.items() if name in held or not _is_over(each, now_ms)}


def _holding(terms: Terms, before: Instance | None, reading: Reading, now_ms: int) -> Instance:
    if before is None or before.state == "resolved":
        before = Instance(labels=reading.labels, state="pending", value=reading.value, pending_unix_ms=now_ms)
    since = min(before.pending_unix_ms, now_ms)
    state, fired = before.state, before.fired_unix_ms
    if state == "pending" and now_ms - since >= terms.for_ms:
        state, fired = "firing", now_ms
    return msgspec.structs.replace(
        before, labels=reading.labels, value=reading.value, state=state, pending_unix_ms=since, fired_unix_ms=fired,
        calm_unix_ms=0,
    )  # fmt: skip


def _calm(terms: Terms, before: Instance, reading: Reading | None, now_ms: int) -> Instance | None:
    if before.state == "pending":
        return None
    if before.state == "resolved":
        return before
    since = min(before.calm_unix_ms or now_ms, now_ms)
    value = reading.value if reading is not None else before.value
    if now_ms - since >= terms.keep_ms:
        return _resolved(msgspec.structs.replace(before, value=value), now_ms)
    return msgspec.structs.replace(before, value=value, calm_unix_ms=since)


def _resolved(before: Instance, now_ms: int) -> Instance:
    return msgspec.structs.replace(before, state="resolved", resolved_unix_ms=now_ms, calm_unix_ms=0)


def _is_over(instance: Instance, now_ms: int) -> bool:
    return instance.state == "resolved" and not 0 <= now_ms - instance.resolved_unix_ms < KEPT_MS
