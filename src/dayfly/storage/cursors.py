"""What sources of events have seen, in a SQLite file of its own.

It grows with others' buckets and folders and can be lost without harm to any function, so it is kept apart from the
state. Each name has a row with an empty thing once something was noted, so that a bucket that is empty can be told from
one that nobody has looked at.
"""

import os
import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path

from dayfly.storage.writer import Writer

_TABLE = (
    "CREATE TABLE IF NOT EXISTS seen (name TEXT NOT NULL, thing TEXT NOT NULL, mark TEXT NOT NULL,"
    " PRIMARY KEY (name, thing)) WITHOUT ROWID"
)
_BEGUN = ""


class SqliteCursors:
    """The cursors in the file at `path`; its folder is made when missing, and it is opened when it is first needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: Writer | None = None

    def of(self, name: str) -> "SqliteCursor":
        """Return what goes by this name."""
        return SqliteCursor(self, name)

    async def open(self) -> None:
        """Nothing is to be done before it is needed."""

    async def forget_others(self, names: Collection[str]) -> None:
        """Forget whatever does not go by one of these names. Raises StoreUnavailable."""
        if self._writer is None and not self.path.exists():
            return

        def forget(db: sqlite3.Connection) -> None:
            known = {name for (name,) in db.execute("SELECT DISTINCT name FROM seen")}
            db.executemany("DELETE FROM seen WHERE name = ?", [(name,) for name in known.difference(names)])

        await (await self.writer()).run(forget)

    async def writer(self) -> Writer:
        """Return what runs statements on the file. Raises StoreUnavailable."""
        if self._writer is None:
            writer = Writer(self.path, self._connect)
            self._writer = writer
            try:
                await writer.open()
            except BaseException:
                self._writer = None
                raise
        return self._writer

    async def close(self) -> None:
        """Finish what is being written, and close. Idempotent."""
        if self._writer is not None:
            await self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=1.0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute(_TABLE)
        return connection


class SqliteCursor:
    """What one source has seen."""

    def __init__(self, cursors: SqliteCursors, name: str) -> None:
        self._cursors = cursors
        self._name = name

    async def seen(self) -> dict[str, str] | None:
        """Return the marks by name; None where nothing was ever noted. Raises StoreUnavailable."""

        def read(db: sqlite3.Connection) -> dict[str, str]:
            return dict(db.execute("SELECT thing, mark FROM seen WHERE name = ?", (self._name,)))

        marks = await (await self._cursors.writer()).run(read)
        return marks if marks.pop(_BEGUN, None) is not None else None

    async def note(self, marks: Mapping[str, str | None]) -> None:
        """Have these marks, and forget what has None; once it returns they are on the disk. Raises StoreUnavailable."""
        kept = [(self._name, thing, mark) for thing, mark in marks.items() if mark is not None]
        gone = [(self._name, thing) for thing, mark in marks.items() if mark is None]

        def write(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", [*kept, (self._name, _BEGUN, "")])
            db.executemany("DELETE FROM seen WHERE name = ? AND thing = ?", gone)

        await (await self._cursors.writer()).run(write)
