"""The file behind the log store: a SQLite table and an index of its words, written by one thread, read by others.

What is kept is bounded by age, for each function, so that a talkative one cannot push out the rest, and in sum; there
the namespace that has most gives way, so that a tenant with many functions pushes out only its own.
"""

import logging
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from dayfly.model.errors import StoreUnavailable
from dayfly.model.log import LogLine, Retention
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName, ReplicaId
from dayfly.observe.log_index import PIECE, SCHEMA, LogIndex
from dayfly.observe.side_file import SideFile
from dayfly.storage.medium import sqlite_code

Row = tuple[int, LogLine]
"""A line and its number; numbers grow in the order of arrival."""
_log = logging.getLogger("dayfly.observe")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS lines (
  number INTEGER PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, unix_ns INTEGER NOT NULL,
  replica TEXT NOT NULL, stream TEXT NOT NULL, call_id TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS lines_by_function ON lines (namespace, name, number);
CREATE INDEX IF NOT EXISTS lines_by_call ON lines (call_id, number) WHERE call_id <> '';
"""
_OLD = 2_000
"""Lines that are looked at for their age at once."""
_COLUMNS = "number, namespace, name, unix_ns, replica, stream, call_id, text"
_MATCH = "namespace = ? AND name = ? AND unix_ns >= ? AND (? = '' OR replica = ?)"
_OF_CALL = f"call_id = ? AND call_id <> '' AND {_MATCH}"


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are wanted."""

    key: FunctionKey
    since_unix_ns: int = 0
    tail: int = -1
    """At most so many of the newest; a negative number means all."""
    replica: str = ""
    call_id: str = ""
    """Only what was printed while this call was worked on."""

    def wants(self, line: LogLine) -> bool:
        """Whether a new line of the function belongs to the answer."""
        is_of_call = self.call_id in ("", line.call_id)
        return is_of_call and line.unix_ns >= self.since_unix_ns and self.replica in ("", line.replica)

    def match(self) -> tuple[str, tuple[object, ...]]:
        """The condition and its values."""
        since = max(-(2**63), min(self.since_unix_ns, 2**63 - 1))
        values = (self.key.namespace, self.key.name, since, self.replica, self.replica)
        return (_OF_CALL, (self.call_id, *values)) if self.call_id else (_MATCH, values)


class LogFile(SideFile):
    """The table. `append` and `forget` are for the thread that writes."""

    what = "log file"
    schema = _SCHEMA + SCHEMA

    def __init__(self, path: Path, retention: Retention) -> None:
        super().__init__(path)
        self._retention = retention
        self._counts: Counter[tuple[str, str]] = Counter()
        self._characters: Counter[str] = Counter()
        self._index = LogIndex()
        self._newest = 0

    def append(self, rows: list[Row]) -> StoreUnavailable | None:
        """Write the lines and remove what is too old; returns why they could not be written, None when they were."""
        try:
            self._insert(rows)
        except sqlite3.Error as error:
            # A full or broken disk must not end the writer: it goes on and tries again with the next lines.
            return self.unwritten(error)
        for _, line in rows:
            self._counts[line.key.namespace, line.key.name] += 1
            self._characters[line.key.namespace] += len(line.text)
        self._newest = max(self._newest, rows[-1][0])
        try:
            self._trim()
        except sqlite3.Error as error:
            self._mend_index(error)
            _log.warning("old log lines stay for now path=%s reason=%s", self._path, error)
        return None

    def expire(self, now_unix_ns: int) -> bool:
        """Remove a piece of what is too old; return whether there may be more."""
        oldest_ns = now_unix_ns - round(self._retention.keep_s * 1e9)
        try:
            return self._forget(
                "number IN (SELECT number FROM lines ORDER BY number LIMIT ?) AND unix_ns < ?", (_OLD, oldest_ns)
            ) == _OLD  # fmt: skip
        except sqlite3.Error as error:
            self._mend_index(error)
            _log.warning("old log lines stay for now path=%s reason=%s", self._path, error)
            return False

    @property
    def is_behind(self) -> bool:
        """Whether the index has something to do: a piece of lines to take in, or to put itself together."""
        return self._newest - self._index.upto >= PIECE or self._index.is_untidy

    def index(self) -> StoreUnavailable | None:
        """Take the next piece into the index, or put a part of it together; return why it could not be."""
        assert self._writer is not None
        try:
            if not self._index.add(self._writer):
                self._index.upto = max(self._index.upto, self._newest)  # what is missing has been removed
            self._index.tidy(self._writer, self._counts.total())
        except sqlite3.Error as error:
            return self._mend_index(error)
        return None

    def index_anew(self, why: str) -> StoreUnavailable | None:
        """Drop the index, for `index` to make a new one; return why it could not be."""
        assert self._writer is not None
        try:
            self._index.begin_anew(self._writer, why)
        except sqlite3.Error as error:
            return self.unwritten(error)
        return None

    @property
    def indexed(self) -> int:
        """The number up to which words are found."""
        return self._index.upto

    def forget(self, namespace: NamespaceName) -> StoreUnavailable | None:
        """Remove the namespace's lines; returns why they could not be removed, None when they were."""
        try:
            self._forget("namespace = ?", (namespace,))
        except sqlite3.Error as error:
            return self._mend_index(error)
        return None

    def _mend_index(self, error: sqlite3.Error) -> StoreUnavailable:
        """Make a damaged index anew, for the next time; return what to say of what was not done now."""
        if sqlite_code(error) == sqlite3.SQLITE_CORRUPT:
            return self.index_anew(str(error)) or self.unwritten(error)
        return self.unwritten(error)

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
        match, values = query.match()
        sql = f"SELECT number FROM lines WHERE {match} AND number <= ? ORDER BY number DESC LIMIT 1 OFFSET ?"  # noqa: S608 - constants of this module
        found = self.read(sql, (*values, upto, min(query.tail, 2**62)))
        return found[0][0] if found else 0

    def page(self, query: LogQuery, after: int, upto: int, limit: int) -> list[Row]:
        """Return up to `limit` of the lines wanted whose numbers are above `after` and not above `upto`."""
        match, values = query.match()
        sql = f"SELECT {_COLUMNS} FROM lines WHERE {match} AND number > ? AND number <= ? ORDER BY number LIMIT ?"  # noqa: S608 - as above
        return [_to_row(row) for row in self.read(sql, (*values, after, upto, limit))]

    def opened(self, writer: sqlite3.Connection) -> int:
        """Count what there is, for the bounds; see how far the index is."""
        self._index.opened(writer)
        newest: int | None = writer.execute("SELECT max(number) FROM lines").fetchone()[0]
        self._counts, self._characters = Counter(), Counter()
        counted = "SELECT namespace, name, count(*), sum(length(text)) FROM lines GROUP BY namespace, name"
        for namespace, name, count, characters in writer.execute(counted):
            self._counts[namespace, name] = count
            self._characters[namespace] += characters
        self._newest = newest or 0
        return self._newest

    def _trim(self) -> None:
        limit = self._retention.lines_per_function
        for (namespace, name), count in self._counts.items():
            if count > limit + limit // 10:
                self._forget(
                    "namespace = ? AND name = ? AND number <= (SELECT number FROM lines WHERE namespace = ?"
                    " AND name = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
                    (namespace, name, namespace, name, limit),
                )
        if self._characters.total() > self._retention.total_characters:
            most = share(self._characters.values(), self._retention.total_characters * 9 // 10)
            for namespace, characters in list(self._characters.items()):
                if characters > most:
                    self._forget(
                        "namespace = ?1 AND number <= (SELECT number FROM (SELECT number, sum(length(text)) OVER"
                        " (ORDER BY number) AS so_far FROM lines WHERE namespace = ?1) WHERE so_far >= ?2 LIMIT 1)",
                        (namespace, characters - most),
                    )

    def _forget(self, where: str, values: tuple[object, ...]) -> int:
        assert self._writer is not None
        sql = f"DELETE FROM lines WHERE {where} RETURNING namespace, name, length(text)"  # noqa: S608  constants only
        with self._writer:
            self._index.forget(self._writer, where, values)
            gone = self._writer.execute(sql, values).fetchall()
        for namespace, name, characters in gone:
            self._counts[namespace, name] -= 1
            self._characters[namespace] -= characters
        return len(gone)


def share(sizes: Iterable[int], goal: int) -> int:
    """Return the most that each may keep so that together they keep no more than `goal`; the small keep all."""
    smallest_first, left = sorted(sizes), goal
    for at, size in enumerate(smallest_first):
        most = left // (len(smallest_first) - at)
        if size > most:
            return most
        left -= size
    return goal


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
