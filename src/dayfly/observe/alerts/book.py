"""What people write down about alerts: rules, silences and receivers, kept in memory beside the store.

A change is written first, and told to whoever watches and tells then. The default rules are there without being
written: one that is changed is kept as any other, and one that is removed is kept as paused.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Literal, TypeVar

import msgspec

from dayfly.decide.alert_groups import fits
from dayfly.decide.alert_rules import DEFAULTS
from dayfly.decide.alerting import Labels
from dayfly.model.alert import (
    MAX_NAMESPACE_RULES,
    MAX_SILENCES,
    AlertRule,
    KeptRule,
    Silence,
    SilenceRequest,
    parse_span,
)
from dayfly.model.errors import InvalidSpec, LimitExceeded, NotFound, StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.model.receiver import (
    MAX_NAMESPACE_RECEIVERS,
    MAX_SECRET,
    NEEDS_SECRET,
    KeptReceiver,
    Receiver,
)
from dayfly.observe.alerts.ports import CheckOpen, Clock, Vault
from dayfly.storage.watch import WatchKey, WatchKind, WatchStore

T = TypeVar("T")
Done = Literal["created", "updated"]
PREFIX = "alerts."
"""Before a receiver's name in that of its secret."""
_ENDED_MS = 24 * 3_600_000
"""How long a silence is shown that is over."""


class Book:
    """Rules, silences and receivers. `open` it once the store is open."""

    def __init__(self, store: WatchStore, vault: Vault, check_open: CheckOpen, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._check_open = check_open
        self._clock = clock
        self._turn = asyncio.Lock()
        self.rules: dict[WatchKey, KeptRule] = {}
        self.silences: dict[WatchKey, Silence] = {}
        self.receivers: dict[WatchKey, KeptReceiver] = {}
        self.on_change: list[Callable[[], None]] = []
        """Told after each change."""
        self.check_expression: Callable[[str, str], None] = lambda _expr, _namespace: None
        """Asked to refuse an expression that cannot be asked. Raises InvalidRequest."""
        self.check_receiver: Callable[[Receiver], None] = lambda _receiver: None
        """Asked to refuse a receiver that cannot be served here. Raises NotSupported, Forbidden."""

    async def open(self) -> None:
        """Read everything. Raises StoreUnavailable."""
        began = self._clock.unix_ms()
        kept = {rule.key: KeptRule(rule=rule, created_unix_ms=began, updated_unix_ms=began) for rule in DEFAULTS}
        self.rules = kept | await read_all(self._store, "rule", KeptRule)
        self.silences = await read_all(self._store, "silence", Silence)
        self.receivers = await read_all(self._store, "receiver", KeptReceiver)

    async def put_rule(self, rule: AlertRule) -> tuple[KeptRule, Done]:
        """Let the rule be this. Raises InvalidSpec, NotFound (no such namespace), LimitExceeded, StoreUnavailable."""
        rule.check()
        if rule.kind == "promql":
            self.check_expression(rule.expr, rule.namespace)
        return await self._in_turn(self._put_rule(rule))

    async def _put_rule(self, rule: AlertRule) -> tuple[KeptRule, Done]:
        self._check_namespace(rule.namespace)
        before = self.rules.get(rule.key)
        self._check_room(self.rules, rule.key, MAX_NAMESPACE_RULES, "rules")
        for name in rule.receivers:
            if not self._may_be_told(rule.namespace, name):
                raise InvalidSpec(f"receivers: there is no receiver {name}", hint="Make it first, or leave it out.")
        now = self._clock.unix_ms()
        kept = KeptRule(rule=rule, created_unix_ms=before.created_unix_ms if before else now, updated_unix_ms=now)
        await self._keep("rule", rule.key, kept)
        self.rules[rule.key] = kept
        self._tell()
        return kept, "updated" if before else "created"

    async def remove_rule(self, namespace: str, name: str) -> None:
        """Remove the rule; a default one is paused for good. Raises NotFound, StoreUnavailable."""
        await self._in_turn(self._remove_rule(namespace, name))

    async def _remove_rule(self, namespace: str, name: str) -> None:
        self._present(self.rules, (namespace, name), "alert rule")
        default = next((each for each in DEFAULTS if each.key == (namespace, name)), None)
        if default is not None:
            await self._put_rule(msgspec.structs.replace(self.rules[namespace, name].rule, paused=True))
            return
        await self._store.keep("rule", {(namespace, name): None})
        self.rules.pop((namespace, name), None)
        self._tell()

    async def silence(self, namespace: str, asked: SilenceRequest, who: str) -> Silence:
        """Have alerts told to nobody for a while. Raises InvalidSpec, NotFound, LimitExceeded, StoreUnavailable."""
        asked.check()
        return await self._in_turn(self._silence(namespace, asked, who))

    async def _silence(self, namespace: str, asked: SilenceRequest, who: str) -> Silence:
        self._check_namespace(namespace)
        now = self._clock.unix_ms()
        starts = asked.starts_unix_ms or now
        ends = asked.ends_unix_ms
        if asked.duration:
            ends = starts + round(parse_span("duration", asked.duration, 1.0, 365 * 86_400.0) * 1000)
        if ends <= max(starts, now):
            raise InvalidSpec("ends_unix_ms: a silence ends after it starts, and not in the past")
        await self._forget_silences(now)
        found = Silence(
            id=secrets.token_hex(8), namespace=namespace, matchers=asked.matchers, starts_unix_ms=starts,
            ends_unix_ms=ends, comment=asked.comment, created_by=who[:100], created_unix_ms=now,
        )  # fmt: skip
        key = (namespace, found.id)
        self._check_room(self.silences, key, MAX_SILENCES, "silences")
        await self._keep("silence", key, found)
        self.silences[key] = found
        self._tell()
        return found

    async def end_silence(self, namespace: str | None, name: str) -> None:
        """Remove a silence of the namespace, or any for None. Raises NotFound, StoreUnavailable."""
        await self._in_turn(self._end_silence(namespace, name))

    async def _end_silence(self, namespace: str | None, name: str) -> None:
        key = next((key for key in self.silences if key[1] == name and namespace in (None, key[0])), None)
        if key is None:
            raise NotFound(f"there is no silence {name[:40]}")
        await self._store.keep("silence", {key: None})
        self.silences.pop(key, None)
        self._tell()

    def shown_silences(self, now_ms: int) -> dict[WatchKey, Silence]:
        """Return the silences that last, will begin, or are over for less than a day."""
        return {key: each for key, each in self.silences.items() if each.ends_unix_ms + _ENDED_MS >= now_ms}

    def silenced_by(self, labels: Labels, now_ms: int) -> tuple[str, ...]:
        """Return which silences keep an alert with these labels quiet now."""
        return tuple(
            each.id
            for each in self.silences.values()
            if each.starts_unix_ms <= now_ms < each.ends_unix_ms
            and each.namespace in ("", labels.get("namespace"))
            and all(fits(matcher, labels) for matcher in each.matchers)
        )

    async def put_receiver(self, receiver: Receiver, content: str | None) -> tuple[KeptReceiver, Done]:
        """Let the receiver be this; `content` is its secret, None to leave that as it is, empty to take it away.

        Raises InvalidSpec, NotFound (no such namespace), Forbidden, NotSupported, LimitExceeded, SecretsLocked,
        StoreUnavailable.
        """
        receiver.check()
        return await self._in_turn(self._put_receiver(receiver, content))

    async def _put_receiver(self, receiver: Receiver, content: str | None) -> tuple[KeptReceiver, Done]:
        self._check_namespace(receiver.namespace)
        self.check_receiver(receiver)
        before = self.receivers.get(receiver.key)
        self._check_room(self.receivers, receiver.key, MAX_NAMESPACE_RECEIVERS, "receivers")
        kind = receiver.target.__struct_config__.tag
        if content is not None and (len(content) > MAX_SECRET or "\0" in content):
            raise InvalidSpec(f"secret: must be at most {MAX_SECRET} characters")
        is_same_kind = before is not None and before.receiver.target.__struct_config__.tag == kind
        # Another kind's secret, or another server's, is not shown to whoever changes where it is sent.
        keeps = content is None and before is not None and before.has_secret and is_same_kind
        if keeps and before is not None and _place(before.receiver) != _place(receiver):
            raise InvalidSpec("secret: give it again, since the receiver is to lead elsewhere")
        has_secret = keeps or bool(content)
        if kind in NEEDS_SECRET and not has_secret:
            raise InvalidSpec(f"secret: a receiver of kind {kind} needs one: the URL that it sends to")
        if content:
            await self._vault.keep(receiver.namespace, PREFIX + receiver.name, content.encode())
        now = self._clock.unix_ms()
        created = before.created_unix_ms if before else now
        given = now if content else before.secret_unix_ms if keeps and before is not None else 0
        kept = KeptReceiver(
            receiver=receiver, has_secret=has_secret, secret_unix_ms=given, created_unix_ms=created,
            updated_unix_ms=now,
        )  # fmt: skip
        await self._keep("receiver", receiver.key, kept)
        self.receivers[receiver.key] = kept
        if not has_secret and before is not None and before.has_secret:
            await self._vault.drop(receiver.namespace, PREFIX + receiver.name)
        self._tell()
        return kept, "updated" if before else "created"

    async def remove_receiver(self, namespace: str, name: str) -> None:
        """Remove the receiver and its secret. Raises NotFound, StoreUnavailable."""
        await self._in_turn(self._remove_receiver(namespace, name))

    async def _remove_receiver(self, namespace: str, name: str) -> None:
        self._present(self.receivers, (namespace, name), "receiver")
        await self._store.keep("receiver", {(namespace, name): None})
        gone = self.receivers.pop((namespace, name))
        if gone.has_secret:
            await self._vault.drop(namespace, PREFIX + name)
        self._tell()

    async def secret_of(self, receiver: Receiver) -> str:
        """Return a receiver's secret; empty without one. Raises SecretsLocked, StoreUnavailable."""
        content = await self._vault.read(receiver.namespace, PREFIX + receiver.name)
        return content.decode() if content is not None else ""

    def inside(self, namespace: NamespaceName) -> list[str]:
        """Return the names of what the namespace has."""
        found = [key for each in (self.rules, self.receivers) for key in each if key[0] == namespace]
        return [name for _, name in found]

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove all of the namespace's. Raises StoreUnavailable."""
        await self._in_turn(self._clear(namespace))

    async def _clear(self, namespace: NamespaceName) -> None:
        for key in [key for key in self.rules if key[0] == namespace]:
            await self._remove_rule(*key)
        for key in [key for key in self.receivers if key[0] == namespace]:
            await self._remove_receiver(*key)
        for key in [key for key in self.silences if key[0] == namespace]:
            await self._end_silence(*key)

    async def _in_turn(self, change: Coroutine[None, None, T]) -> T:
        """Carry changes out one after the other, each to its end though nobody waits for it any more."""

        async def turn() -> T:
            async with self._turn:
                return await change

        return await asyncio.shield(asyncio.get_running_loop().create_task(turn()))

    async def _forget_silences(self, now_ms: int) -> None:
        shown = self.shown_silences(now_ms)
        if len(shown) < len(self.silences):
            await self._store.keep("silence", dict.fromkeys(self.silences.keys() - shown.keys()))
            self.silences = shown

    def _may_be_told(self, namespace: str, name: str) -> bool:
        """A namespace's alerts go to its own receivers and to the installation's; the latter's to any."""
        return any(key[1] == name and (not namespace or key[0] in ("", namespace)) for key in self.receivers)

    def _check_namespace(self, namespace: str) -> None:
        if namespace:
            self._check_open(NamespaceName(namespace))

    def _check_room(self, known: dict[WatchKey, T], key: WatchKey, most: int, what: str) -> None:
        count = sum(each[0] == key[0] for each in known if each != key)
        if count >= most:
            owner = f"the namespace {key[0]}" if key[0] else "the installation"
            raise LimitExceeded(f"{owner} has {count} {what}, and may have no more; remove one that nobody needs")

    def _present(self, known: dict[WatchKey, T], key: WatchKey, what: str) -> T:
        if key not in known:
            where = f"in the namespace {key[0]}" if key[0] else "of the installation"
            raise NotFound(f"there is no {what} {key[1][:80]} {where}")
        return known[key]

    async def _keep(self, kind: WatchKind, key: WatchKey, value: msgspec.Struct) -> None:
        await self._store.keep(kind, {key: msgspec.json.encode(value).decode()})

    def _tell(self) -> None:
        for tell in self.on_change:
            tell()


async def read_all(store: WatchStore, kind: WatchKind, struct: type[T]) -> dict[WatchKey, T]:
    """Return every text of a kind as what it is. Raises StoreUnavailable, with the name of one that cannot be read."""
    found: dict[WatchKey, T] = {}
    for key, text in (await store.kept(kind)).items():
        try:
            found[key] = msgspec.json.decode(text, type=struct)
        except msgspec.MsgspecError as error:
            raise StoreUnavailable(
                f"the {kind} {'.'.join(filter(None, reversed(key)))} in the state cannot be read: {error}",
                hint="restore a copy of the state, or remove that entry",
            ) from error
    return found


def _place(receiver: Receiver) -> tuple[object, ...]:
    """Return what a secret is shown to: a change of it must not lead the secret elsewhere."""
    target = receiver.target
    return tuple(getattr(target, name, None) for name in ("host", "port", "security", "username", "url"))
