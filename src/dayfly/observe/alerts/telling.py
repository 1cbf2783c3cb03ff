"""Telling: receivers hear of alerts in groups, at least once, and after a restart from where it was.

Who was told what is written after it was sent. A kill between the two has a group told once more, with the same id, so
that who takes it can see that; nothing else is told twice. A group is sent by one task at a time, and a receiver whose
server does not answer keeps nobody else waiting.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable

import msgspec

from dayfly.decide.alert_groups import Group, Member, Pace, failed, forget, group_labels, plan, sent, wants
from dayfly.decide.alerting import Instance
from dayfly.model.alert import AlertRule
from dayfly.model.errors import DayflyError, StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.model.notice import Notice
from dayfly.model.receiver import AlertmanagerTarget, Receiver
from dayfly.observe.alerts.book import Book, read_all
from dayfly.observe.alerts.ports import Clock
from dayfly.observe.alerts.senders import Senders
from dayfly.observe.alerts.watch import Watch, alert_of, severity_of
from dayfly.observe.alerts.way import NotSent
from dayfly.storage.watch import WatchKey, WatchStore

_log = logging.getLogger("dayfly.observe")
MAX_SENDING = 20
"""Groups that are sent at a time."""
_FAR_MS = 3_600_000
_Found = tuple[AlertRule, str, Instance]


class KeptGroup(msgspec.Struct, frozen=True):
    """A group and whose it is."""

    receiver: WatchKey
    group: Group


class Counts(msgspec.Struct):
    """How a receiver does, since the control plane began."""

    sent: int = 0
    sent_unix_ms: int = 0
    trouble: str = ""


class Telling:
    """Tells receivers of what the watch finds. `url` is where people see more."""

    def __init__(self, book: Book, watch: Watch, senders: Senders, store: WatchStore, clock: Clock, url: str) -> None:
        self._book = book
        self._watch = watch
        self._senders = senders
        self._store = store
        self._clock = clock
        self.url = url
        self._groups: dict[WatchKey, KeptGroup] = {}
        self._unkept: set[WatchKey] = set()
        self._sending: dict[WatchKey, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(MAX_SENDING)
        self.counts: dict[WatchKey, Counts] = {}
        self.on_sent: Callable[[], None] = lambda: None
        """Called when something was sent, or could not be: there may be more to do."""
        watch.held = self.held

    async def open(self) -> None:
        """Read who was told what. Raises StoreUnavailable."""
        self._groups = await read_all(self._store, "told", KeptGroup)

    async def close(self) -> None:
        """Let go of what is being sent; it is tried again in the next life. Idempotent."""
        tasks = list(self._sending.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def held(self) -> frozenset[str]:
        """Return the alerts that somebody was told of who has yet to hear of their end."""
        return frozenset(name for kept in self._groups.values() for name in kept.group.told)

    async def look(self) -> int:
        """Begin to send what is due; return when to look again, in Unix milliseconds."""
        now, due = self._clock.unix_ms(), self._clock.unix_ms() + _FAR_MS
        routed = self._routed(now)
        closed: list[WatchKey] = []
        for key in {*routed, *self._groups}:
            found = routed.get(key)
            if found is None or key in self._sending:
                if found is None and key not in self._sending:
                    closed.append(key)
                continue
            kept = self._groups.get(key) or KeptGroup(
                found.receiver.key, Group(labels=found.labels, opened_unix_ms=now)
            )
            group = forget(kept.group, kept.group.told.keys() - found.ids)
            step = plan(Pace.of(found.receiver), group, found.members, now)
            self._groups[key] = KeptGroup(kept.receiver, group)
            if step.what == "close":
                closed.append(key)
            elif step.what == "wait":
                due = min(due, step.due_unix_ms)
            else:
                told = {each.id for each in step.members}
                alerts = [each for each in found.alerts if each[1] in told]
                work = self._send(key, found.receiver, step.members, alerts)
                self._sending[key] = asyncio.get_running_loop().create_task(work)
        for key in closed:
            if self._groups.pop(key, None) is not None:
                self._unkept.add(key)
        await self._save()
        return due

    async def forget(self, namespace: NamespaceName) -> None:
        """Let go of what a namespace's receivers were told."""
        for key in [key for key, kept in self._groups.items() if kept.receiver[0] == namespace]:
            del self._groups[key]
            self._unkept.add(key)
        await self._save()

    def _routed(self, now_ms: int) -> "dict[WatchKey, _Routed]":
        """Return the groups that there are now, by what they are kept under."""
        found: dict[WatchKey, _Routed] = {}
        alerts = [each for each in self._watch.alerts() if each[2].state != "pending"]
        quiet = {name for _, name, each in alerts if self._book.silenced_by(each.labels, now_ms)}
        for kept in self._book.receivers.values():
            receiver = kept.receiver
            for rule, name, instance in alerts:
                if not _is_for(receiver, rule, instance):
                    continue
                labels = group_labels(receiver, instance.labels)
                routed = found.setdefault(_key(receiver, labels), _Routed(receiver, labels))
                routed.ids.add(name)
                if name not in quiet:
                    member = Member(name, instance.state == "firing", instance.fired_unix_ms)
                    routed.members.append(member)
                    routed.alerts.append((rule, name, instance))
        return found

    async def _send(
        self, key: WatchKey, receiver: Receiver, members: tuple[Member, ...], alerts: list[_Found]
    ) -> None:  # fmt: skip
        counts = self.counts.setdefault(receiver.key, Counts())
        try:
            async with self._places:
                counts.trouble = await self._senders.tell(receiver, self._notice(key, receiver, alerts))
        except (NotSent, DayflyError) as error:
            counts.trouble = str(error)
            _log.warning("receiver %s was not told and will be tried again: %s", receiver.name, error)
            self._after(key, lambda group: failed(group, self._clock.unix_ms()))
        except Exception as error:
            # A bug of ours, or of a library: the group must be tried again, and the others told.
            counts.trouble = f"{type(error).__name__}; the platform's log has more"
            _log.exception("bug: receiver %s was not told", receiver.name)
            self._after(key, lambda group: failed(group, self._clock.unix_ms()))
        else:
            counts.sent, counts.sent_unix_ms = counts.sent + 1, self._clock.unix_ms()
            self._after(key, lambda group: sent(group, members, self._clock.unix_ms()))
        finally:
            self._sending.pop(key, None)
        await self._save()
        self.on_sent()

    def _after(self, key: WatchKey, change: Callable[[Group], Group]) -> None:
        kept = self._groups.get(key)
        if kept is not None:
            self._groups[key] = KeptGroup(kept.receiver, change(kept.group))
            self._unkept.add(key)

    def _notice(self, key: WatchKey, receiver: Receiver, alerts: Iterable[_Found]) -> Notice:
        group = self._groups[key].group
        parts = (*key, str(group.opened_unix_ms), str(group.number))
        shown = sorted((alert_of(*each) for each in alerts), key=lambda each: (each.state != "firing", each.id))
        return Notice(
            id="msg_" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24], receiver=receiver.name,
            group=group.labels, alerts=tuple(shown), url=self.url, at_unix_ms=self._clock.unix_ms(),
        )  # fmt: skip

    async def _save(self) -> None:
        unkept, self._unkept = self._unkept, set()
        if not unkept:
            return
        texts = {
            key: msgspec.json.encode(self._groups[key]).decode() if key in self._groups else None for key in unkept
        }
        try:
            await self._store.keep("told", texts)
        except StoreUnavailable as error:
            self._unkept |= unkept
            _log.warning("who was told of alerts is not kept and will be tried again: %s", error)


class _Routed:
    """What a receiver's group consists of now."""

    __slots__ = ("alerts", "ids", "labels", "members", "receiver")

    def __init__(self, receiver: Receiver, labels: dict[str, str]) -> None:
        self.receiver = receiver
        self.labels = labels
        self.ids: set[str] = set()
        """Those silenced too."""
        self.members: list[Member] = []
        self.alerts: list[_Found] = []


def _is_for(receiver: Receiver, rule: AlertRule, instance: Instance) -> bool:
    if instance.heard_unix_ms and isinstance(receiver.target, AlertmanagerTarget):
        return False  # It may be the one that told us, and both would tell each other for ever.
    return wants(receiver, instance.labels, severity_of(rule, instance), rule.receivers)


def _key(receiver: Receiver, labels: dict[str, str]) -> WatchKey:
    parts = [receiver.name, *(text for pair in sorted(labels.items()) for text in pair)]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return receiver.namespace, f"{receiver.name}.{digest}"
