"""What can be asked of routes: write, list and remove them, and say which hosts namespaces may use.

All of them are kept in memory beside the store, and so is what gateways check callers with, made of secrets that are
read when a route is written, when its secret is, and at start. A change reaches every gateway before it is
acknowledged. A route whose secret is gone or is no good stays and lets nobody through: it fails closed, and says why.
"""

import shlex
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol

import msgspec

from dayfly.control.clock import Clock
from dayfly.control.namespaces import Namespaces
from dayfly.control.route_material import entry
from dayfly.control.secrets import Secrets
from dayfly.control.sequence import Sequence
from dayfly.decide.host_claims import collision, standing
from dayfly.decide.lifecycle import Lifecycle
from dayfly.model.errors import (
    Conflict,
    DayflyError,
    Forbidden,
    InvalidSpec,
    LimitExceeded,
    NotFound,
    SecretsLocked,
    StoreUnavailable,
)
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName
from dayfly.model.route import MAX_NAMESPACE_ROUTES, HostGrant, Route, RouteMode, RouteSpec, RouteStatus
from dayfly.model.route_entry import RouteEntry
from dayfly.storage.routes import RouteStore
from dayfly.storage.secrets.port import SecretStore

_ALL = "routes"
"""Changes of all routes happen one after another: whether a place is free depends on every other one."""


class RouteTable(Protocol):
    """Where routes are announced."""

    routes: Callable[[], tuple[RouteEntry, ...]]
    """Asked for all of them."""

    def routed(self, entry: RouteEntry) -> None:
        """The route is this from now on."""

    def unrouted(self, namespace: NamespaceName, name: str) -> None:
        """There is no such route any more."""


class Routes:
    """The routes there are. `start` it once the stores are open, before gateways ask."""

    kind = "routes"
    """What they are called among the things that lie in namespaces."""

    def __init__(
        self,
        store: RouteStore,
        secrets: SecretStore,
        table: RouteTable,
        clock: Clock,
        machines: Mapping[FunctionKey, Lifecycle],
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._table = table
        self._namespaces: Namespaces
        self._clock = clock
        self._machines = machines
        self._changes = Sequence()
        self._known: dict[tuple[NamespaceName, str], Route] = {}
        self._entries: dict[tuple[NamespaceName, str], RouteEntry] = {}
        self._grants: list[HostGrant] = []

    def join(self, namespaces: Namespaces, secrets: Secrets) -> None:
        """Be looked at with namespaces and secrets, and when a gateway asks."""
        self._namespaces = namespaces
        namespaces.house(self)
        secrets.users.append(self.users)
        secrets.on_change.append(self.secret_changed)
        self._table.routes = self.entries

    async def start(self) -> None:
        """Read all of them, and what their callers are checked with. Raises StoreUnavailable."""
        self._grants = await self._store.grants()
        self._known = {route.key: route for route in await self._store.all()}
        self._entries = {key: await self._entry(route.spec) for key, route in self._known.items()}

    async def drain(self) -> None:
        """Wait until no change is under way."""
        await self._changes.drain()

    def entries(self) -> tuple[RouteEntry, ...]:
        """Return what gateways know of all routes."""
        return tuple(self._entries.values())

    def all(self) -> list[RouteStatus]:
        """Return every route of every namespace."""
        return [self._status(key) for key in sorted(self._known)]

    def in_namespace(self, namespace: NamespaceName) -> list[RouteStatus]:
        """Return the namespace's routes, ordered by name."""
        return [self._status(key) for key in sorted(self._known) if key[0] == namespace]

    def get(self, namespace: NamespaceName, name: str) -> RouteStatus:
        """Return the route. Raises NotFound."""
        if (namespace, name) not in self._known:
            raise NotFound(f"there is no route {name} in the namespace {namespace}")
        return self._status((namespace, name))

    async def put(
        self, spec: RouteSpec, *, mode: RouteMode = "upsert", everywhere: bool = False
    ) -> tuple[RouteStatus, Literal["created", "updated"]]:
        """Let the route be this from now on; `everywhere` says that the installation's administrator asks.

        Raises InvalidName, InvalidSpec, Conflict (create, and it exists; its place is taken), NotFound (update, and it
        does not exist; no such namespace), Forbidden for a host that is not the namespace's, LimitExceeded,
        SecretsLocked, StoreUnavailable.
        """
        spec.check()
        return await self._changes.run(_ALL, self._put(spec, mode, everywhere))

    async def follow(self, key: tuple[NamespaceName, str], read: Callable[[], Awaitable[Route | None]]) -> None:
        """Let the route be what `read` finds that somebody else wrote into the store; nothing, for None.

        Raises what `put` does for what may not be so, with the route gone, and StoreUnavailable with all as it was.
        """
        await self._changes.run(_ALL, self._follow(key, read))

    async def remove(self, namespace: NamespaceName, name: str) -> None:
        """Remove the route. Raises NotFound, StoreUnavailable."""
        await self._changes.run(_ALL, self._remove(namespace, name))

    def granted(self, namespace: NamespaceName | None = None) -> list[HostGrant]:
        """Return the hosts that the namespace, or anybody, was granted."""
        return [grant for grant in self._grants if namespace in (None, grant.namespace)]

    async def grant(self, grant: HostGrant) -> None:
        """Let the namespace use the host in its routes. Raises NotFound, StoreUnavailable."""
        self._namespaces.check_open(grant.namespace)
        await self._changes.run(_ALL, self._regrant(self._store.put_grant(grant)))

    async def revoke(self, grant: HostGrant) -> None:
        """Let the namespace use the host for no new route. Raises NotFound, StoreUnavailable."""
        await self._changes.run(_ALL, self._regrant(self._store.delete_grant(grant)))

    def users(self, namespace: NamespaceName, secret: str) -> list[str]:
        """Return the namespace's routes that need this secret."""
        needing = sorted(key[1] for key, route in self._known.items() if _needs(route, namespace, secret))
        return [f"the route {name}" for name in needing]

    def secret_changed(self, namespace: NamespaceName, secret: str) -> None:
        """A secret was written or removed: have the routes that need it read it anew, one after another."""
        if self.users(namespace, secret):
            self._changes.begin(_ALL, self._renew(namespace, secret))

    async def inside(self, namespace: NamespaceName) -> list[str]:
        """Return the names of the namespace's routes, once those that are being written are known."""
        return await self._changes.run(_ALL, self._names(namespace))

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove all of the namespace's routes, and its grants. Raises StoreUnavailable."""
        for name in await self.inside(namespace):
            await self.remove(namespace, name)
        for grant in self.granted(namespace):
            await self.revoke(grant)

    async def _put(
        self, spec: RouteSpec, mode: RouteMode, everywhere: bool
    ) -> tuple[RouteStatus, Literal["created", "updated"]]:
        namespace = NamespaceName(spec.namespace)
        self._namespaces.check_open(namespace)
        key = (namespace, spec.name)
        before = self._known.get(key)
        if mode == "create" and before is not None:
            told = f"the route {spec.name} exists already in the namespace {namespace}; update it instead"
            raise Conflict(told, hint="Another route to the same function takes a name of its own: --name.")
        if mode == "update" and before is None:
            raise NotFound(f"there is no route {spec.name} in the namespace {namespace}")
        self._check_place(spec, key, everywhere)
        for target in spec.targets:
            if not self._is_function(namespace, target.function):
                raise InvalidSpec(f"targets: there is no function {target.function} in the namespace {namespace}")
        made = await self._entry(spec)
        if made.trouble:
            raise InvalidSpec(f"auth: {made.trouble}")
        now_ms = self._clock.unix_ms()
        created_ms = before.created_unix_ms if before is not None else now_ms
        route = Route(spec=spec, created_unix_ms=created_ms, updated_unix_ms=now_ms)
        await self._store.put(route)
        self._known[key] = route
        self._announce(key, made)
        return self._status(key), "updated" if before is not None else "created"

    async def _follow(self, key: tuple[NamespaceName, str], read: Callable[[], Awaitable[Route | None]]) -> None:
        before = self._known.get(key)
        try:
            route = await read()
            if route is None:
                self._forget(key)
                return
            if before is not None and before.spec == route.spec:
                return
            route.spec.check()
            self._namespaces.check_open(key[0])
            # Who wrote it is not known here: a host that is none of the namespace's yet takes a grant.
            self._check_place(route.spec, key, before is not None and before.spec.host == route.spec.host)
            made = await self._entry(route.spec)
        except StoreUnavailable:
            raise
        except DayflyError:
            self._forget(key)
            raise
        self._known[key] = route
        self._announce(key, made)

    def _check_place(self, spec: RouteSpec, key: tuple[NamespaceName, str], everywhere: bool) -> None:
        others = [route.spec for other, route in self._known.items() if other != key]
        count = sum(other.namespace == spec.namespace for other in others)
        if count >= MAX_NAMESPACE_ROUTES:
            raise LimitExceeded(f"the namespace {spec.namespace} has {count} routes, and may have no more")
        stands = standing(spec, others, self._grants, everywhere=everywhere)
        host = spec.host or "*"
        how = f"`dayfly route grant {shlex.quote(host)} --namespace {spec.namespace}` allows it"
        if stands == "taken":
            raise Conflict(f"the host {host} is another namespace's", hint=how)
        if stands == "not granted":
            raise Forbidden(
                f"the namespace {spec.namespace} was not granted the host {host}",
                hint=f"whoever administers the installation can: {how}",
            )
        other = collision(spec, others)
        if other is not None:
            whose = f"the route {other.name}" if other.namespace == spec.namespace else "another namespace's route"
            raise Conflict(f"{whose} has the place {host}{spec.path} already")

    async def _remove(self, namespace: NamespaceName, name: str) -> None:
        await self._store.delete(namespace, name)
        self._forget((namespace, name))

    def _forget(self, key: tuple[NamespaceName, str]) -> None:
        if self._known.pop(key, None) is not None:
            self._entries.pop(key, None)
            self._table.unrouted(*key)

    async def _regrant(self, change: Awaitable[None]) -> None:
        await change
        self._grants = await self._store.grants()

    async def _renew(self, namespace: NamespaceName, secret: str) -> None:
        for key, route in list(self._known.items()):
            if _needs(route, namespace, secret):
                self._announce(key, await self._entry(route.spec))

    async def _names(self, namespace: NamespaceName) -> list[str]:
        return [key[1] for key in sorted(self._known) if key[0] == namespace]

    async def _entry(self, spec: RouteSpec) -> RouteEntry:
        if not spec.secrets:
            return entry(spec, None)
        try:
            found = await self._secrets.contents(NamespaceName(spec.namespace), spec.secrets)
        except (SecretsLocked, StoreUnavailable) as error:
            return entry(spec, None, _why(error))
        missing = [name for name in spec.secrets if name not in found]
        if missing:
            return entry(spec, None, f"there is no secret {missing[0]} in the namespace {spec.namespace}")
        return entry(spec, found[spec.secrets[0]].data)

    def _is_function(self, namespace: NamespaceName, name: str) -> bool:
        machine = self._machines.get(FunctionKey(namespace, FunctionName(name)))
        return machine is not None and not machine.removed

    def _announce(self, key: tuple[NamespaceName, str], made: RouteEntry) -> None:
        self._entries[key] = made
        self._table.routed(made)

    def _status(self, key: tuple[NamespaceName, str]) -> RouteStatus:
        route = self._known[key]
        gone = [target.function for target in route.spec.targets if not self._is_function(key[0], target.function)]
        trouble = self._entries[key].trouble or (f"there is no function {gone[0]}" if gone else "")
        return RouteStatus(**msgspec.structs.asdict(route), trouble=trouble)


def _needs(route: Route, namespace: NamespaceName, secret: str) -> bool:
    return route.key[0] == namespace and secret in route.spec.secrets


def _why(error: DayflyError) -> str:
    return "what its callers are checked with cannot be read at the moment: " + error.message
