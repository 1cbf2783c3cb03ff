"""Desired state in one SQLite file, for one machine.

WAL with `synchronous=FULL`: a commit is flushed before it is acknowledged (in WAL mode the weaker NORMAL would not do
that). One thread writes, in groups; see `writer`. Specs are kept as JSON so that a person can read them with `sqlite3`.
"""

import os
import sqlite3
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, NamespaceName
from dayfly.storage.migrations import STEPS
from dayfly.storage.port import KEPT_REVISIONS, StateStore
from dayfly.storage.writer import Writer

Result = TypeVar("Result")
_SPEC = msgspec.json.Decoder(FunctionSpec)
_SELECT = """
    SELECT f.namespace, f.name, f.revision, f.created_unix_ms, f.replicas, r.created_unix_ms, r.spec
    FROM functions f JOIN revisions r ON (r.namespace, r.name, r.number) = (f.namespace, f.name, f.revision)
"""


class SqliteStore(StateStore):
    """The state in the file at `path`; its folder is made when missing. One process at a time may have it open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Writer | None = None

    async def open(self) -> None:
        """Open, and bring an older layout up to date. Raises StoreUnavailable, also for a layout newer than ours."""
        if self._writer is None:
            writer = Writer(self._path, self._connect)
            await writer.open()
            self._writer = writer

    async def close(self) -> None:
        """Finish pending writes and close. Idempotent."""
        if self._writer is not None:
            await self._writer.close()

    async def all(self) -> list[Function]:
        """Return every function of every namespace, ordered by key."""
        return await self._run(lambda db: _functions(db, "ORDER BY f.namespace, f.name"))

    async def in_namespace(self, namespace: NamespaceName) -> list[Function]:
        """Return the namespace's functions ordered by name."""
        return await self._run(lambda db: _functions(db, "WHERE f.namespace = ? ORDER BY f.name", namespace))

    async def get(self, key: FunctionKey) -> Function:
        """Return the function. Raises NotFound."""

        def read(db: sqlite3.Connection) -> Function:
            found = _functions(db, "WHERE f.namespace = ? AND f.name = ?", key.namespace, key.name)
            if not found:
                raise _missing(key)
            return found[0]

        return await self._run(read)

    async def put(self, function: Function) -> None:
        """Create or replace the function; its revision joins the history when its number is new."""
        key, revision = function.key, function.revision
        spec = msgspec.json.encode(revision.spec).decode()

        def write(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR IGNORE INTO revisions VALUES (?, ?, ?, ?, ?)",
                (key.namespace, key.name, revision.number, revision.created_unix_ms, spec),
            )
            db.execute(
                "INSERT OR REPLACE INTO functions VALUES (?, ?, ?, ?, ?)",
                (key.namespace, key.name, revision.number, function.created_unix_ms, function.replicas),
            )
            db.execute(
                "DELETE FROM revisions WHERE namespace = ?1 AND name = ?2 AND number <> ?3 AND number NOT IN (SELECT"
                " number FROM revisions WHERE namespace = ?1 AND name = ?2 ORDER BY number DESC LIMIT ?4)",
                (key.namespace, key.name, revision.number, KEPT_REVISIONS),
            )

        await self._run(write)

    async def delete(self, key: FunctionKey) -> None:
        """Remove the function and its history. Raises NotFound."""

        def write(db: sqlite3.Connection) -> None:
            where = (key.namespace, key.name)
            if db.execute("DELETE FROM functions WHERE namespace = ? AND name = ?", where).rowcount == 0:
                raise _missing(key)
            db.execute("DELETE FROM revisions WHERE namespace = ? AND name = ?", where)

        await self._run(write)

    async def revisions(self, key: FunctionKey) -> list[Revision]:
        """Return the function's revisions, newest first. Raises NotFound."""

        def read(db: sqlite3.Connection) -> list[Revision]:
            rows = db.execute(
                "SELECT number, created_unix_ms, spec FROM revisions WHERE namespace = ? AND name = ? ORDER BY 1 DESC",
                (key.namespace, key.name),
            ).fetchall()
            if not rows:
                raise _missing(key)
            return [Revision(number=row[0], created_unix_ms=row[1], spec=_spec(row[2])) for row in rows]

        return await self._run(read)

    async def namespaces(self) -> list[NamespaceName]:
        """Return the default namespace and those that hold a function, ordered."""
        rows = await self._run(lambda db: db.execute("SELECT DISTINCT namespace FROM functions").fetchall())
        return sorted({DEFAULT_NAMESPACE, *(NamespaceName(row[0]) for row in rows)})

    async def totals(self) -> dict[str, int]:
        """Return what was last kept."""
        return dict(await self._run(lambda db: db.execute("SELECT name, calls FROM totals").fetchall()))

    async def save_totals(self, totals: Mapping[str, int], gone: Collection[str] = ()) -> None:
        """Keep these totals beside the others and forget those `gone`."""
        rows, names = list(totals.items()), [(name,) for name in gone]

        def write(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO totals VALUES (?, ?)", rows)
            db.executemany("DELETE FROM totals WHERE name = ?", names)

        await self._run(write)

    async def _run(self, operation: Callable[[sqlite3.Connection], Result]) -> Result:
        if self._writer is None:
            raise StoreUnavailable(f"{self._path}: the state store is not open")
        return await self._writer.run(operation)

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._path.exists() and self._path.stat().st_size:
            self._refuse_newer()
        # SQLite would make the file readable by all; the files beside it take their mode from this one.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._path.chmod(0o600)
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=1.0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        _migrate(connection)
        return connection

    def _refuse_newer(self) -> None:
        # A first start that was killed at the wrong moment has left a journal to be undone, which takes writing.
        mode = "rw" if self._path.with_name(f"{self._path.name}-journal").exists() else "ro"
        connection = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode={mode}", uri=True)
        try:
            version = _version(connection)
        finally:
            connection.close()
        if version > len(STEPS):
            raise StoreUnavailable(
                f"the state in {self._path} was written by a newer Dayfly (layout {version}, this one knows up to"
                f" {len(STEPS)}); start that version, or choose another data folder",
            )


def _migrate(connection: sqlite3.Connection) -> None:
    for number, step in enumerate(STEPS[_version(connection) :], start=_version(connection) + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step}; PRAGMA user_version = {number}; COMMIT;")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _functions(db: sqlite3.Connection, condition: str, *arguments: str) -> list[Function]:
    return [_function(row) for row in db.execute(_SELECT + condition, arguments)]


def _function(row: tuple[str, str, int, int, int | None, int, str]) -> Function:
    namespace, name, number, created, replicas, deployed, spec = row
    return Function(
        key=FunctionKey(NamespaceName(namespace), FunctionName(name)),
        revision=Revision(number=number, spec=_spec(spec), created_unix_ms=deployed),
        created_unix_ms=created,
        replicas=replicas,
    )


def _spec(text: str) -> FunctionSpec:
    try:
        return _SPEC.decode(text)
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(f"a function's spec in the state database cannot be read: {error}") from error


def _missing(key: FunctionKey) -> NotFound:
    return NotFound(f"there is no function {key.name} in the namespace {key.namespace}")
