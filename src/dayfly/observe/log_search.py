"""Searching the table of lines: by words, function, time, level and what else a line has, the newest first.

A search has a connection and a time of its own, so that one that looks at much keeps nobody from reading a log. The
words are looked up in the index; a level is what a line says of itself, found as lines are read, so that a page may end
before it is full: it says where the next goes on.
"""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import msgspec

from dayfly.decide.log_level import level_of
from dayfly.decide.log_search import Term
from dayfly.model.errors import InvalidRequest, StoreUnavailable
from dayfly.model.log import FoundLine, FoundLines, Level
from dayfly.observe.log_index import match
from dayfly.storage.medium import database_failed, sqlite_code

MAX_S = 5.0
_CHUNK = 1_000
_STEPS = 10_000
MAX_LOOKED_AT = 50_000
"""Lines that are read for one page, wanted or not."""
_COLUMNS = "l.number, l.unix_ns, l.namespace, l.name, l.replica, l.stream, l.call_id, l.text"


class LogSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines of a namespace are searched for."""

    namespace: str
    terms: tuple[Term, ...] = ()
    function: str = ""
    replica: str = ""
    stream: str = ""
    call_id: str = ""
    level: Level | None = None
    since_unix_ns: int = 0
    until_unix_ns: int = 0
    """0 for now."""
    before: int = 0
    """Only lines with lower numbers; 0 for all."""
    limit: int = 100


class IndexDamaged(StoreUnavailable):
    """The index of words cannot be read, and is to be made anew."""


_searching = threading.Semaphore(2)


def find(path: Path, search: LogSearch) -> FoundLines:
    """Return a page of what is found. Raises InvalidRequest for what takes too long, StoreUnavailable."""
    until = time.monotonic() + MAX_S
    with _searching:
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as reader:
                reader.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
                return _page(reader, search, until)
        except sqlite3.OperationalError as error:
            if time.monotonic() > until:
                raise InvalidRequest(
                    f"The search takes longer than {MAX_S:g}s", hint="Search for rarer words, a function or a time"
                ) from None
            raise database_failed(f"the log file {path} cannot be searched", path, error) from error
        except sqlite3.Error as error:
            if search.terms and sqlite_code(error) == sqlite3.SQLITE_CORRUPT:
                raise IndexDamaged(f"the index of log lines cannot be read: {error}") from error
            raise database_failed(f"the log file {path} cannot be searched", path, error) from error


def _page(reader: sqlite3.Connection, search: LogSearch, until: float) -> FoundLines:
    found: list[FoundLine] = []
    before, looked_at = search.before or 2**63 - 1, 0
    while True:
        sql, values = _query(search, before)
        rows = reader.execute(sql, values).fetchall()
        for row in rows:
            before = row[0]
            line = _line(row)
            if search.level is None or line.level == search.level:
                found.append(line)
                if len(found) == search.limit:
                    return FoundLines(lines=found, before=before)
        looked_at += len(rows)
        if len(rows) < _CHUNK:
            return FoundLines(lines=found, before=0)
        if looked_at >= MAX_LOOKED_AT or time.monotonic() > until:
            return FoundLines(lines=found, before=before)


def _query(search: LogSearch, before: int) -> tuple[str, tuple[object, ...]]:
    source, number = "lines AS l", "l.number"
    where: list[tuple[str, object]] = []
    if search.terms:
        source, number = "words JOIN lines AS l ON l.number = words.rowid", "words.rowid"
        where.append(("words MATCH ?", match(search.terms, search.namespace, search.function)))
    where += [("l.namespace = ?", search.namespace), (f"{number} < ?", before)]
    for column, value in (
        ("name", search.function), ("replica", search.replica), ("stream", search.stream), ("call_id", search.call_id),
    ):  # fmt: skip
        if value:
            where.append((f"l.{column} = ?", value))
    if search.since_unix_ns:
        where.append(("l.unix_ns >= ?", max(-(2**63), min(search.since_unix_ns, 2**63 - 1))))
    if search.until_unix_ns:
        where.append(("l.unix_ns < ?", max(-(2**63), min(search.until_unix_ns, 2**63 - 1))))
    conditions = " AND ".join(text for text, _ in where)
    sql = f"SELECT {_COLUMNS} FROM {source} WHERE {conditions} ORDER BY {number} DESC LIMIT {_CHUNK}"  # noqa: S608 - constants of this module
    return sql, tuple(value for _, value in where)


def _line(row: tuple[object, ...]) -> FoundLine:
    number, unix_ns, namespace, name, replica, stream, call_id, text = row
    return msgspec.convert(
        {
            "number": number, "unix_ns": unix_ns, "namespace": namespace, "function": name, "replica": replica,
            "stream": stream, "call_id": call_id, "text": text, "level": level_of(str(text)) or "",
        },
        FoundLine,
    )  # fmt: skip
