"""The port behind saved queries: texts that somebody wants to ask again, of a namespace or of the whole installation.

It keeps the state port's promise: when a write returns it is on the disk, and reads see every write that returned
before.
"""

import abc

from dayfly.model.query import SavedQuery


class QueryStore(abc.ABC):
    """Saved queries; opened and closed with the state store beside it. All methods raise StoreUnavailable."""

    @abc.abstractmethod
    async def queries(self) -> list[SavedQuery]:
        """Return every saved query, ordered by namespace and name; those of the installation come first."""

    @abc.abstractmethod
    async def put_query(self, query: SavedQuery) -> None:
        """Create or replace the query."""

    @abc.abstractmethod
    async def delete_query(self, namespace: str, name: str) -> None:
        """Remove the query. Raises NotFound."""


def missing(namespace: str, name: str) -> str:
    """Return what is said of a query that is not there."""
    return f"there is no saved query {name}" + (f" in the namespace {namespace}" if namespace else "")
