"""Triggers in the state's SQLite file, through the one thread that writes it."""

import sqlite3

import msgspec

from dayfly.model.errors import NotFound
from dayfly.model.names import NamespaceName
from dayfly.model.trigger import Trigger, TriggerSpec
from dayfly.storage.database import Database
from dayfly.storage.sqlite import read_json
from dayfly.storage.triggers import TriggerStore


class SqliteTriggers(TriggerStore):
    """What the tables beside the functions' hold; open while the database is."""

    def __init__(self, database: Database) -> None:
        self._run = database.run

    async def triggers(self) -> list[Trigger]:
        """Return every trigger, ordered by namespace and name."""
        sql = "SELECT namespace, name, created_unix_ms, updated_unix_ms, spec FROM triggers ORDER BY namespace, name"
        return await self._run(lambda db: [_trigger(*row) for row in db.execute(sql)])

    async def put_trigger(self, trigger: Trigger) -> None:
        """Create or replace the trigger."""
        spec = msgspec.json.encode(trigger.spec).decode()
        row = (*trigger.key, trigger.created_unix_ms, trigger.updated_unix_ms, spec)
        await self._run(lambda db: db.execute("INSERT OR REPLACE INTO triggers VALUES (?, ?, ?, ?, ?)", row).rowcount)

    async def delete_trigger(self, namespace: NamespaceName, name: str) -> None:
        """Remove the trigger. Raises NotFound."""

        def write(db: sqlite3.Connection) -> None:
            if db.execute("DELETE FROM triggers WHERE namespace = ? AND name = ?", (namespace, name)).rowcount == 0:
                raise NotFound(f"there is no trigger {name} in the namespace {namespace}")

        await self._run(write)

    async def followed(self) -> int:
        """Return the position that was kept last."""
        sql = "SELECT coalesce(max(position), 0) FROM followed"
        return await self._run(lambda db: int(db.execute(sql).fetchone()[0]))

    async def follow(self, position: int) -> None:
        """Keep the position."""

        def write(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM followed")
            db.execute("INSERT INTO followed VALUES (?)", (position,))

        await self._run(write)


def _trigger(namespace: str, name: str, created: int, updated: int, spec: str) -> Trigger:
    read = read_json(spec, TriggerSpec, f"the trigger {name} of the namespace {namespace}")
    return Trigger(spec=read, created_unix_ms=created, updated_unix_ms=updated)
