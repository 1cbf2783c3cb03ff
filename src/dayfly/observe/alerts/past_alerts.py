"""The log of alerts: which fired and until when, kept for reports when they have long been forgotten elsewhere.

It is a record and no state: it is written when an alert begins to fire or is resolved, and a crash may lose the last.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Iterable

from dayfly.model.alert import Alert
from dayfly.model.errors import StoreUnavailable
from dayfly.model.report import AlertRow
from dayfly.observe.side_file import SideFile

KEPT_MS = 400 * 86_400_000
MAX_ROWS = 100_000
_log = logging.getLogger("dayfly.observe")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
  id TEXT NOT NULL, fired INTEGER NOT NULL, resolved INTEGER NOT NULL, namespace TEXT NOT NULL, rule TEXT NOT NULL,
  severity TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (id, fired)
) STRICT;
CREATE INDEX IF NOT EXISTS alerts_by_time ON alerts (fired);
"""


class AlertFile(SideFile):
    """The table."""

    what = "log of alerts"
    schema = _SCHEMA

    def opened(self, writer: sqlite3.Connection) -> int:
        """Nothing is to be counted."""
        del writer
        return 0

    def note(self, alerts: Iterable[Alert], now_ms: int) -> StoreUnavailable | None:
        """Write the alerts as they are now; return why that could not be, None when it could."""
        rows = [
            (each.id, each.fired_unix_ms, each.resolved_unix_ms, each.namespace, each.rule, each.severity, each.text)
            for each in alerts
        ]
        try:
            assert self._writer is not None
            with self._writer:
                self._writer.executemany("INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
                self._writer.execute("DELETE FROM alerts WHERE fired < ?", (now_ms - KEPT_MS,))
                self._writer.execute(
                    "DELETE FROM alerts WHERE rowid IN"
                    " (SELECT rowid FROM alerts ORDER BY fired DESC LIMIT -1 OFFSET ?)",
                    (MAX_ROWS,),
                )
        except sqlite3.Error as error:
            return self.unwritten(error)
        return None

    def forget(self, namespace: str) -> StoreUnavailable | None:
        """Remove a namespace's alerts; return why that could not be, None when it could."""
        try:
            assert self._writer is not None
            with self._writer:
                self._writer.execute("DELETE FROM alerts WHERE namespace = ?", (namespace,))
        except sqlite3.Error as error:
            return self.unwritten(error)
        return None


class PastAlerts:
    """The log, for the event loop. `open` it first."""

    def __init__(self, file: AlertFile) -> None:
        self._file = file
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Open the file. Raises StoreUnavailable."""
        await asyncio.to_thread(self._file.open)

    async def close(self) -> None:
        """Close the file. Idempotent."""
        async with self._turn:
            await asyncio.to_thread(self._file.close)

    async def note(self, alerts: list[Alert], now_ms: int) -> None:
        """Keep the alerts as they are now; what cannot be written is told in the log, and lost."""
        async with self._turn:
            failure = await asyncio.to_thread(self._file.note, alerts, now_ms)
        if failure is not None:
            _log.warning("alerts are missing from the log of alerts: %s", failure)

    async def fired(self, namespace: str | None, since_ms: int, until_ms: int, limit: int) -> list[AlertRow]:
        """Return the alerts that fired at any time between the two, the newest first. Raises StoreUnavailable."""
        sql = (
            "SELECT rule, severity, text, fired, resolved FROM alerts"
            " WHERE fired < ? AND (resolved = 0 OR resolved >= ?) AND (? IS NULL OR namespace = ?)"
            " ORDER BY fired DESC, id LIMIT ?"
        )
        values = (until_ms, since_ms, namespace, namespace, limit)
        rows = await asyncio.to_thread(self._file.read, sql, values)
        names = ("rule", "severity", "text", "fired_unix_ms", "resolved_unix_ms")
        return [AlertRow(**dict(zip(names, row, strict=True))) for row in rows]

    async def forget(self, namespace: str) -> None:
        """Remove a namespace's. Raises StoreUnavailable."""
        async with self._turn:
            failure = await asyncio.to_thread(self._file.forget, namespace)
        if failure is not None:
            raise failure
