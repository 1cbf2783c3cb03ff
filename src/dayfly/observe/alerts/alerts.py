"""Alerts as the API and the control plane have them: what can be asked, and the loop that looks and tells."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Literal

from dayfly.decide.alert_hearing import instances_of
from dayfly.model.alert import Alert, AlertRule, RuleStatus, Silence, SilenceRequest
from dayfly.model.alertmanager import TheirMessage
from dayfly.model.errors import NotFound, Unavailable
from dayfly.model.names import NamespaceName
from dayfly.model.notice import Letter
from dayfly.model.past_alert import PastAlert, PastAlertQuery
from dayfly.model.receiver import AlertmanagerTarget, Receiver, ReceiverStatus
from dayfly.observe.alerts import trial
from dayfly.observe.alerts.book import Book
from dayfly.observe.alerts.chats import check_chat
from dayfly.observe.alerts.past_alerts import PastAlerts
from dayfly.observe.alerts.ports import Clock
from dayfly.observe.alerts.senders import Senders
from dayfly.observe.alerts.telling import Counts, Telling
from dayfly.observe.alerts.watch import Watch
from dayfly.observe.alerts.way import NotSent

Done = Literal["created", "updated"]
_log = logging.getLogger("dayfly.observe")


class Alerts:
    """Everything about alerts. `open` it once the store is open; `run` looks every `every_s`."""

    kind = "alert rules and receivers"
    """What they are called among the things that lie in namespaces."""

    def __init__(
        self, book: Book, watch: Watch, telling: Telling, senders: Senders, past: PastAlerts, clock: Clock,
        every_s: float,
    ) -> None:  # fmt: skip
        self._book = book
        self._watch = watch
        self._telling = telling
        self._senders = senders
        self._past = past
        self._clock = clock
        self.every_s = every_s
        """How long it is from a look at the figures to the next."""
        self._woken = asyncio.Event()
        self._look_at = 0.0
        book.check_receiver = check_chat
        book.on_change.append(self._look_soon)
        telling.on_sent = self._woken.set
        watch.note = past.note

    async def open(self) -> None:
        """Read what was written down, found and told. Raises StoreUnavailable."""
        await self._book.open()
        await self._watch.open()
        await self._telling.open()

    async def run(self) -> None:
        """Look and tell, until cancelled."""
        try:
            while True:
                self._woken.clear()
                if self._clock.now() >= self._look_at:
                    self._look_at = self._clock.now() + self.every_s
                    await self._watch.look()
                due_ms = await self._telling.look()
                wait_s = min(self._look_at - self._clock.now(), (due_ms - self._clock.unix_ms()) / 1000)
                try:
                    async with asyncio.timeout(max(0.05, wait_s)):
                        await self._woken.wait()
                except TimeoutError:
                    continue
        finally:
            await self._telling.close()

    def alerts(self, namespace: str | None) -> list[Alert]:
        """Return the alerts about a namespace, or all for None; those that fire come first."""
        return self._watch.listed(namespace)

    async def history(self, query: PastAlertQuery) -> list[PastAlert]:
        """Return alerts that fired, the newest first. Raises StoreUnavailable."""
        return await self._past.find(query)

    def rules(self, namespace: str | None) -> list[RuleStatus]:
        """Return a namespace's rules, or all, ordered by namespace and name."""
        return [self._watch.status(key) for key in sorted(self._book.rules) if namespace in (None, key[0])]

    def rule(self, namespace: str, name: str) -> RuleStatus:
        """Return a rule. Raises NotFound."""
        if (namespace, name) not in self._book.rules:
            raise NotFound(f"there is no alert rule {name[:80]}")
        return self._watch.status((namespace, name))

    async def put_rule(self, rule: AlertRule) -> tuple[RuleStatus, Done]:
        """Let the rule be this. Raises InvalidSpec, NotFound, LimitExceeded, StoreUnavailable."""
        _, done = await self._book.put_rule(rule)
        return self._watch.status(rule.key), done

    async def remove_rule(self, namespace: str, name: str) -> None:
        """Remove the rule; a default one is paused for good. Raises NotFound, StoreUnavailable."""
        await self._book.remove_rule(namespace, name)

    def silences(self, namespace: str | None) -> list[Silence]:
        """Return a namespace's silences, or all, the newest first; those that are over for less than a day too."""
        shown = self._book.shown_silences(self._clock.unix_ms())
        found = [each for key, each in shown.items() if namespace in (None, key[0])]
        return sorted(found, key=lambda each: (-each.created_unix_ms, each.id))

    async def silence(self, namespace: str, asked: SilenceRequest, who: str) -> Silence:
        """Have alerts told to nobody for a while. Raises InvalidSpec, NotFound, LimitExceeded, StoreUnavailable."""
        return await self._book.silence(namespace, asked, who)

    async def end_silence(self, namespace: str | None, name: str) -> None:
        """Remove a silence of the namespace, or any for None. Raises NotFound, StoreUnavailable."""
        await self._book.end_silence(namespace, name)

    def receivers(self, namespace: str | None) -> list[ReceiverStatus]:
        """Return a namespace's receivers, or all, ordered by namespace and name."""
        return [self.receiver(*key) for key in sorted(self._book.receivers) if namespace in (None, key[0])]

    def receiver(self, namespace: str, name: str) -> ReceiverStatus:
        """Return a receiver, and how it does. Raises NotFound."""
        kept = self._book.receivers.get((namespace, name))
        if kept is None:
            raise NotFound(f"there is no receiver {name[:80]}")
        counts = self._telling.counts.get((namespace, name), Counts())
        return ReceiverStatus(
            receiver=kept.receiver, has_secret=kept.has_secret, secret_unix_ms=kept.secret_unix_ms,
            created_unix_ms=kept.created_unix_ms, updated_unix_ms=kept.updated_unix_ms, sent=counts.sent,
            sent_unix_ms=counts.sent_unix_ms, trouble=counts.trouble,
        )  # fmt: skip

    async def put_receiver(self, receiver: Receiver, content: str | None) -> tuple[ReceiverStatus, Done]:
        """Let the receiver be this; `content` is its secret, None to leave that as it is.

        Raises InvalidSpec, NotFound, Forbidden, NotSupported, LimitExceeded, SecretsLocked, StoreUnavailable.
        """
        _, done = await self._book.put_receiver(receiver, content)
        return self.receiver(*receiver.key), done

    async def remove_receiver(self, namespace: str, name: str) -> None:
        """Remove the receiver and its secret. Raises NotFound, StoreUnavailable."""
        await self._book.remove_receiver(namespace, name)

    async def test(self, namespace: str, name: str, who: str) -> str:
        """Send a receiver a test by hand; return what is to be told of it. Raises NotFound, Unavailable."""
        receiver = self.receiver(namespace, name).receiver
        now_ms = self._clock.unix_ms()
        if isinstance(receiver.target, AlertmanagerTarget):
            notice = trial.notice(receiver, who, now_ms, self._telling.url)
            return await self._sent(receiver, self._senders.tell(receiver, notice))
        return await self.post(receiver, trial.letter(receiver, who, now_ms))

    async def post(self, receiver: Receiver, letter: Letter) -> str:
        """Send a receiver a letter once; return what is to be told of it. Raises Unavailable with the reason."""
        return await self._sent(receiver, self._senders.post(receiver, letter))

    async def _sent(self, receiver: Receiver, sending: Awaitable[str]) -> str:
        counts = self._telling.counts.setdefault(receiver.key, Counts())
        try:
            counts.trouble = await sending
        except NotSent as error:
            counts.trouble = str(error)
            raise Unavailable(f"The receiver {receiver.name} was not told: {error}") from None
        counts.sent, counts.sent_unix_ms = counts.sent + 1, self._clock.unix_ms()
        return counts.trouble

    async def hear(self, namespace: str, message: TheirMessage) -> int:
        """Take in what an Alertmanager tells; return how many alerts were taken.

        Raises InvalidRequest, LimitExceeded for too many.
        """
        taken = await self._watch.hear(namespace, instances_of(message, namespace, self._clock.unix_ms()))
        self._woken.set()
        return taken

    async def inside(self, namespace: NamespaceName) -> list[str]:
        """Return nothing: what watches functions is no reason to keep a namespace without any."""
        del namespace
        return []

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove all of the namespace's. Raises StoreUnavailable."""
        await self._book.clear(namespace)
        await self._watch.forget(namespace)
        await self._telling.forget(namespace)
        await self._past.forget(namespace)

    def _look_soon(self) -> None:
        """A rule that was just written is looked at now."""
        self._look_at = 0.0
        self._woken.set()
