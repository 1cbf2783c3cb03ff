"""Saved queries in memory: the port's executable specification."""

from collections.abc import Callable

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.query import SavedQuery
from dayfly.storage.queries import QueryStore, missing


class MemoryQueries(QueryStore):
    """Everything in a dictionary. `broken` tells, with a text, that every call is to fail, for tests."""

    def __init__(self, broken: Callable[[], str] = str) -> None:
        self._broken = broken
        self._queries: dict[tuple[str, str], SavedQuery] = {}

    async def queries(self) -> list[SavedQuery]:
        """Return every saved query, ordered by namespace and name."""
        self._check()
        return [self._queries[key] for key in sorted(self._queries)]

    async def put_query(self, query: SavedQuery) -> None:
        """Create or replace the query."""
        self._check()
        self._queries[query.namespace, query.name] = query

    async def delete_query(self, namespace: str, name: str) -> None:
        """Remove the query. Raises NotFound."""
        self._check()
        if self._queries.pop((namespace, name), None) is None:
            raise NotFound(missing(namespace, name))

    def _check(self) -> None:
        if text := self._broken():
            raise StoreUnavailable(text)
