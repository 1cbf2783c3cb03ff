"""The file behind the log store: one SQLite table, written by one thread, read by others, kept within bounds.

Logs are a record, not state: `synchronous=OFF` may lose the last seconds when the machine loses power, and a damaged
file is set aside for a new one rather than keeping the platform from starting. What is kept is bounded for each
function, so that a talkative one cannot push out the rest, and in sum.
"""

import contextlib
import logging
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from dayfly.model.errors import StoreUnavailable
from dayfly.model.log import LogLine
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName, ReplicaId
from dayfly.storage.medium import database_failed, disk_failed

Row = tuple[int, LogLine]
"""A line and its number; numbers grow in the order of arrival."""
_log = logging.getLogger("dayfly.observe")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS lines (
  number INTEGER PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, unix_ns INTEGER NOT NULL,
  replica TEXT NOT NULL, stream TEXT NOT NULL, call_id TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS lines_by_function ON lines (namespace, name, number);
"""
_COLUMNS = "number, namespace, name, unix_ns, replica, stream, call_id, text"
_MATCH = "namespace = ? AND name = ? AND unix_ns >= ? AND (? = '' OR replica = ?)"


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept; beyond it the oldest lines go first."""

    lines_per_function: int = 20_000
    """A function's newest lines; up to a tenth more are kept between two clean-ups."""
    total_characters: int = 256 * 1024 * 1024
    """The text of all functions in sum; a clean-up goes down to nine tenths of it."""


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are wanted."""

    key: FunctionKey
    since_unix_ns: int = 0
    tail: int = -1
    """At most so many of the newest; a negative number means all."""
    replica: str = ""

    def wants(self, line: LogLine) -> bool:
        """Whether a new line of the function belongs to the answer."""
        return line.unix_ns >= self.since_unix_ns and self.replica in ("", line.replica)

    def match(self) -> tuple[str, str, int, str, str]:
        """The values that `_MATCH` asks for."""
        since = max(-(2**63), min(self.since_unix_ns, 2**63 - 1))
        return self.key.namespace, self.key.name, since, self.replica, self.replica


class LogFile:
    """The table. `open`, `append` and `close` belong to one thread at a time; reading is open to any."""

    def __init__(self, path: Path, retention: Retention) -> None:
        self._path = path
        self._retention = retention
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._reading = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._characters = 0

    def open(self) -> int:
        """Open the file and return the newest line's number. Raises StoreUnavailable."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                return self._connect()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                _log.error("log file damaged, beginning a new one path=%s reason=%s", self._path, error)
                self.close()
                self._path.replace(self._path.with_suffix(".damaged"))
                for suffix in ("-wal", "-shm"):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
                return self._connect()
        except sqlite3.Error as error:
            self.close()
            raise database_failed(f"the log file {self._path} cannot be opened", self._path, error) from error
        except OSError as error:
            self.close()
            raise disk_failed(f"the log file {self._path} cannot be opened", error) from error

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._reading:
            for connection in (self._writer, self._reader):
                if connection is not None:
                    connection.close()
            self._writer = self._reader = None

    def append(self, rows: list[Row]) -> StoreUnavailable | None:
        """Write the lines and remove what is too old; returns why they could not be written, None when they were."""
        try:
            self._insert(rows)
        except sqlite3.Error as error:
            # A full or broken disk must not end the writer: it goes on and tries again with the next lines.
            return database_failed(f"the log file {self._path} cannot be written", self._path, error)
        for _, line in rows:
            self._counts[line.key.namespace, line.key.name] += 1
            self._characters += len(line.text)
        try:
            self._trim()
        except sqlite3.Error as error:
            _log.warning("old log lines stay for now path=%s reason=%s", self._path, error)
        return None

    def _insert(self, rows: list[Row]) -> None:
        assert self._writer is not None
        with self._writer:
            self._writer.executemany(
                f"INSERT INTO lines ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  constants only
                [_to_values(row) for row in rows],
            )

    def start_of(self, query: LogQuery, upto: int) -> int:
        """Return the number before the first line wanted, so that `tail` newest ones up to `upto` follow it."""
        if query.tail < 0:
            return 0
        sql = f"SELECT number FROM lines WHERE {_MATCH} AND number <= ? ORDER BY number DESC LIMIT 1 OFFSET ?"  # noqa: S608 - constants of this module
        found = self._read(sql, (*query.match(), upto, min(query.tail, 2**62)))
        return found[0][0] if found else 0

    def page(self, query: LogQuery, after: int, upto: int, limit: int) -> list[Row]:
        """Return up to `limit` of the lines wanted whose numbers are above `after` and not above `upto`."""
        sql = f"SELECT {_COLUMNS} FROM lines WHERE {_MATCH} AND number > ? AND number <= ? ORDER BY number LIMIT ?"  # noqa: S608 - as above
        return [_to_row(values) for values in self._read(sql, (*query.match(), after, upto, limit))]

    def _read(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._reading:
            if self._reader is None:
                raise StoreUnavailable("the log store is closed")
            try:
                return self._reader.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise database_failed(f"the log file {self._path} cannot be read", self._path, error) from error

    def _connect(self) -> int:
        with contextlib.suppress(FileExistsError):
            self._path.touch(mode=0o600, exist_ok=False)
        self._writer = sqlite3.connect(self._path, check_same_thread=False)
        self._reader = sqlite3.connect(self._path, check_same_thread=False)
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("PRAGMA synchronous = OFF")
        self._writer.executescript(_SCHEMA)
        newest, characters = self._writer.execute("SELECT max(number), sum(length(text)) FROM lines").fetchone()
        self._characters = characters or 0
        counted = self._writer.execute("SELECT namespace, name, count(*) FROM lines GROUP BY namespace, name")
        self._counts = Counter({(namespace, name): count for namespace, name, count in counted})
        return newest or 0

    def _trim(self) -> None:
        limit = self._retention.lines_per_function
        for (namespace, name), count in self._counts.items():
            if count > limit + limit // 10:
                self._forget(
                    "namespace = ? AND name = ? AND number <= (SELECT number FROM lines WHERE namespace = ?"
                    " AND name = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
                    (namespace, name, namespace, name, limit),
                )
        if self._characters > self._retention.total_characters:
            excess = self._characters - self._retention.total_characters * 9 // 10
            self._forget(
                "number <= (SELECT number FROM (SELECT number, sum(length(text)) OVER (ORDER BY number) AS so_far"
                " FROM lines) WHERE so_far >= ? LIMIT 1)",
                (excess,),
            )

    def _forget(self, where: str, values: tuple[object, ...]) -> None:
        assert self._writer is not None
        sql = f"DELETE FROM lines WHERE {where} RETURNING namespace, name, length(text)"  # noqa: S608  constants only
        with self._writer:
            gone = self._writer.execute(sql, values).fetchall()
        for namespace, name, characters in gone:
            self._counts[namespace, name] -= 1
            self._characters -= characters


def _to_values(row: Row) -> tuple[object, ...]:
    number, line = row
    key = line.key
    return number, key.namespace, key.name, line.unix_ns, line.replica, line.stream, line.call_id, line.text


def _to_row(values: tuple[Any, ...]) -> Row:
    number, namespace, name, unix_ns, replica, stream, call_id, text = values
    return number, LogLine(
        unix_ns=unix_ns,
        key=FunctionKey(NamespaceName(namespace), FunctionName(name)),
        replica=ReplicaId(replica),
        stream=stream,
        call_id=call_id,
        text=text,
    )
