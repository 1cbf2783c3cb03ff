"""Saved queries in a cluster: on shelves of Dayfly's own namespace, one for each namespace that has some."""

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.query import SavedQuery
from dayfly.storage.kubernetes.shelf import Shelf
from dayfly.storage.queries import QueryStore, missing

_NAME = "queries"
_BOARDS = 8


class KubernetesQueries(QueryStore):
    """What is on the shelves; `home` is Dayfly's own namespace."""

    def __init__(self, connection: Connection, home: str) -> None:
        self._api = connection
        self._home = home

    async def queries(self) -> list[SavedQuery]:
        """Return every saved query, ordered by namespace and name."""
        found = [_query(text, name) for name, text in await Shelf(self._api, self._home, _NAME).every()]
        return sorted(found, key=lambda each: (each.namespace, each.name))

    async def put_query(self, query: SavedQuery) -> None:
        """Create or replace the query."""
        await self._shelf(query.namespace).put({query.name: msgspec.json.encode(query).decode()})

    async def delete_query(self, namespace: str, name: str) -> None:
        """Remove the query. Raises NotFound."""
        shelf = self._shelf(namespace)
        if await shelf.get(name) is None:
            raise NotFound(missing(namespace, name))
        await shelf.put({name: None})

    def _shelf(self, namespace: str) -> Shelf:
        return Shelf(self._api, self._home, _NAME, boards=_BOARDS, part=namespace)


def _query(text: str, name: str) -> SavedQuery:
    try:
        return msgspec.json.decode(text, type=SavedQuery)
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(
            f"the saved query {name} in the cluster cannot be read: {error}",
            hint="something else than Dayfly wrote its ConfigMap; correct or delete it",
        ) from error
