"""The watch: every so often it looks at what the rules are about, and keeps what it found over restarts.

What is found is written when its state changes, and not for every new figure. A rule that cannot be looked at leaves
its alerts as they were, and says why. One that is gone or paused is over, and so are its alerts; they stay until
whoever was told of them has been told of that.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Protocol

import msgspec

from dayfly.decide.alert_rules import labels_of, text_of
from dayfly.decide.alerting import (
    MAX_INSTANCES,
    Instance,
    Reading,
    Terms,
    end,
    fingerprint,
    finite,
    forgotten,
    heard,
    step,
    unheard,
)
from dayfly.model.alert import SEVERITIES, Alert, AlertRule, RuleStatus, Severity
from dayfly.model.errors import DayflyError, LimitExceeded, StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.observe.alerts.book import Book, read_all
from dayfly.observe.alerts.ports import Clock
from dayfly.observe.alerts.readings import Looks, Round
from dayfly.storage.watch import WatchKey, WatchStore

INCOMING = "@incoming"
"""Under which name it is kept what others tell of; no rule can have it."""
_log = logging.getLogger("dayfly.observe")


class Note(Protocol):
    """Keeps when alerts began to fire and ended."""

    async def __call__(self, alerts: list[Alert], now_ms: int, *, all_there_are: bool = False) -> None:
        """Keep it; with `all_there_are`, others have ended that are not known to have."""
        ...


class Found(msgspec.Struct, frozen=True):
    """The alerts of a rule, and the rule as it was when they were found."""

    rule: AlertRule
    alerts: dict[str, Instance] = {}


class Watch:
    """Finds alerts. `held` tells which of them somebody has yet to hear the end of."""

    def __init__(self, book: Book, looks: Looks, store: WatchStore, clock: Clock) -> None:
        self._book = book
        self._looks = looks
        self._store = store
        self._clock = clock
        self.found: dict[WatchKey, Found] = {}
        self.held: Callable[[], frozenset[str]] = frozenset
        self.note: Note = _note_nothing
        """Told of alerts that began to fire, or were resolved."""
        self._noted: dict[str, tuple[int, int]] = {}
        self._kept: dict[WatchKey, str] = {}
        """What was last written of each, but for the figures."""
        self._troubles: dict[WatchKey, str] = {}
        self._looked: dict[WatchKey, int] = {}

    async def open(self) -> None:
        """Read what was found in former lives. Raises StoreUnavailable."""
        self.found = await read_all(self._store, "found", Found)
        self._kept = {key: _gist(found) for key, found in self.found.items()}
        await self._note_changes(all_there_are=True)

    async def look(self) -> None:
        """Look at all rules once; a source that fails is told of in its rules' standing."""
        round_, held = self._looks.begin(), self.held()
        for key, kept in list(self._book.rules.items()):
            if not kept.rule.paused:
                await self._look_at(kept.rule, round_, held)
            elif key in self.found:
                self._end(key, held)
        for key in [key for key in self.found if key not in self._book.rules and key[1] != INCOMING]:
            self._end(key, held)
        for key in [key for key in self.found if key[1] == INCOMING]:
            self._put(key, self.found[key].rule, unheard(self.found[key].alerts, self._clock.unix_ms(), held))
        for known in (self._troubles, self._looked):
            for key in [key for key in known if key not in self._book.rules]:
                del known[key]
        await self.save()
        await self._note_changes()

    async def save(self) -> None:
        """Write what has changed; a store that fails is tried again with the next look."""
        gists = {key: _gist(found) for key, found in self.found.items()}
        changed = [key for key in {*gists, *self._kept} if gists.get(key) != self._kept.get(key)]
        if not changed:
            return
        texts = {key: _text(self.found[key]) if key in gists else None for key in changed}
        try:
            await self._store.keep("found", texts)
        except StoreUnavailable as error:
            _log.warning("what alerts were found is not kept and will be tried again: %s", error)
        else:
            self._kept = gists

    def alerts(self) -> Iterable[tuple[AlertRule, str, Instance]]:
        """Yield every alert, with its rule and its id."""
        for found in self.found.values():
            for name, instance in found.alerts.items():
                yield found.rule, name, instance

    def listed(self, namespace: str | None) -> list[Alert]:
        """Return the alerts about a namespace, or all, those that fire first and the newest of them."""
        now = self._clock.unix_ms()
        alerts = [self._alert(*each, now) for each in self.alerts()]
        order = ("firing", "pending", "resolved")
        alerts = [each for each in alerts if namespace in (None, each.namespace)]
        return sorted(alerts, key=lambda each: (order.index(each.state), -each.pending_unix_ms, each.id))

    def status(self, key: WatchKey) -> RuleStatus:
        """Return how a rule does that is there."""
        kept, found = self._book.rules[key], self.found.get(key)
        states = [each.state for each in found.alerts.values()] if found is not None else []
        trouble = self._troubles.get(key, "")
        state: Literal["firing", "pending", "inactive"] = "inactive"
        if "firing" in states:
            state = "firing"
        elif "pending" in states:
            state = "pending"
        return RuleStatus(
            rule=kept.rule, created_unix_ms=kept.created_unix_ms, updated_unix_ms=kept.updated_unix_ms,
            state="paused" if kept.rule.paused else "failing" if trouble else state,
            alerts=len([each for each in states if each != "resolved"]), trouble=trouble,
            looked_unix_ms=self._looked.get(key, 0),
        )  # fmt: skip

    async def hear(self, namespace: str, told: Iterable[Instance]) -> int:
        """Take in alerts that another tells of, who watches for itself; return how many were taken.

        What we told of comes back from an Alertmanager that tells us of everything, and is known already: taken in, it
        would be told to others twice. Raises LimitExceeded.
        """
        key = (namespace, INCOMING)
        rule = AlertRule(name="incoming", namespace=namespace, kind="promql", expr="incoming")
        before = self.found.get(key, Found(rule)).alerts
        ours = {frozenset(each.labels.items()) for _, _, each in self.alerts() if not each.heard_unix_ms}
        news = {
            fingerprint(namespace, each.labels): each for each in told if frozenset(each.labels.items()) not in ours
        }
        after = heard(before, news)
        if len(after) > MAX_INSTANCES:
            raise LimitExceeded(f"{len(after)} alerts of others are more than the {MAX_INSTANCES} that are kept")
        self._put(key, rule, after)
        await self.save()
        return len(news)

    async def forget(self, namespace: NamespaceName) -> None:
        """Let go of all that was found by a namespace's rules."""
        for key in [key for key in self.found if key[0] == namespace]:
            del self.found[key]
        await self.save()

    async def _look_at(self, rule: AlertRule, round_: Round, held: frozenset[str]) -> None:
        try:
            readings = await round_.take(rule)
        except DayflyError as error:
            self._troubles[rule.key] = str(error)
            return
        self._troubles.pop(rule.key, None)
        now = self._clock.unix_ms()
        self._looked[rule.key] = now
        before = self.found.get(rule.key, Found(rule)).alerts
        by_name: dict[str, Reading] = {}
        for each in readings.found:
            labels, value = labels_of(rule, each.labels), finite(each.value)
            if value is not None or Terms.of(rule).threshold is None:
                by_name[fingerprint(rule.namespace, labels)] = Reading(labels, value or 0.0)
        self._put(rule.key, rule, step(Terms.of(rule), before, by_name, now, complete=readings.is_complete, held=held))

    def _end(self, key: WatchKey, held: frozenset[str]) -> None:
        found, now = self.found[key], self._clock.unix_ms()
        self._put(key, found.rule, forgotten(end(found.alerts, now), now, held))

    async def _note_changes(self, *, all_there_are: bool = False) -> None:
        """Have what began to fire or was resolved noted; after a restart all once more, which changes nothing."""
        marks = {name: (each.fired_unix_ms, each.resolved_unix_ms) for _, name, each in self.alerts()}
        changed = [name for name, mark in marks.items() if mark[0] and self._noted.get(name) != mark]
        news = [alert_of(*each) for each in self.alerts() if each[1] in changed]
        self._noted = marks
        if news or all_there_are:
            await self.note(news, self._clock.unix_ms(), all_there_are=all_there_are)

    def _put(self, key: WatchKey, rule: AlertRule, alerts: Mapping[str, Instance]) -> None:
        if alerts:
            self.found[key] = Found(rule, dict(alerts))
        else:
            self.found.pop(key, None)

    def _alert(self, rule: AlertRule, name: str, instance: Instance, now_ms: int) -> Alert:
        return alert_of(rule, name, instance, self._book.silenced_by(instance.labels, now_ms))


async def _note_nothing(alerts: list[Alert], now_ms: int, *, all_there_are: bool = False) -> None:
    """Nobody wants to know."""
    del alerts, now_ms, all_there_are


def alert_of(rule: AlertRule, name: str, instance: Instance, silences: tuple[str, ...] = ()) -> Alert:
    """Return an alert as it is shown."""
    return Alert(
        id=name, rule=rule.name, namespace=instance.labels.get("namespace", ""),
        kind="incoming" if instance.heard_unix_ms else rule.kind, severity=severity_of(rule, instance),
        state=instance.state,
        labels=instance.labels, value=instance.value, text=text_of(rule, instance),
        summary=instance.summary or rule.summary, pending_unix_ms=instance.pending_unix_ms,
        fired_unix_ms=instance.fired_unix_ms, resolved_unix_ms=instance.resolved_unix_ms, silences=silences,
    )  # fmt: skip


def severity_of(rule: AlertRule, instance: Instance) -> Severity:
    """Return how bad it is: as the label says, which others set by themselves."""
    said = instance.labels.get("severity", "")
    return next((each for each in SEVERITIES if each == said), rule.severity)


def _gist(found: Found) -> str:
    """Return what is worth writing again for: all but the figures."""
    alerts = {name: msgspec.structs.replace(each, value=0.0) for name, each in sorted(found.alerts.items())}
    return msgspec.json.encode((found.rule, alerts)).decode()


def _text(found: Found) -> str:
    return msgspec.json.encode(found).decode()
