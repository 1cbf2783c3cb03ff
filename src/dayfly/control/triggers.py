"""What can be asked of triggers: write, list, pause and remove them.

All of them are kept in memory beside the store; a change is written first, and told to whoever runs them then. How one
does is known there as well, and asked for.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

import msgspec

from dayfly.control.clock import Clock
from dayfly.control.namespaces import Namespaces
from dayfly.control.secrets import Secrets
from dayfly.control.sequence import Sequence
from dayfly.decide.triggers import check_reach, check_trigger
from dayfly.model.errors import Conflict, DayflyError, InvalidSpec, LimitExceeded, NotFound, StoreUnavailable
from dayfly.model.function import Function
from dayfly.model.names import NamespaceName
from dayfly.model.reach import Reach
from dayfly.model.trigger import (
    MAX_NAMESPACE_TRIGGERS,
    Trigger,
    TriggerMode,
    TriggerSpec,
    TriggerStanding,
    TriggerStatus,
)
from dayfly.model.trigger_source import FunctionSource
from dayfly.storage.triggers import TriggerStore

_ALL = "triggers"
Key = tuple[NamespaceName, str]


class Triggers:
    """The triggers there are. `start` it once the store is open."""

    kind = "triggers"
    """What they are called among the things that lie in namespaces."""

    def __init__(
        self, store: TriggerStore, functions: Callable[[], Iterable[Function]], reach: Reach, clock: Clock
    ) -> None:
        self.on_change: list[Callable[[], None]] = []
        """Told after each change."""
        self.on_forsaken: list[Callable[[NamespaceName, str], None]] = []
        """Told of each trigger that goes because its function did."""
        self.standing: Callable[[Key], TriggerStanding] = lambda _key: TriggerStanding()
        """Asked how a trigger does."""
        self.has_flow: Callable[[Key], bool] = lambda _key: False
        """Asked whether there is a flow of this name in the namespace."""
        self.check_kind: Callable[[str], None] = lambda _kind: None
        """Asked to refuse a kind of source that cannot run here, with NotSupported."""
        self._store = store
        self._functions = functions
        self._reach = reach
        self._clock = clock
        self._namespaces: Namespaces
        self._secrets: Secrets
        self._changes = Sequence()
        self._known: dict[Key, Trigger] = {}

    def join(self, namespaces: Namespaces, secrets: Secrets) -> None:
        """Be looked at with namespaces and secrets."""
        self._namespaces, self._secrets = namespaces, secrets
        namespaces.house(self)
        secrets.users.append(self.users)

    async def start(self) -> None:
        """Read all of them. Raises StoreUnavailable."""
        self._known = {trigger.key: trigger for trigger in await self._store.all()}

    async def drain(self) -> None:
        """Wait until no change is under way."""
        await self._changes.drain()

    def all(self) -> list[Trigger]:
        """Return every trigger of every namespace."""
        return list(self._known.values())

    def in_namespace(self, namespace: NamespaceName) -> list[TriggerStatus]:
        """Return the namespace's triggers, ordered by name."""
        return [self._status(key) for key in sorted(self._known) if key[0] == namespace]

    def get(self, namespace: NamespaceName, name: str) -> TriggerStatus:
        """Return the trigger. Raises NotFound."""
        self._present((namespace, name))
        return self._status((namespace, name))

    async def put(
        self, spec: TriggerSpec, *, mode: TriggerMode = "upsert", is_admin: bool = False
    ) -> tuple[TriggerStatus, Literal["created", "updated"]]:
        """Let the trigger be this from now on; `is_admin` says that the installation's administrator asks.

        Raises InvalidName, InvalidSpec, Conflict (create, and it exists), NotFound (update, and it does not; no such
        namespace), Forbidden for a source out of reach, NotSupported for one whose library is not here, LimitExceeded,
        StoreUnavailable.
        """
        check_trigger(spec)
        return await self._changes.run(_ALL, self._put(spec, mode, is_admin))

    async def follow(self, key: Key, read: Callable[[], Awaitable[Trigger | None]]) -> None:
        """Let the trigger be what `read` finds that somebody else wrote into the store; nothing, for None.

        What it names need not be there yet: its standing tells. Raises what `put` does for what may not be so, with the
        trigger gone, and StoreUnavailable with all as it was.
        """
        await self._changes.run(_ALL, self._follow(key, read))

    async def pause(self, namespace: NamespaceName, name: str, *, paused: bool) -> TriggerStatus:
        """Let the trigger rest, or go on. Raises NotFound, StoreUnavailable."""
        return await self._changes.run(_ALL, self._pause((namespace, name), paused))

    async def remove(self, namespace: NamespaceName, name: str) -> None:
        """Remove the trigger. Raises NotFound, StoreUnavailable."""
        await self._changes.run(_ALL, self._remove(namespace, name))

    def begin_to_remove(self, namespace: NamespaceName, name: str) -> None:
        """Have a trigger removed whose function has gone; nobody waits for it."""
        for tell in self.on_forsaken:
            tell(namespace, name)
        self._changes.begin(_ALL, self._remove(namespace, name))

    def users(self, namespace: NamespaceName, secret: str) -> list[str]:
        """Return the namespace's triggers that need this secret."""
        inside = sorted(key for key in self._known if key[0] == namespace)
        return [f"the trigger {key[1]}" for key in inside if secret in self._known[key].spec.secrets]

    async def inside(self, namespace: NamespaceName) -> list[str]:
        """Return the names of the namespace's triggers, once those that are being written are known."""
        return await self._changes.run(_ALL, self._names(namespace))

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove all of the namespace's triggers. Raises StoreUnavailable."""
        for name in await self.inside(namespace):
            await self.remove(namespace, name)

    async def _put(
        self, spec: TriggerSpec, mode: TriggerMode, is_admin: bool
    ) -> tuple[TriggerStatus, Literal["created", "updated"]]:
        namespace = NamespaceName(spec.namespace)
        self._namespaces.check_open(namespace)
        key = (namespace, spec.name)
        before = self._known.get(key)
        if mode == "create" and before is not None:
            told = f"the trigger {spec.name} exists already in the namespace {namespace}; update it instead"
            raise Conflict(told, hint="`dayfly trigger create` with --replace does that.")
        if mode == "update":
            self._present(key)
        check_reach(spec, before.spec if before is not None else None, self._reach, is_admin=is_admin)
        self.check_kind(spec.source.kind)
        self._check_room(spec, key)
        self._check_named(spec)
        now_ms = self._clock.unix_ms()
        created_ms = before.created_unix_ms if before is not None else now_ms
        await self._keep(Trigger(spec=spec, created_unix_ms=created_ms, updated_unix_ms=now_ms))
        return self._status(key), "updated" if before is not None else "created"

    async def _follow(self, key: Key, read: Callable[[], Awaitable[Trigger | None]]) -> None:
        before = self._known.get(key)
        try:
            trigger = await read()
            if trigger is not None and before is not None and before.spec == trigger.spec:
                return
            if trigger is not None:
                check_trigger(trigger.spec)
                self._namespaces.check_open(key[0])
                check_reach(trigger.spec, before.spec if before is not None else None, self._reach, is_admin=False)
                self.check_kind(trigger.spec.source.kind)
                self._check_room(trigger.spec, key)
        except StoreUnavailable:
            raise
        except DayflyError:
            self._forget(key)
            raise
        if trigger is None:
            self._forget(key)
        else:
            self._known[key] = trigger
            self._tell()

    def _check_room(self, spec: TriggerSpec, key: Key) -> None:
        others = sum(other[0] == key[0] for other in self._known if other != key)
        if others >= MAX_NAMESPACE_TRIGGERS:
            raise LimitExceeded(f"the namespace {spec.namespace} has {others} triggers, and may have no more")

    def _check_named(self, spec: TriggerSpec) -> None:
        """Refuse names of what is not there: now somebody is there to be told."""
        names = {each.key.name for each in self._functions() if each.key.namespace == spec.namespace}
        told = {"function": spec.function}
        if isinstance(spec.source, FunctionSource):
            told["source.name"] = spec.source.name
        for field, name in told.items():
            if name and name not in names:
                refused = f"{field}: there is no function {name} in the namespace {spec.namespace}"
                raise InvalidSpec(refused, hint="Deploy it first; `dayfly list` shows those there are.")
        if spec.flow and not self.has_flow((NamespaceName(spec.namespace), spec.flow)):
            refused = f"flow: there is no flow {spec.flow} in the namespace {spec.namespace}"
            raise InvalidSpec(refused, hint="Deploy it first; `dayfly flow list` shows those there are.")
        known = {secret.name for secret in self._secrets.in_namespace(NamespaceName(spec.namespace))}
        for name in spec.secrets:
            if name not in known:
                refused = f"source.secret: there is no secret {name} in the namespace {spec.namespace}"
                raise InvalidSpec(refused, hint=f"Write it first: `dayfly secret create {name}`.")

    async def _pause(self, key: Key, paused: bool) -> TriggerStatus:
        trigger = self._present(key)
        if trigger.spec.paused != paused:
            spec = msgspec.structs.replace(trigger.spec, paused=paused)
            await self._keep(msgspec.structs.replace(trigger, spec=spec, updated_unix_ms=self._clock.unix_ms()))
        return self._status(key)

    async def _keep(self, trigger: Trigger) -> None:
        await self._store.put(trigger)
        self._known[trigger.key] = trigger
        self._tell()

    async def _remove(self, namespace: NamespaceName, name: str) -> None:
        await self._store.delete(namespace, name)
        self._forget((namespace, name))

    def _forget(self, key: Key) -> None:
        if self._known.pop(key, None) is not None:
            self._tell()

    async def _names(self, namespace: NamespaceName) -> list[str]:
        return [key[1] for key in sorted(self._known) if key[0] == namespace]

    def _present(self, key: Key) -> Trigger:
        if key not in self._known:
            raise NotFound(f"there is no trigger {key[1]} in the namespace {key[0]}")
        return self._known[key]

    def _tell(self) -> None:
        for tell in self.on_change:
            tell()

    def _status(self, key: Key) -> TriggerStatus:
        return TriggerStatus(**msgspec.structs.asdict(self._known[key]), standing=self.standing(key))
