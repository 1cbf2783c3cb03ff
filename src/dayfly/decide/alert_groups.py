"""Which alerts a receiver is told of together, and when: grouped, not too often, and again while nothing gets better.

A group is what a receiver's alerts have alike in the labels that it groups by. It is told of once `group_wait` has
passed since its first alert; news of it at `group_interval` after what was told before; and what fires on and is no
news after `repeat_interval`. What could not be sent is tried again, later each time, until it is no news any more.

What was told is written down after it was sent. So somebody may be told twice, when we are killed between the two, and
nobody is told never; what is told again carries the same id.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from dayfly.model.alert import SEVERITIES, Matcher, Severity
from dayfly.model.quantities import parse_duration
from dayfly.model.receiver import Receiver

FIRST_RETRY_MS, LONGEST_RETRY_MS = 5_000, 600_000


class Member(msgspec.Struct, frozen=True):
    """An alert as grouping sees it: firing or resolved, and silenced by nobody."""

    id: str
    firing: bool
    since_unix_ms: int
    """When it began to fire."""


class Told(msgspec.Struct, frozen=True):
    """What a receiver was last told of an alert."""

    since_unix_ms: int
    firing: bool


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """How far a receiver was told of a group."""

    labels: dict[str, str]
    opened_unix_ms: int
    told: dict[str, Told] = {}
    told_unix_ms: int = 0
    """When it was last sent something; 0 for never."""
    number: int = 0
    """How often it was: with the group it is the id of what is sent."""
    failures: int = 0
    retry_unix_ms: int = 0


class Plan(msgspec.Struct, frozen=True):
    """What to do about a group."""

    what: Literal["send", "wait", "close"]
    members: tuple[Member, ...] = ()
    """What to tell of."""
    due_unix_ms: int = 0
    """When to look again, at the latest."""


class Pace(msgspec.Struct, frozen=True):
    """How often a receiver wants to hear, in milliseconds."""

    wait_ms: int
    interval_ms: int
    repeat_ms: int
    send_resolved: bool = True

    @classmethod
    def of(cls, receiver: Receiver) -> "Pace":
        """Return that of a receiver that was checked."""
        spans = (receiver.group_wait, receiver.group_interval, receiver.repeat_interval)
        wait, interval, repeat = (round(parse_duration(text) * 1000) for text in spans)
        return cls(wait, interval, repeat, receiver.send_resolved)


def plan(pace: Pace, group: Group, members: Iterable[Member], now_ms: int) -> Plan:
    """Return what to do about a group whose members are now these."""
    present = {each.id: each for each in members}
    news = [each for each in present.values() if _is_news(pace, group, each)]
    firing = [each for each in present.values() if each.firing]
    if not news and not firing and not _waits(pace, group, present):
        return Plan("close")
    if not news:
        if not firing or not group.told_unix_ms:
            return Plan("wait", due_unix_ms=now_ms + LONGEST_RETRY_MS)
        due = _after(group.told_unix_ms, pace.repeat_ms, now_ms)
    elif group.told_unix_ms:
        due = _after(group.told_unix_ms, pace.interval_ms, now_ms)
    else:
        due = _after(group.opened_unix_ms, pace.wait_ms, now_ms)
    if group.failures:
        due = max(due, min(group.retry_unix_ms, now_ms + LONGEST_RETRY_MS))
    if now_ms < due:
        return Plan("wait", due_unix_ms=due)
    ended = [each for each in news if not each.firing]
    return Plan("send", tuple(firing + ended), now_ms)


def sent(group: Group, members: Iterable[Member], now_ms: int) -> Group:
    """Return the group after these were told."""
    told = {name: each for name, each in group.told.items() if each.firing}
    told |= {each.id: Told(each.since_unix_ms, each.firing) for each in members}
    kept = {name: each for name, each in told.items() if each.firing}
    return msgspec.structs.replace(
        group, told=kept, told_unix_ms=now_ms, number=group.number + 1, failures=0, retry_unix_ms=0
    )


def failed(group: Group, now_ms: int) -> Group:
    """Return the group after sending failed."""
    wait_ms = min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** min(group.failures, 20))
    return msgspec.structs.replace(group, failures=group.failures + 1, retry_unix_ms=now_ms + wait_ms)


def forget(group: Group, gone: Iterable[str]) -> Group:
    """Return the group without alerts that there are no more, and of whose end nobody will be told."""
    dropped = set(gone)
    return msgspec.structs.replace(group, told={name: each for name, each in group.told.items() if name not in dropped})


def group_labels(receiver: Receiver, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels by which an alert is grouped for a receiver."""
    return {name: labels.get(name, "") for name in receiver.group_by}


def wants(receiver: Receiver, labels: Mapping[str, str], severity: Severity, named: tuple[str, ...]) -> bool:
    """Whether a receiver is told of an alert; `named` are those that its rule names, none for all."""
    if receiver.namespace and labels.get("namespace") != receiver.namespace:
        return False
    if named and receiver.name not in named:
        return False
    if SEVERITIES.index(severity) < SEVERITIES.index(receiver.min_severity):
        return False
    return all(fits(matcher, labels) for matcher in receiver.matchers)


def fits(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    """Whether the labels are what a matcher says; a label that is not there is empty."""
    return _is_like(matcher.value, labels.get(matcher.name, "")) == matcher.is_equal


def _is_like(pattern: str, text: str) -> bool:
    """Whether the text is what the pattern says, in which `*` stands for any text. It takes linear time."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first):
        return False
    *middle, last = rest
    at = len(first)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(last) and text.endswith(last)


def _is_news(pace: Pace, group: Group, member: Member) -> bool:
    told = group.told.get(member.id)
    if member.firing:
        return told is None or told.since_unix_ms != member.since_unix_ms
    return told is not None and told.firing and pace.send_resolved


def _waits(pace: Pace, group: Group, present: Mapping[str, Member]) -> bool:
    """Whether somebody was told of an alert that is silenced now, and is to hear of its end."""
    return pace.send_resolved and any(name not in present for name in group.told)


def _after(began_ms: int, span_ms: int, now_ms: int) -> int:
    """Return the moment a span after one that has been; a clock that was put back shortens nothing beyond the span."""
    return min(began_ms, now_ms) + span_ms
