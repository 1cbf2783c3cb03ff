"""Namespaces as tenants: which there are, and what must hold before one comes, changes or goes.

They are few and asked for with every request, so all of them are kept in memory beside the store; a change is written
first and known after. One that is being removed takes nothing new in, from the moment it is looked at. Kinds of things
that lie in namespaces (`Occupant`) are each asked what there is, and told to clear it when somebody insists.
"""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec.structs import replace

from dayfly.control.clock import Clock
from dayfly.control.ports import LogSink
from dayfly.control.quotas import Quotas
from dayfly.control.sequence import Sequence
from dayfly.model.budget import BudgetStatus
from dayfly.model.errors import Conflict, NotFound
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, NamespaceName
from dayfly.model.namespace import Namespace, NamespaceChange, NamespaceStatus
from dayfly.storage.tenancy import TenancyStore


class Occupant(Protocol):
    """One kind of things that lie in namespaces, and keep a namespace from being removed."""

    kind: str
    """What they are called, several of them: `functions`."""

    async def inside(self, namespace: NamespaceName) -> list[str]:
        """Return the names of those in the namespace."""

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove all of them."""


class Functions:
    """Functions as things that lie in namespaces; `remove` takes one away."""

    kind = "functions"

    def __init__(self, quotas: Quotas, remove: Callable[[FunctionKey], Awaitable[None]]) -> None:
        self._quotas = quotas
        self._remove = remove

    async def inside(self, namespace: NamespaceName) -> list[str]:
        """Return the names of the functions there, those being deployed too."""
        return [key.name for key in self._quotas.functions(namespace)]

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove all of them. Raises StoreUnavailable."""
        for key in self._quotas.functions(namespace):
            with contextlib.suppress(NotFound):  # its deployment was refused in the end
                await self._remove(key)


class LogLines:
    """What functions printed: it goes with a namespace, and keeps none from being removed."""

    kind = "log lines"

    def __init__(self, logs: LogSink) -> None:
        self._logs = logs

    async def inside(self, _namespace: NamespaceName) -> list[str]:
        """Return nothing: a record is no reason to keep what it tells of."""
        return []

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove every line. Raises StoreUnavailable."""
        await self._logs.forget(namespace)


class Namespaces:
    """The namespaces there are. `open` it once the store is open, before anything else is asked of it."""

    def __init__(self, store: TenancyStore, quotas: Quotas, clock: Clock) -> None:
        self._store = store
        self._quotas = quotas
        self._clock = clock
        self._known: dict[NamespaceName, Namespace] = {}
        self._leaving: set[NamespaceName] = set()
        self._occupants: list[Occupant] = []
        self.on_removed: list[Callable[[NamespaceName], None]] = []
        """Each is told of a namespace that is gone, in the same breath."""
        self.budgets: Callable[[NamespaceName], tuple[BudgetStatus, ...]] = lambda _name: ()
        """Tells how far a namespace's budget is used."""
        self._changes = Sequence()

    def house(self, occupant: Occupant) -> None:
        """Have this kind of things looked at before a namespace is removed."""
        self._occupants.append(occupant)

    async def open(self) -> None:
        """Read all of them. Raises StoreUnavailable."""
        for namespace in await self._store.namespaces():
            self._know(namespace)

    async def drain(self) -> None:
        """Wait until no change is under way."""
        await self._changes.drain()

    def names(self) -> list[NamespaceName]:
        """Return the names of all namespaces, ordered."""
        return sorted(self._known)

    def annotations(self) -> dict[NamespaceName, dict[str, str]]:
        """Return the annotations of all namespaces."""
        return {name: namespace.annotations for name, namespace in self._known.items()}

    def get(self, name: NamespaceName) -> Namespace:
        """Return the namespace. Raises NotFound."""
        if name not in self._known:
            raise NotFound(
                f"there is no namespace {name}", hint=f"`dayfly namespace create {name}` makes it, for who may"
            )
        return self._known[name]

    def check_open(self, name: NamespaceName) -> None:
        """Refuse to put anything into a namespace that is not there or is on its way out. Raises NotFound, Conflict."""
        self.get(name)
        if name in self._leaving:
            raise Conflict(f"the namespace {name} is being removed")

    def status(self, name: NamespaceName) -> NamespaceStatus:
        """Return what was asked for and what is used. Raises NotFound."""
        namespace = self.get(name)
        return NamespaceStatus(
            name=name,
            labels=namespace.labels,
            annotations=namespace.annotations,
            quota=namespace.quota,
            used=self._quotas.usage(name),
            budgets=self.budgets(name),
            created_unix_ms=namespace.created_unix_ms,
        )

    async def create(self, name: NamespaceName, change: NamespaceChange) -> NamespaceStatus:
        """Make a namespace. Raises Conflict when it exists, InvalidSpec, StoreUnavailable."""
        return await self._changes.run(name, self._create(name, change))

    async def update(self, name: NamespaceName, change: NamespaceChange) -> NamespaceStatus:
        """Let this be true of the namespace from now on. Raises NotFound, InvalidSpec, StoreUnavailable."""
        return await self._changes.run(name, self._update(name, change))

    async def follow(self, name: NamespaceName, read: Callable[[], Awaitable[Namespace | None]]) -> None:
        """Let the namespace be what `read` finds that somebody else wrote into the store.

        Without anything, None, it goes if nothing is in it, and else stays without quota, labels and annotations.
        Raises InvalidSpec, Conflict (it stays), StoreUnavailable; with all as it was.
        """
        await self._changes.run(name, self._follow(name, read))

    async def remove(self, name: NamespaceName, *, force: bool = False) -> None:
        """Remove the namespace and its tokens; with `force` with all that is in it.

        Raises NotFound, and Conflict for the default one and for one that is not empty, StoreUnavailable.
        """
        await self._changes.run(name, self._remove(name, force))

    async def _create(self, name: NamespaceName, change: NamespaceChange) -> NamespaceStatus:
        if name in self._known:
            raise Conflict(f"the namespace {name} exists already")
        left = self._quotas.usage(name).replicas
        if left:
            # They write to the log under this name, and what they use would be the new tenant's.
            raise Conflict(
                f"{left} replicas of an earlier namespace {name} still finish their calls",
                hint="try again when they have ended, or choose another name",
            )
        namespace = _changed(Namespace(name=name, created_unix_ms=self._clock.unix_ms()), change)
        namespace.check()
        for occupant in self._occupants:
            # What an earlier namespace of this name left is another tenant's.
            await occupant.clear(name)
        return await self._write(namespace)

    async def _update(self, name: NamespaceName, change: NamespaceChange) -> NamespaceStatus:
        return await self._write(_changed(self.get(name), change))

    async def _write(self, namespace: Namespace) -> NamespaceStatus:
        namespace.check()
        await self._store.put_namespace(namespace)
        self._know(namespace)
        return self.status(namespace.name)

    async def _follow(self, name: NamespaceName, read: Callable[[], Awaitable[Namespace | None]]) -> None:
        found = await read()
        if found is not None:
            found.check()
            self._know(found)
        elif name == DEFAULT_NAMESPACE:
            self._know(Namespace(name=name))
        elif name in self._known:
            self._know(Namespace(name=name, created_unix_ms=self._known[name].created_unix_ms))
            await self._remove(name, False)

    async def _remove(self, name: NamespaceName, force: bool) -> None:
        self.get(name)
        self._store.check_removable(name)
        self._leaving.add(name)
        try:
            if not force:
                await self._check_empty(name)
            for occupant in self._occupants:
                await occupant.clear(name)
            with contextlib.suppress(NotFound):  # whoever took it out of the store wants it gone, too
                await self._store.delete_namespace(name)
        finally:
            self._leaving.discard(name)
        del self._known[name]
        for tell in self.on_removed:
            tell(name)

    async def _check_empty(self, name: NamespaceName) -> None:
        for occupant in self._occupants:
            inside = await occupant.inside(name)
            if inside:
                named = ", ".join(inside[:5]) + (" …" if len(inside) > 5 else "")
                raise Conflict(
                    f"the namespace {name} is not empty: it holds {len(inside)} {occupant.kind} ({named})",
                    hint=f"remove them first, or all of it with `dayfly namespace remove {name} --force`",
                )

    def _know(self, namespace: Namespace) -> None:
        self._known[namespace.name] = namespace
        self._quotas.limit(namespace.name, namespace.quota)


def _changed(namespace: Namespace, change: NamespaceChange) -> Namespace:
    return replace(namespace, labels=change.labels, annotations=change.annotations, quota=change.quota)
