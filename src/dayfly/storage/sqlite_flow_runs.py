"""Runs of flows in a SQLite file of their own, whose every commit is flushed.

Specs, inputs and entries are kept as JSON so that a person can read them with `sqlite3`. They may hold a tenant's
secrets: what is deleted is overwritten, and the file is its owner's alone.
"""

import os
import sqlite3
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.flow_run import Entry, Finished, FlowRun, Logged
from dayfly.model.names import NamespaceName
from dayfly.storage.flow_runs import Outrun, RunKey, RunLog, RunQuery
from dayfly.storage.memory_flow_runs import finished, missing, reused
from dayfly.storage.sqlite import read_json
from dayfly.storage.writer import Writer

Result = TypeVar("Result")
LAYOUT = 1
_ENTRY: Any = Entry
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY,
    namespace TEXT NOT NULL,
    flow TEXT NOT NULL,
    state TEXT NOT NULL,
    started_unix_ms INTEGER NOT NULL,
    finished_unix_ms INTEGER NOT NULL,
    key TEXT,
    digest TEXT,
    length INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    run TEXT NOT NULL,
    finish TEXT
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS runs_by_key ON runs (namespace, flow, key) WHERE key IS NOT NULL;
CREATE INDEX IF NOT EXISTS runs_by_time ON runs (namespace, started_unix_ms);
CREATE INDEX IF NOT EXISTS runs_under_way ON runs (started_unix_ms) WHERE state = 'running';
CREATE TABLE IF NOT EXISTS entries (
    run TEXT NOT NULL,
    number INTEGER NOT NULL,
    unix_ms INTEGER NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (run, number)
) STRICT;
"""
_COLUMNS = "SELECT run, finished_unix_ms, finish FROM runs "


class SqliteRuns(RunLog):
    """The runs in the file at `path`; its folder is made when missing. One process at a time may have it open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Writer | None = None

    async def open(self) -> None:
        """Open. Raises StoreUnavailable, also for a layout newer than ours."""
        if self._writer is None:
            writer = Writer(self._path, self._connect)
            await writer.open()
            self._writer = writer

    async def close(self) -> None:
        """Finish pending writes and close. Idempotent."""
        if self._writer is not None:
            await self._writer.close()

    async def begin(self, run: FlowRun, log: Sequence[Logged] = (), key: RunKey | None = None) -> FlowRun:
        """Keep a new run, or return the one of the key. Raises KeyReused."""
        rows = [(run.id, logged.number, logged.unix_ms, _text(logged.entry)) for logged in log]
        size = sum(len(text.encode()) for *_, text in rows)
        given = (key.key, key.digest) if key is not None else (None, None)
        row = (run.id, run.namespace, run.flow, run.state, run.started_unix_ms, 0, *given, len(rows), size, _text(run))

        def write(db: sqlite3.Connection) -> FlowRun:
            sql = "SELECT digest, run, finished_unix_ms, finish FROM runs WHERE namespace = ? AND flow = ? AND key = ?"
            known = db.execute(sql, (run.namespace, run.flow, given[0])).fetchone()
            if known is not None and known[0] != given[1]:
                raise reused()
            if known is not None:
                return _run(*known[1:])
            db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", row)
            db.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", rows)
            return run

        return await self._do(write)

    async def append(self, run: str, after: int, unix_ms: int, entries: Sequence[Entry]) -> int:
        """Add entries, and return the size of the log. Raises Outrun."""
        rows = [(run, after + at, unix_ms, _text(entry)) for at, entry in enumerate(entries, 1)]
        size = sum(len(row[3].encode()) for row in rows)
        end = next((entry for entry in entries if isinstance(entry, Finished)), None)

        def write(db: sqlite3.Connection) -> int:
            grown = db.execute(
                "UPDATE runs SET length = length + ?, bytes = bytes + ? WHERE id = ? AND length = ?"
                " AND state = 'running' RETURNING bytes",
                (len(rows), size, run, after),
            ).fetchone()
            if grown is None:
                raise Outrun
            db.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", rows)
            if end is not None:
                sql = "UPDATE runs SET state = ?, finished_unix_ms = ?, finish = ? WHERE id = ?"
                db.execute(sql, (end.state, unix_ms, _text(end), run))
            return int(grown[0])

        return await self._do(write)

    async def log(self, run: str) -> list[Logged]:
        """Return the run's log."""
        sql = "SELECT number, unix_ms, entry FROM entries WHERE run = ? ORDER BY number"
        rows = await self._do(lambda db: db.execute(sql, (run,)).fetchall())
        return [Logged(number, at, read_json(text, _ENTRY, f"an entry of the run {run}")) for number, at, text in rows]

    async def size(self, run: str) -> int:
        """Return the size of the log."""
        row = await self._do(lambda db: db.execute("SELECT bytes FROM runs WHERE id = ?", (run,)).fetchone())
        return int(row[0]) if row is not None else 0

    async def get(self, run: str) -> FlowRun:
        """Return the run. Raises NotFound."""
        found = await self._found("WHERE id = ?", run)
        if not found:
            raise NotFound(missing(run))
        return found[0]

    async def listed(self, query: RunQuery) -> list[FlowRun]:
        """Return the runs wanted, the newest first."""
        where = (
            "WHERE namespace = ?1 AND ?2 IN ('', flow) AND ?3 IN ('', state)"
            " ORDER BY started_unix_ms DESC, rowid DESC LIMIT ?4"
        )
        return await self._found(where, query.namespace, query.flow, query.state or "", query.limit)

    async def under_way(self) -> list[FlowRun]:
        """Return every run that is not over, the oldest first."""
        return await self._found("WHERE state = 'running' ORDER BY started_unix_ms, rowid")

    async def remove(self, runs: Collection[str]) -> None:
        """Forget these runs."""
        ids = [(run,) for run in runs]

        def write(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM entries WHERE run = ?", ids)
            db.executemany("DELETE FROM runs WHERE id = ?", ids)

        await self._do(write)

    async def forget(self, namespace: NamespaceName) -> None:
        """Forget all runs of the namespace."""
        rows = await self._do(lambda db: db.execute("SELECT id FROM runs WHERE namespace = ?", (namespace,)).fetchall())
        await self.remove([run for (run,) in rows])

    async def trim(self, finished_before_unix_ms: int, most: int) -> int:
        """Forget what is old, and what is too much of one namespace."""
        sql = (
            "SELECT id FROM (SELECT id, finished_unix_ms, row_number() OVER"
            " (PARTITION BY namespace ORDER BY finished_unix_ms DESC) AS place FROM runs WHERE state != 'running')"
            " WHERE finished_unix_ms < ? OR place > ?"
        )
        rows = await self._do(lambda db: db.execute(sql, (finished_before_unix_ms, most)).fetchall())
        await self.remove([run for (run,) in rows])
        return len(rows)

    async def _found(self, where: str, *values: Any) -> list[FlowRun]:
        rows = await self._do(lambda db: db.execute(_COLUMNS + where, values).fetchall())
        return [_run(*row) for row in rows]

    async def _do(self, operation: Callable[[sqlite3.Connection], Result]) -> Result:
        if self._writer is None:
            raise StoreUnavailable(f"{self._path}: the runs of flows are not open")
        return await self._writer.run(operation)

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite would make the file readable by all; the files beside it take their mode from this one.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=1.0)
        layout = connection.execute("PRAGMA user_version").fetchone()[0]
        if layout > LAYOUT:
            connection.close()
            raise StoreUnavailable(
                f"the runs in {self._path} were written by a newer Dayfly (layout {layout}, this one knows {LAYOUT})",
                hint="start that version, or move the file away: the runs in it are then not continued",
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.executescript(f"{_SCHEMA} PRAGMA user_version = {LAYOUT};")
        return connection


def _run(text: str, finished_unix_ms: int, finish: str | None) -> FlowRun:
    run = read_json(text, FlowRun, "a run of a flow")
    if finish is None:
        return run
    return finished(run, read_json(finish, Finished, f"the end of the run {run.id}"), finished_unix_ms)


def _text(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
