"""Desired state in one SQLite file, for one machine.

Specs are kept as JSON so that a person can read them with `sqlite3`.
"""

import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.function import Candidate, Function, FunctionSpec, Revision
from dayfly.model.names import BundleDigest, FunctionKey, FunctionName, NamespaceName
from dayfly.model.rollout import Canary, Outcome
from dayfly.storage.database import Database
from dayfly.storage.port import KEPT_REVISIONS, StateStore

Result = TypeVar("Result")
_SELECT = """
    SELECT f.namespace, f.name, f.created_unix_ms, f.replicas, f.canary, f.outcome,
        f.revision, r.created_unix_ms, r.spec, f.candidate, c.created_unix_ms, c.spec
    FROM functions f JOIN revisions r ON (r.namespace, r.name, r.number) = (f.namespace, f.name, f.revision)
    LEFT JOIN revisions c ON (c.namespace, c.name, c.number) = (f.namespace, f.name, f.candidate)
"""


class SqliteStore(StateStore):
    """The state in the file at `path`; its folder is made when missing. One process at a time may have it open."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        """The file, for other stores over it."""
        self._run = self.database.run

    async def open(self) -> None:
        """Open, and bring an older layout up to date. Raises StoreUnavailable, also for a layout newer than ours."""
        await self.database.open()

    async def close(self) -> None:
        """Finish pending writes and close. Idempotent."""
        await self.database.close()

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
        key, serving, newest = function.key, function.revision, function.newest
        canary = function.candidate.canary if function.candidate is not None else None
        candidate = newest.number if function.candidate is not None else None
        rows = [
            (key.namespace, key.name, each.number, each.created_unix_ms, msgspec.json.encode(each.spec).decode())
            for each in (serving, newest)
        ]

        def write(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT OR IGNORE INTO revisions (namespace, name, number, created_unix_ms, spec, served)"
                " VALUES (?, ?, ?, ?, ?, 0)",
                rows,
            )
            db.execute(
                "UPDATE revisions SET served = 1 WHERE namespace = ? AND name = ? AND number = ? AND served = 0",
                (key.namespace, key.name, serving.number),
            )
            db.execute(
                "INSERT OR REPLACE INTO functions"
                " (namespace, name, revision, created_unix_ms, replicas, candidate, canary, outcome)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key.namespace,
                    key.name,
                    serving.number,
                    function.created_unix_ms,
                    function.replicas,
                    candidate,
                    _text(canary),
                    _text(function.outcome),
                ),
            )
            db.execute(
                "DELETE FROM revisions WHERE namespace = ?1 AND name = ?2 AND number NOT IN (?3, ?4) AND number NOT IN"
                " (SELECT number FROM revisions WHERE namespace = ?1 AND name = ?2 ORDER BY number DESC LIMIT ?5)",
                (key.namespace, key.name, serving.number, newest.number, KEPT_REVISIONS),
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
            return [_revision(key, *row) for row in rows]

        return await self._run(read)

    async def served(self, key: FunctionKey) -> set[int]:
        """Return the numbers of the revisions kept that were ever the one that serves. Raises NotFound."""

        def read(db: sqlite3.Connection) -> set[int]:
            rows = db.execute(
                "SELECT number, served FROM revisions WHERE namespace = ? AND name = ?", (key.namespace, key.name)
            ).fetchall()
            if not rows:
                raise _missing(key)
            return {number for number, has_served in rows if has_served}

        return await self._run(read)

    async def bundles(self) -> set[BundleDigest]:
        """Return the bundles of all revisions kept. Raises StoreUnavailable, also when one cannot be read."""
        sql = "SELECT DISTINCT json_extract(spec, '$.bundle') FROM revisions"
        rows = await self._run(lambda db: db.execute(sql).fetchall())
        return {BundleDigest(bundle) for (bundle,) in rows if bundle}

    async def pin(self, key: FunctionKey, number: int, image: str) -> None:
        """Keep what the revision's image was found to be, until the revision goes."""
        where = (image, key.namespace, key.name, number)
        statement = "UPDATE revisions SET image = ? WHERE namespace = ? AND name = ? AND number = ?"
        await self._run(lambda db: db.execute(statement, where).rowcount)

    async def pinned(self, key: FunctionKey, number: int) -> str:
        """Return what was last kept; empty when nothing was."""
        where = (key.namespace, key.name, number)
        statement = "SELECT image FROM revisions WHERE namespace = ? AND name = ? AND number = ?"
        row = await self._run(lambda db: db.execute(statement, where).fetchone())
        return row[0] if row is not None else ""

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


def _functions(db: sqlite3.Connection, condition: str, *arguments: str) -> list[Function]:
    return [_function(row) for row in db.execute(_SELECT + condition, arguments)]


def _function(row: tuple[Any, ...]) -> Function:
    namespace, name, created, replicas, canary, outcome, *revisions = row
    key = FunctionKey(NamespaceName(namespace), FunctionName(name))
    serving, candidate = _revision(key, *revisions[:3]), None
    if revisions[3] is not None:
        trial = None if canary is None else read_json(canary, Canary, f"the canary of the function {key}")
        candidate = Candidate(revision=_revision(key, *revisions[3:]), canary=trial)
    return Function(
        key=key,
        revision=serving,
        candidate=candidate,
        outcome=None if outcome is None else read_json(outcome, Outcome, f"the last rollout of the function {key}"),
        created_unix_ms=created,
        replicas=replicas,
    )


def _revision(key: FunctionKey, number: int, created_unix_ms: int, spec: str) -> Revision:
    what = f"revision {number} of the function {key}"
    return Revision(number=number, spec=read_json(spec, FunctionSpec, what), created_unix_ms=created_unix_ms)


def _text(value: msgspec.Struct | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def read_json(text: str, kind: type[Result], what: str) -> Result:
    """Return a text of the database as a `kind`; `what` names it. Raises StoreUnavailable."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        # Setting it aside would free its name and its revision numbers for others, and hide that something is lost.
        raise StoreUnavailable(
            f"{what} in the state database cannot be read: {error}",
            hint="restore a copy of the data folder, or remove its rows from state.db with sqlite3",
        ) from error


def _missing(key: FunctionKey) -> NotFound:
    return NotFound(f"there is no function {key.name} in the namespace {key.namespace}")
