"""The file of the records of calls: a table written in batches by one thread, kept within an age and a size.

In sum the namespace that has most records gives way, so that a tenant that calls much pushes out only its own.
"""

import logging
import sqlite3
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dayfly.model.errors import StoreUnavailable
from dayfly.model.invocation import Invocation, RecordLimits, RecordQuery
from dayfly.model.names import NamespaceName
from dayfly.model.payload import CallPayload
from dayfly.model.report import ErrorRow
from dayfly.model.rollup import Rollup
from dayfly.observe import batches, payload_table, rollups
from dayfly.observe.failures import FailureQuery
from dayfly.observe.log_file import share
from dayfly.observe.rollup_sums import RollupSums
from dayfly.observe.rollups import Life, RollupQuery, Totals
from dayfly.observe.side_file import SideFile

SLOW_MS = 100.0
"""From here on a call has a place in the index of slow ones."""
_PIECE = 5_000
_log = logging.getLogger("dayfly.observe")
_FIELDS = tuple(name for name in Invocation.__struct_fields__ if name != "number")
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL, function TEXT NOT NULL, namespace TEXT NOT NULL,
  revision INTEGER NOT NULL, replica TEXT NOT NULL, caller TEXT NOT NULL, address TEXT NOT NULL,
  "trigger" TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, started_unix_ms INTEGER NOT NULL,
  wait_ms REAL NOT NULL, init_ms REAL NOT NULL, run_ms REAL NOT NULL, cold INTEGER NOT NULL,
  cpu_ms REAL, memory_bytes INTEGER, status INTEGER NOT NULL, request_bytes INTEGER NOT NULL,
  response_bytes INTEGER NOT NULL, error TEXT NOT NULL, trace TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS calls_by_id ON calls (id);
CREATE INDEX IF NOT EXISTS calls_by_namespace ON calls (namespace);
CREATE INDEX IF NOT EXISTS calls_by_function ON calls (namespace, function);
CREATE INDEX IF NOT EXISTS calls_failed ON calls (namespace) WHERE error <> '';
CREATE INDEX IF NOT EXISTS calls_slow ON calls (namespace) WHERE wait_ms + init_ms + run_ms >= 100.0;
"""


class RecordFile(SideFile):
    """The table. `append`, `trim` and `forget` are for the thread that writes."""

    what = "file of calls"
    schema = _SCHEMA + payload_table.SCHEMA + rollups.SCHEMA + batches.SCHEMA

    def __init__(self, path: Path, limits: RecordLimits) -> None:
        super().__init__(path)
        self._limits = limits
        self._counts: Counter[str] = Counter()
        self._rollups = rollups.Rollups()
        self.batches = batches.Batches()

    def append(
        self,
        calls: list[Invocation],
        payloads: Mapping[int, CallPayload] | None = None,
        written: Mapping[batches.Source, int] | None = None,
        now_unix_ms: int = 0,
    ) -> StoreUnavailable | None:
        """Write the calls, with the payloads of some of them, which are known by their place in the list; with them, up
        to where what gateways handed over is `written`: both or neither.

        Return why they could not be written, None when they were.
        """
        marks = ", ".join("?" * len(_FIELDS))
        rows = [tuple(getattr(call, name) for name in _FIELDS) for call in calls]
        try:
            assert self._writer is not None
            with self._writer:
                sql = f"INSERT INTO calls ({_COLUMNS}) VALUES ({marks})"  # noqa: S608 - constants of this module
                begun = 0
                for at, payload in (payloads or {}).items():
                    self._writer.executemany(sql, rows[begun:at])
                    number = self._writer.execute(sql, rows[at]).lastrowid
                    assert number is not None
                    payload_table.write(self._writer, number, calls[at].namespace, payload)
                    begun = at + 1
                self._writer.executemany(sql, rows[begun:])
                self.batches.write(self._writer, written or {}, now_unix_ms // 1000)
        except sqlite3.Error as error:
            # A full or broken disk must not end the writer: it goes on and tries again with the next calls.
            return self.unwritten(error)
        self.batches.written(written or {})
        for call in calls:
            self._counts[call.namespace] += 1
        return None

    def roll_up(self, reports: dict[Life, Totals], now_unix_ms: int) -> StoreUnavailable | None:
        """Add what gateways have counted; return why it could not be written, None when it was."""
        try:
            assert self._writer is not None
            self._rollups.add(self._writer, reports, now_unix_ms // 1000)
        except sqlite3.Error as error:
            return self.unwritten(error)
        return None

    def trim(self, now_unix_ms: int) -> None:
        """Remove what is too old, and what is too much; as much as it takes, a piece at a time."""
        try:
            while self._forget(
                "number IN (SELECT number FROM calls ORDER BY number LIMIT ?) AND started_unix_ms < ?",
                (_PIECE, now_unix_ms - round(self._limits.keep_s * 1000)),
            ):
                pass
            assert self._writer is not None
            payload_table.trim(self._writer, min(self._limits.payloads_bytes, self._limits.size_bytes // 2))
            if self._used_bytes() > self._limits.size_bytes:
                self._make_room()
            self._rollups.trim(self._writer, now_unix_ms // 1000)
            self.batches.trim(self._writer, now_unix_ms // 1000)
        except sqlite3.Error as error:
            _log.warning("old records of calls stay for now path=%s reason=%s", self._path, error)

    def forget(self, namespace: NamespaceName) -> StoreUnavailable | None:
        """Remove the namespace's calls and roll-ups; return why they could not be removed, None when they were."""
        try:
            self._forget("namespace = ?", (namespace,))
            assert self._writer is not None
            self._rollups.forget(self._writer, namespace)
        except sqlite3.Error as error:
            return self.unwritten(error)
        return None

    def find(self, query: RecordQuery) -> list[Invocation]:
        """Return the calls wanted, the newest first. Raises StoreUnavailable."""
        where, values = _condition(query)
        sql = f"SELECT number, {_COLUMNS} FROM calls WHERE {where} ORDER BY number DESC LIMIT ?"  # noqa: S608 - constants of this module
        return [_invocation(row) for row in self.read(sql, (*values, query.limit))]

    def of_id(self, call_id: str, limit: int) -> list[Invocation]:
        """Return the calls with this id, the oldest first: attempts of a queued one, or of whoever took the same id.

        Raises StoreUnavailable.
        """
        sql = f"SELECT number, {_COLUMNS} FROM calls WHERE id = ? ORDER BY number LIMIT ?"  # noqa: S608 - constants of this module
        return [_invocation(row) for row in self.read(sql, (call_id, limit))]

    def payloads(self, namespace: str, call_id: str) -> list[CallPayload]:
        """Return what is kept of the namespace's calls of this id, the oldest first. Raises StoreUnavailable."""
        return payload_table.of_call(self.read, namespace, call_id)

    def rolled_up(self, query: RollupQuery) -> list[Rollup]:
        """Return the roll-ups wanted, the newest first. Raises StoreUnavailable."""
        return [query.read(row) for row in self.read(*query.sql())]

    def summed(self, query: RollupSums) -> list[Rollup]:
        """Return sums of roll-ups. Raises StoreUnavailable."""
        return [query.read(row) for row in self.read(*query.sql())]

    def failures(self, query: FailureQuery) -> list[ErrorRow]:
        """Return how calls failed, what failed most first. Raises StoreUnavailable."""
        return [query.read(row) for row in self.read(*query.sql())]

    def opened(self, writer: sqlite3.Connection) -> int:
        """Count what there is, for the bounds."""
        self._rollups.opened(writer)
        self.batches.opened(writer)
        self._counts = Counter(dict(writer.execute("SELECT namespace, count(*) FROM calls GROUP BY namespace")))
        newest: int | None = writer.execute("SELECT max(number) FROM calls").fetchone()[0]
        return newest or 0

    def _used_bytes(self) -> int:
        assert self._writer is not None
        names = ("page_count", "freelist_count", "page_size")
        pages, free, size = (self._writer.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
        return int((pages - free) * size)

    def _make_room(self) -> None:
        """Remove a tenth of the records, the oldest of the namespaces that have most."""
        most = share(self._counts.values(), self._counts.total() * 9 // 10)
        for namespace, count in list(self._counts.items()):
            for taken in range(0, max(0, count - most), _PIECE):
                piece = min(_PIECE, count - most - taken)
                self._forget(
                    "number IN (SELECT number FROM calls WHERE namespace = ? ORDER BY number LIMIT ?)",
                    (namespace, piece),
                )

    def _forget(self, where: str, values: tuple[object, ...]) -> int:
        assert self._writer is not None
        with self._writer:
            gone = self._writer.execute(f"DELETE FROM calls WHERE {where} RETURNING namespace", values).fetchall()  # noqa: S608 - constants of this module
        for (namespace,) in gone:
            self._counts[namespace] -= 1
        return len(gone)


def _condition(query: RecordQuery) -> tuple[str, tuple[object, ...]]:
    where: list[tuple[str, tuple[object, ...]]] = [("namespace = ?", (query.namespace,))]
    if query.function:
        where.append(("function = ?", (query.function,)))
    if query.failed:
        where.append(("error <> ''", ()))
    if query.slow_ms:
        # The first condition is there for the index, which SQLite takes when it finds its own words.
        where += [("wait_ms + init_ms + run_ms >= 100.0", ())] if query.slow_ms >= SLOW_MS else []
        where.append(("wait_ms + init_ms + run_ms >= ?", (query.slow_ms,)))
    if query.since_unix_ms:
        where.append(("started_unix_ms >= ?", (query.since_unix_ms,)))
    if query.until_unix_ms is not None:
        where.append(("started_unix_ms < ?", (query.until_unix_ms,)))
    if (query.status_from, query.status_to) != (0, 999):
        where.append(("status BETWEEN ? AND ?", (query.status_from, query.status_to)))
    if query.trigger:
        where.append(('("trigger" = ? OR "trigger" LIKE ? ESCAPE \'\\\')', (query.trigger, _prefix(query.trigger))))
    if query.before:
        where.append(("number < ?", (query.before,)))
    if query.after:
        where.append(("number > ?", (query.after,)))
    return " AND ".join(text for text, _ in where), tuple(value for _, values in where for value in values)


def _prefix(trigger: str) -> str:
    """Return the pattern for the triggers of a kind: `route` stands for all routes."""
    for special in "\\%_":
        trigger = trigger.replace(special, "\\" + special)
    return f"{trigger} %"


def _invocation(row: tuple[Any, ...]) -> Invocation:
    given = dict(zip(("number", *_FIELDS), row, strict=True))
    return Invocation(**{**given, "cold": bool(given["cold"])})
