"""The ledger in a SQLite file of its own, beside the logs: nothing that is wanted depends on it."""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from dayfly.model.allowance import Used
from dayfly.model.errors import StoreUnavailable
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName
from dayfly.storage.ledger import KEPT_DAYS_HOURS, KEPT_HOURS, Growth, Ledger
from dayfly.storage.writer import Writer

Result = TypeVar("Result")
_log = logging.getLogger("dayfly.storage")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS hours (
  namespace TEXT NOT NULL, name TEXT NOT NULL, hour INTEGER NOT NULL,
  calls INTEGER NOT NULL, cpu_seconds REAL NOT NULL, gib_seconds REAL NOT NULL,
  PRIMARY KEY (namespace, name, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hours_in_order ON hours (hour);
CREATE TABLE IF NOT EXISTS marks (namespace TEXT NOT NULL, name TEXT NOT NULL, calls INTEGER NOT NULL,
  PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;
"""
_ADD = """
INSERT INTO hours VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, cpu_seconds = cpu_seconds + excluded.cpu_seconds,
  gib_seconds = gib_seconds + excluded.gib_seconds
"""
_DAYS = """
SELECT namespace, name, hour / 24 * 24, sum(calls), sum(cpu_seconds), sum(gib_seconds) FROM hours
WHERE hour < ? GROUP BY namespace, name, hour / 24
"""


class SqliteLedger(Ledger):
    """The file at `path`; its folder is made when missing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Writer | None = None

    async def open(self) -> None:
        """Open the file; one that is damaged is set aside. Raises StoreUnavailable."""
        writer = Writer(self._path, self._connect)
        await writer.open()
        self._writer = writer

    async def close(self) -> None:
        """Finish pending writes and close. Idempotent."""
        if self._writer is not None:
            await self._writer.close()

    async def add(self, growth: Iterable[Growth], marks: Mapping[str, int]) -> None:
        """Add to what is known."""
        rows = [
            (each.key.namespace, each.key.name, each.hour, used.calls, used.cpu_seconds, used.gib_seconds)
            for each in growth
            for used in (each.used,)
        ]
        counted = [(*_parts(function), calls) for function, calls in marks.items()]

        def write(db: sqlite3.Connection) -> None:
            db.executemany(_ADD, rows)
            db.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", counted)

        await self._run(write)

    async def marks(self) -> dict[str, int]:
        """Return how far calls were counted."""
        rows = await self._run(lambda db: db.execute("SELECT namespace, name, calls FROM marks").fetchall())
        return {f"{name}.{namespace}": calls for namespace, name, calls in rows}

    async def used(
        self, since_hour: int, until_hour: int, namespace: NamespaceName | None = None
    ) -> dict[FunctionKey, Used]:
        """Return what each function used."""
        sql = (
            "SELECT namespace, name, sum(calls), sum(cpu_seconds), sum(gib_seconds) FROM hours"
            " WHERE hour >= ?1 AND hour < ?2 AND (?3 IS NULL OR namespace = ?3) GROUP BY namespace, name"
        )
        rows = await self._run(lambda db: db.execute(sql, (since_hour, until_hour, namespace)).fetchall())
        return {
            FunctionKey(NamespaceName(place), FunctionName(name)): Used(
                calls=calls, cpu_seconds=cpu_seconds, gib_seconds=gib_seconds
            )
            for place, name, calls, cpu_seconds, gib_seconds in rows
        }

    async def forget(self, namespace: NamespaceName) -> None:
        """Let go of the namespace's."""

        def write(db: sqlite3.Connection) -> None:
            for table in ("hours", "marks"):
                db.execute(f"DELETE FROM {table} WHERE namespace = ?", (namespace,))  # noqa: S608 - one of the two

        await self._run(write)

    async def tidy(self, now_hour: int) -> None:
        """Make days of old hours, and let go of what is too old."""
        old = now_hour - KEPT_HOURS

        def write(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM hours WHERE hour < ?", (now_hour - KEPT_DAYS_HOURS,))
            days = db.execute(_DAYS, (old,)).fetchall()
            db.execute("DELETE FROM hours WHERE hour < ?", (old,))
            db.executemany(_ADD, days)

        await self._run(write)

    async def _run(self, operation: Callable[[sqlite3.Connection], Result]) -> Result:
        if self._writer is None:
            raise StoreUnavailable(f"{self._path}: the ledger is not open")
        return await self._writer.run(operation)

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return self._opened()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            _log.error("ledger damaged, beginning a new one path=%s reason=%s", self._path, error)
            self._path.replace(self._path.with_suffix(".damaged"))
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=1.0)
        try:
            self._path.chmod(0o600)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection


def _parts(function: str) -> tuple[str, str]:
    name, _, namespace = function.rpartition(".")
    return namespace, name
