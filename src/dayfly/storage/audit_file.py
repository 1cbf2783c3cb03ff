"""The file of the audit log: what each operation on it does, for the one thread that has it open.

| table | holds |
|---|---|
| `entries` | the chain; a number is never given twice, which SQLite remembers after the last was taken out |
| `begun` | what was asked for and is not over: it is on the disk before anything is changed |
| `anchor` | where the chain begins, since what was too old went |
"""

import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

from dayfly.decide.audit_chain import chained, verdict
from dayfly.model.audit import (
    GENESIS,
    PLATFORM,
    AuditDraft,
    AuditEntry,
    AuditHead,
    AuditLimits,
    AuditQuery,
    AuditVerdict,
    Change,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, namespace TEXT NOT NULL, who TEXT NOT NULL,
  action TEXT NOT NULL, entry TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS entries_by_namespace ON entries (namespace, sequence);
CREATE TABLE IF NOT EXISTS begun (id INTEGER PRIMARY KEY, draft TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS anchor (one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL,
  hash TEXT NOT NULL) STRICT;
"""
_INTO = "INTO entries (sequence, at, namespace, who, action, entry) VALUES (?, ?, ?, ?, ?, ?)"
_EXCESS = """
SELECT max(sequence) FROM (
  SELECT sequence, sum(length(CAST(entry AS BLOB))) OVER (ORDER BY sequence DESC) AS size FROM entries
) WHERE size > ?
"""


def begin(connection: sqlite3.Connection, draft: AuditDraft) -> int:
    """Note what is asked for; return by what it is known."""
    number = connection.execute("INSERT INTO begun (draft) VALUES (?)", (_text(draft),)).lastrowid
    assert number is not None
    return number


def end(connection: sqlite3.Connection, number: int | None, draft: AuditDraft) -> AuditEntry:
    """Put into the chain what became of it; None as the number for what was not begun."""
    if number is not None:
        connection.execute("DELETE FROM begun WHERE id = ?", (number,))
    return _append(connection, draft)


def take_up(connection: sqlite3.Connection) -> int:
    """Put into the chain what an earlier life of the platform began and did not end; return how many that are."""
    rows = connection.execute("SELECT id, draft FROM begun ORDER BY id").fetchall()
    for number, text in rows:
        end(connection, number, msgspec.json.decode(text, type=AuditDraft))
    return len(rows)


def trim(connection: sqlite3.Connection, limits: AuditLimits, now_ms: int) -> int:
    """Let go what is too old or too much, oldest first; the chain is anchored behind it, and told of it.

    Return how many entries went.
    """
    gone, before = too_old(connection, limits, now_ms), anchor(connection)
    if gone is None:
        return 0
    let_go(connection, gone)
    _append(connection, trimmed(before, gone, now_ms))
    return gone.sequence - before.sequence


def too_old(connection: sqlite3.Connection, limits: AuditLimits, now_ms: int, most_bytes: int = 0) -> AuditHead | None:
    """Return the last entry of those that are too old or too much, of which there may be none; 0 bytes is no limit."""
    newest = connection.execute("SELECT max(sequence) FROM entries").fetchone()[0] or 0
    young = connection.execute(
        "SELECT min(sequence) FROM entries WHERE at >= ?", (now_ms - round(limits.keep_s * 1000),)
    ).fetchone()[0]
    excess = connection.execute(_EXCESS, (most_bytes,)).fetchone()[0] if most_bytes else None
    last = connection.execute(
        "SELECT sequence, entry FROM entries WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1",
        (max(newest - limits.entries, (young or newest + 1) - 1, excess or 0),),
    ).fetchone()
    return AuditHead(int(last[0]), _entry(last[1]).hash) if last is not None else None


def let_go(connection: sqlite3.Connection, gone: AuditHead) -> None:
    """Have the chain begin behind an entry."""
    connection.execute("DELETE FROM entries WHERE sequence <= ?", (gone.sequence,))
    connection.execute("REPLACE INTO anchor (one, sequence, hash) VALUES (1, ?, ?)", (gone.sequence, gone.hash))


def trimmed(before: AuditHead, gone: AuditHead, now_ms: int) -> AuditDraft:
    """Return what is told of entries that went."""
    told = (Change(path="anchor", before=msgspec.to_builtins(before), after=msgspec.to_builtins(gone)),)
    return AuditDraft(at=now_ms, who=PLATFORM, action="audit.trim", status=200, changes=told)


def copy(connection: sqlite3.Connection, entries: Iterable[AuditEntry]) -> None:
    """Have entries of a chain that is kept elsewhere, each once."""
    connection.executemany(f"INSERT OR IGNORE {_INTO}", map(_row, entries))


def clear(connection: sqlite3.Connection, start: AuditHead) -> None:
    """Have nothing but where the chain begins."""
    connection.execute("DELETE FROM entries")
    connection.execute("DELETE FROM begun")
    connection.execute("REPLACE INTO anchor (one, sequence, hash) VALUES (1, ?, ?)", (start.sequence, start.hash))


def after(connection: sqlite3.Connection, head: AuditHead) -> list[AuditEntry] | None:
    """Return the entries behind that one; None where the chain of this file has another in its place, or none."""
    if head.sequence:
        row = connection.execute("SELECT entry FROM entries WHERE sequence = ?", (head.sequence,)).fetchone()
        if row is None or _entry(row[0]).hash != head.hash:
            return None
    sql = "SELECT entry FROM entries WHERE sequence > ? ORDER BY sequence"
    return [_entry(row[0]) for row in connection.execute(sql, (head.sequence,))]


def find(connection: sqlite3.Connection, query: AuditQuery) -> list[AuditEntry]:
    """Return the entries wanted, the newest first."""
    where: list[tuple[str, tuple[object, ...]]] = [("at >= ?", (query.since,)), ("at < ?", (query.until,))]
    if query.namespace is not None:
        where.append(("namespace = ?", (query.namespace,)))
    if query.who:
        where.append(("who = ?", (query.who,)))
    if query.action:
        where.append(("(action = ? OR substr(action, 1, ?) = ?)",
                      (query.action, len(query.action) + 1, f"{query.action}.")))  # fmt: skip
    if query.before:
        where.append(("sequence < ?", (query.before,)))
    if query.after:
        where.append(("sequence > ?", (query.after,)))
    condition = " AND ".join(text for text, _ in where)
    sql = f"SELECT entry FROM entries WHERE {condition} ORDER BY sequence DESC LIMIT ?"  # noqa: S608 - constants of this module
    values = tuple(value for _, values in where for value in values)
    return [_entry(row[0]) for row in connection.execute(sql, (*values, query.limit))]


def verify(connection: sqlite3.Connection, noted: AuditHead | None) -> AuditVerdict:
    """Check the whole chain, as it is at this moment."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
    return verdict(anchor(connection), _all(connection), last=int(row[0]) if row else 0, noted=noted)


def anchor(connection: sqlite3.Connection) -> AuditHead:
    """Return where the chain begins."""
    row = connection.execute("SELECT sequence, hash FROM anchor").fetchone()
    return AuditHead(*row) if row else AuditHead(0, GENESIS)


def _append(connection: sqlite3.Connection, draft: AuditDraft) -> AuditEntry:
    row = connection.execute("SELECT entry FROM entries ORDER BY sequence DESC LIMIT 1").fetchone()
    last = _entry(row[0]) if row else None
    entry = chained(draft, AuditHead(last.sequence, last.hash) if last is not None else anchor(connection))
    connection.execute(f"INSERT {_INTO}", _row(entry))
    return entry


def _row(entry: AuditEntry) -> tuple[int, int, str, str, str, str]:
    return entry.sequence, entry.at, entry.namespace, entry.who, entry.action, _text(entry)


def _all(connection: sqlite3.Connection) -> Iterator[AuditEntry]:
    for sequence, text in connection.execute("SELECT sequence, entry FROM entries ORDER BY sequence"):
        try:
            entry = _entry(text)
        except msgspec.MsgspecError:
            entry = AuditEntry(at=0, who="", action="", sequence=sequence, hash="")
        # The number that SQLite has is the row's place; one that differs inside was written by somebody else.
        yield entry if entry.sequence == sequence else msgspec.structs.replace(entry, sequence=sequence, hash="")


def _entry(text: str) -> AuditEntry:
    return msgspec.json.decode(text, type=AuditEntry)


def _text(told: AuditDraft) -> str:
    return msgspec.json.encode(told).decode()
