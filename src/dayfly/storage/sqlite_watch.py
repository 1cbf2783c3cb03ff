"""What watches, in the state's SQLite file, through the one thread that writes it."""

import sqlite3
from collections.abc import Mapping

from dayfly.storage.database import Database
from dayfly.storage.watch import WatchKey, WatchKind, WatchStore


class SqliteWatch(WatchStore):
    """What a table beside the functions' holds; open while the database is."""

    def __init__(self, database: Database) -> None:
        self._run = database.run

    async def kept(self, kind: WatchKind) -> dict[WatchKey, str]:
        """Return every text of a kind, ordered by namespace and name."""
        sql = "SELECT namespace, name, text FROM watch WHERE kind = ? ORDER BY namespace, name"
        return await self._run(lambda db: {row[:2]: row[2] for row in db.execute(sql, (kind,))})

    async def keep(self, kind: WatchKind, texts: Mapping[WatchKey, str | None]) -> None:
        """Keep these texts beside the others, and take away those that are None."""
        kept = [(kind, *key, text) for key, text in texts.items() if text is not None]
        gone = [(kind, *key) for key, text in texts.items() if text is None]

        def write(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO watch VALUES (?, ?, ?, ?)", kept)
            db.executemany("DELETE FROM watch WHERE kind = ? AND namespace = ? AND name = ?", gone)

        await self._run(write)
