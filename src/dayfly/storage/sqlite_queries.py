"""Saved queries in the state's SQLite file, through the one thread that writes it."""

import sqlite3

from dayfly.model.errors import NotFound
from dayfly.model.query import SavedQuery
from dayfly.storage.database import Database
from dayfly.storage.queries import QueryStore, missing


class SqliteQueries(QueryStore):
    """What the table beside the functions' holds; open while the database is."""

    def __init__(self, database: Database) -> None:
        self._run = database.run

    async def queries(self) -> list[SavedQuery]:
        """Return every saved query, ordered by namespace and name."""
        sql = "SELECT namespace, name, created_unix_ms, updated_unix_ms, sql, note FROM queries ORDER BY 1, 2"
        return await self._run(lambda db: [_query(*row) for row in db.execute(sql)])

    async def put_query(self, query: SavedQuery) -> None:
        """Create or replace the query."""
        row = (query.namespace, query.name, query.created_unix_ms, query.updated_unix_ms, query.sql, query.note)
        await self._run(lambda db: db.execute("INSERT OR REPLACE INTO queries VALUES (?, ?, ?, ?, ?, ?)", row).rowcount)

    async def delete_query(self, namespace: str, name: str) -> None:
        """Remove the query. Raises NotFound."""

        def write(db: sqlite3.Connection) -> None:
            if db.execute("DELETE FROM queries WHERE namespace = ? AND name = ?", (namespace, name)).rowcount == 0:
                raise NotFound(missing(namespace, name))

        await self._run(write)


def _query(namespace: str, name: str, created: int, updated: int, sql: str, note: str) -> SavedQuery:
    return SavedQuery(
        name=name, namespace=namespace, sql=sql, note=note, created_unix_ms=created, updated_unix_ms=updated
    )
