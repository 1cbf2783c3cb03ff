"""The log of alerts: which fired and until when, kept when they have long been forgotten elsewhere.

It is a record and no state: it is written when an alert begins to fire or is resolved, and a crash may lose the last.
What is told of an alert is what it was when it began to fire.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable

import msgspec

from dayfly.model.alert import Alert
from dayfly.model.errors import StoreUnavailable
from dayfly.model.past_alert import PastAlert, PastAlertQuery
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
_ADDED = {"labels": "TEXT NOT NULL DEFAULT '{}'", "value": "REAL NOT NULL DEFAULT 0"}
"""Columns that a file of before may lack."""
_NOTE = """
INSERT INTO alerts (id, fired, resolved, namespace, rule, severity, text, labels, value)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, fired) DO UPDATE SET resolved = excluded.resolved
"""
_FIND = """
SELECT rowid, id, rule, namespace, severity, CASE resolved WHEN 0 THEN 'firing' ELSE 'resolved' END, labels, value,
  text, fired, resolved
FROM alerts
WHERE (?1 IS NULL OR namespace = ?1) AND (?2 = '' OR rule = ?2 OR json_extract(labels, '$.alertname') = ?2)
  AND fired < ?4 AND (resolved = 0 OR resolved >= ?3) AND (?5 = 0 OR rowid < ?5)
ORDER BY rowid DESC LIMIT ?6
"""


class AlertFile(SideFile):
    """The table."""

    what = "log of alerts"
    schema = _SCHEMA

    def opened(self, writer: sqlite3.Connection) -> int:
        """Add the columns that are not there yet; nothing is to be counted."""
        known = {name for _, name, *_ in writer.execute("PRAGMA table_info(alerts)")}
        for name, kind in _ADDED.items():
            if name not in known:
                writer.execute(f"ALTER TABLE alerts ADD COLUMN {name} {kind}")
        return 0

    def note(self, alerts: Iterable[Alert], now_ms: int) -> StoreUnavailable | None:
        """Write that alerts fire, or until when they did; return why that could not be, None when it could."""

        def write(writer: sqlite3.Connection) -> None:
            writer.executemany(_NOTE, map(_row, alerts))
            writer.execute("DELETE FROM alerts WHERE fired < ?", (now_ms - KEPT_MS,))
            oldest = "SELECT rowid FROM alerts ORDER BY fired DESC LIMIT -1 OFFSET ?"
            writer.execute(f"DELETE FROM alerts WHERE rowid IN ({oldest})", (MAX_ROWS,))  # noqa: S608 - it is a constant

        return self._write(write)

    def settle(self, alerts: Iterable[Alert], now_ms: int) -> StoreUnavailable | None:
        """Note all alerts that there are; what fires in the file and is none of them has ended, nobody knows when."""
        there = list(alerts)
        firing = msgspec.json.encode([[each.id, each.fired_unix_ms] for each in there if each.state == "firing"])

        def write(writer: sqlite3.Connection) -> None:
            writer.executemany(_NOTE, map(_row, there))
            writer.execute(
                "UPDATE alerts SET resolved = ?1 WHERE resolved = 0 AND NOT EXISTS (SELECT 1 FROM json_each(?2)"
                " WHERE json_extract(value, '$[0]') = alerts.id AND json_extract(value, '$[1]') = alerts.fired)",
                (now_ms, firing.decode()),
            )

        return self._write(write)

    def forget(self, namespace: str) -> StoreUnavailable | None:
        """Remove a namespace's alerts; return why that could not be, None when it could."""
        return self._write(lambda writer: writer.execute("DELETE FROM alerts WHERE namespace = ?", (namespace,)))

    def find(self, query: PastAlertQuery) -> list[PastAlert]:
        """Return the alerts wanted, the newest first. Raises StoreUnavailable."""
        values = (
            query.namespace, query.rule, query.since_unix_ms, query.until_unix_ms, query.before, query.limit,
        )  # fmt: skip
        return [_alert(row) for row in self.read(_FIND, values)]

    def _write(self, write: Callable[[sqlite3.Connection], object]) -> StoreUnavailable | None:
        try:
            assert self._writer is not None
            with self._writer:
                write(self._writer)
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

    async def note(self, alerts: list[Alert], now_ms: int, *, all_there_are: bool = False) -> None:
        """Keep when alerts began to fire and ended; what cannot be written is told in the log, and lost.

        With `all_there_are`, others have ended that are not known to have.
        """
        async with self._turn:
            write = self._file.settle if all_there_are else self._file.note
            failure = await asyncio.to_thread(write, alerts, now_ms)
        if failure is not None:
            _log.warning("alerts are missing from the log of alerts: %s", failure)

    async def find(self, query: PastAlertQuery) -> list[PastAlert]:
        """Return the alerts wanted, the newest first. Raises StoreUnavailable."""
        return await asyncio.to_thread(self._file.find, query)

    async def forget(self, namespace: str) -> None:
        """Remove a namespace's. Raises StoreUnavailable."""
        async with self._turn:
            failure = await asyncio.to_thread(self._file.forget, namespace)
        if failure is not None:
            raise failure


def _row(alert: Alert) -> tuple[object, ...]:
    return (
        alert.id, alert.fired_unix_ms, alert.resolved_unix_ms, alert.namespace, alert.rule, alert.severity, alert.text,
        msgspec.json.encode(alert.labels).decode(), alert.value,
    )  # fmt: skip


def _alert(row: tuple[object, ...]) -> PastAlert:
    fields = dict(zip(PastAlert.__struct_fields__, row, strict=True))
    return msgspec.convert(fields | {"labels": msgspec.json.decode(str(fields["labels"]))}, PastAlert)
