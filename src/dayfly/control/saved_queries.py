"""Saved queries: those that came with Dayfly, and those that somebody keeps, of a namespace or of the installation.

All of them are kept in memory beside the store. A credential has those of its own namespace and the ready-made ones;
one that is good for all namespaces has the installation's. What a query finds depends on who asks it, and never on
whose it is.
"""

from collections.abc import Iterable

from dayfly.control.clock import Clock
from dayfly.control.sequence import Sequence
from dayfly.model.errors import Conflict, LimitExceeded, NotFound
from dayfly.model.names import NamespaceName
from dayfly.model.query import SavedQuery, SavedQuerySpec, parse_query_name
from dayfly.storage.queries import QueryStore, missing

MAX_QUERIES = 200
"""Of one namespace, and of the installation."""
_ALL = "saved queries"


class SavedQueries:
    """The queries there are; `start` it once the store is open."""

    kind = "saved queries"
    """What they are called among the things that lie in namespaces. They go with theirs, and keep none."""

    def __init__(self, store: QueryStore, ready_made: Iterable[SavedQuery], clock: Clock) -> None:
        self._store = store
        self._ready_made = {each.name: each for each in ready_made}
        self._clock = clock
        self._known: dict[tuple[str, str], SavedQuery] = {}
        self._changes = Sequence()

    async def start(self) -> None:
        """Read all of them. Raises StoreUnavailable."""
        self._known = {(each.namespace, each.name): each for each in await self._store.queries()}

    def listed(self, namespace: NamespaceName | None) -> list[SavedQuery]:
        """Return those of the namespace, or of the installation, and the ready-made ones, ordered by name."""
        own = [each for each in self._known.values() if each.namespace == (namespace or "")]
        return sorted([*own, *self._ready_made.values()], key=lambda each: each.name)

    def get(self, namespace: NamespaceName | None, name: str) -> SavedQuery:
        """Return the query. Raises NotFound."""
        found = self._ready_made.get(name) or self._known.get((namespace or "", name))
        if found is None:
            raise NotFound(missing(namespace or "", name), hint="`dayfly query list` lists them")
        return found

    async def put(self, namespace: NamespaceName | None, name: str, spec: SavedQuerySpec) -> SavedQuery:
        """Keep the query under the name.

        Raises InvalidRequest, Conflict for the name of a ready-made one, LimitExceeded, StoreUnavailable.
        """
        parse_query_name(name)
        spec.check()
        self._check_own(name)
        return await self._changes.run(_ALL, self._put(namespace or "", name, spec))

    async def remove(self, namespace: NamespaceName | None, name: str) -> None:
        """Forget the query. Raises NotFound, Conflict for a ready-made one, StoreUnavailable."""
        self._check_own(name)
        await self._changes.run(_ALL, self._remove(namespace or "", name))

    async def inside(self, _namespace: NamespaceName) -> list[str]:
        """Return nothing: a question is no reason to keep what it asks of."""
        return []

    async def clear(self, namespace: NamespaceName) -> None:
        """Forget those of the namespace. Raises StoreUnavailable."""
        for owner, name in [key for key in self._known if key[0] == namespace]:
            await self._changes.run(_ALL, self._remove(owner, name))

    async def drain(self) -> None:
        """Wait until no change is under way."""
        await self._changes.drain()

    async def _put(self, namespace: str, name: str, spec: SavedQuerySpec) -> SavedQuery:
        key, now = (namespace, name), self._clock.unix_ms()
        if key not in self._known and sum(owner == namespace for owner, _ in self._known) >= MAX_QUERIES:
            raise LimitExceeded(f"There are {MAX_QUERIES} saved queries, and there may be no more", hint="Remove some")
        query = SavedQuery(
            name=name,
            namespace=namespace,
            sql=spec.sql,
            note=spec.note,
            created_unix_ms=self._known[key].created_unix_ms if key in self._known else now,
            updated_unix_ms=now,
        )
        await self._store.put_query(query)
        self._known[key] = query
        return query

    async def _remove(self, namespace: str, name: str) -> None:
        if (namespace, name) not in self._known:
            raise NotFound(missing(namespace, name))
        await self._store.delete_query(namespace, name)
        del self._known[namespace, name]

    def _check_own(self, name: str) -> None:
        if name in self._ready_made:
            raise Conflict(f"{name} is a query that came with Dayfly", hint="Take another name")
