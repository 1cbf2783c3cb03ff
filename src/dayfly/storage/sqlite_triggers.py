"""Triggers in the state's SQLite file, through the one thread that writes it."""

import sqlite3

from dayfly.model.trigger import Trigger
from dayfly.storage.database import Database
from dayfly.storage.sqlite_things import SqliteThings
from dayfly.storage.triggers import TriggerStore


class SqliteTriggers(SqliteThings[Trigger], TriggerStore):
    """What the tables beside the functions' hold; open while the database is."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, Trigger)

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
