"""Things in the state's SQLite file, a table for each kind, through the one thread that writes it."""

import sqlite3

import msgspec

from dayfly.model.names import NamespaceName
from dayfly.storage.database import Database
from dayfly.storage.sqlite import read_json
from dayfly.storage.things import T, ThingStore, missing, noun


class SqliteThings(ThingStore[T]):
    """What the table beside the functions' holds, named after the kind; open while the database is."""

    def __init__(self, database: Database, kind: type[T]) -> None:
        self._run = database.run
        self._kind = kind
        self._table = f"{noun(kind)}s"

    async def all(self) -> list[T]:
        """Return every one, ordered by namespace and name."""
        sql = f"SELECT namespace, name, created_unix_ms, updated_unix_ms, spec FROM {self._table} ORDER BY 1, 2"  # noqa: S608 - a name of ours
        return await self._run(lambda db: [self._read(*row) for row in db.execute(sql)])

    async def put(self, thing: T) -> None:
        """Create or replace it."""
        spec = msgspec.json.encode(thing.spec).decode()
        row = (*thing.key, thing.created_unix_ms, thing.updated_unix_ms, spec)
        sql = f"INSERT OR REPLACE INTO {self._table} VALUES (?, ?, ?, ?, ?)"  # noqa: S608 - a name of ours
        await self._run(lambda db: db.execute(sql, row).rowcount)

    async def delete(self, namespace: NamespaceName, name: str) -> None:
        """Remove it. Raises NotFound."""
        sql = f"DELETE FROM {self._table} WHERE namespace = ? AND name = ?"  # noqa: S608 - a name of ours

        def write(db: sqlite3.Connection) -> None:
            if db.execute(sql, (namespace, name)).rowcount == 0:
                raise missing(self._kind, namespace, name)

        await self._run(write)

    def _read(self, namespace: str, name: str, created: int, updated: int, spec: str) -> T:
        text = f'{{"spec":{spec},"created_unix_ms":{created},"updated_unix_ms":{updated}}}'
        return read_json(text, self._kind, f"the {noun(self._kind)} {name} of the namespace {namespace}")
