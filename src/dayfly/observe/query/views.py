"""A connection that holds what one credential may see, and cannot be made to hold more.

Each file is attached for reading. Of each table a view with a secret name takes the rows of the credential's namespace,
and a view with the published name makes the published columns of those. The inner one of a namespace ends with
`LIMIT -1`, which keeps SQLite from evaluating anything of the query before a row has passed it: an error that a
condition raises, or the time it takes, would else tell of other tenants' rows.
"""

import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dayfly.observe.query.catalogue import TABLES, Published, Stored
from dayfly.observe.query.functions import add_functions
from dayfly.observe.query.guard import VIRTUAL, Guard
from dayfly.observe.query.order import Order

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 50_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 60,
    sqlite3.SQLITE_LIMIT_ATTACHED: 10,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 1,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}


def connect(order: Order) -> tuple[sqlite3.Connection, Guard]:
    """Return a connection for the order's query and what guards it. Raises sqlite3.Error."""
    db = sqlite3.connect(":memory:", isolation_level=None, uri=True)
    db.text_factory = lambda data: data.decode("utf-8", "replace")
    for pragma in (
        "temp_store = MEMORY", f"hard_heap_limit = {order.bounds.heap_bytes}", "trusted_schema = OFF",
        "cell_size_check = ON", "cache_size = -8000",
    ):  # fmt: skip
        db.execute(f"PRAGMA {pragma}")
    tables = [each for each in TABLES if each.name in order.tables]
    secret = f"_{os.urandom(16).hex()}"
    schemas = _attach(db, order.files, {each.stored.file for each in tables if each.stored is not None}, secret)
    inner: list[str] = []
    stored: list[tuple[str, str]] = []
    for table in tables:
        schema = schemas.get(table.stored.file) if table.stored is not None else None
        if table.stored is None or schema is None or not _has(db, schema, table.stored.tables):
            _fill(db, table, order.inventory.get(table.name, []))
            continue
        view = f"{secret}_{table.name}"
        _publish(db, table, table.stored, schema, view, order.namespace)
        inner.append(view)
        stored += [(schema, name) for name in table.stored.tables]
    for schema in schemas.values():
        take_names(db, schema)
    add_functions(db, order.prices)
    for table_function in VIRTUAL:
        db.execute(f"SELECT 1 FROM {table_function}('[]')").fetchall()  # noqa: S608 - made now: nothing is made later
    db.execute("PRAGMA query_only = ON")
    for what, limit in _LIMITS.items():
        db.setlimit(what, limit)
    guard = Guard(order.tables, inner, stored)
    db.set_authorizer(guard)
    return db, guard


def take_names(db: sqlite3.Connection, schema: str) -> None:
    """Have an empty table of the session go by each name of the schema: a name alone means that one."""
    names = db.execute(f"SELECT name FROM {schema}.sqlite_master WHERE type IN ('table', 'view')").fetchall()  # noqa: S608 - our own name
    for (name,) in names:
        if not name.startswith("sqlite_"):  # those are named by no query: see guard.py
            db.execute(f"CREATE TEMP TABLE IF NOT EXISTS {_quoted(name)} (hidden)")


def _attach(
    db: sqlite3.Connection, files: Mapping[str, str], wanted: Iterable[str], secret: str
) -> dict[str, str]:  # fmt: skip
    schemas = {}
    for number, file in enumerate(sorted(wanted)):
        path = Path(files.get(file, ""))
        if path.is_file():
            schemas[file] = f"{secret}_{number}"
            db.execute(f"ATTACH ? AS {schemas[file]}", (f"{path.absolute().as_uri()}?mode=ro",))
    return schemas


def _has(db: sqlite3.Connection, schema: str, tables: Iterable[str]) -> bool:
    there = {name for (name,) in db.execute(f"SELECT name FROM {schema}.sqlite_master")}  # noqa: S608 - our own name
    return there.issuperset(tables)


def _publish(
    db: sqlite3.Connection, table: Published, stored: Stored, schema: str, view: str, namespace: str | None
) -> None:
    columns = ", ".join(name if " " in name else _quoted(name) for name in stored.columns)
    source = stored.source.format(*(f"{schema}.{_quoted(name)}" for name in stored.tables))
    scope = f" WHERE {stored.namespace} = {_text(namespace)} LIMIT -1" if namespace is not None else ""
    db.execute(f"CREATE TEMP VIEW {view} AS SELECT {columns} FROM {source}{scope}")  # noqa: S608 - our own names
    made = ", ".join(f"{each.sql or _quoted(each.name)} AS {_quoted(each.name)}" for each in table.columns)
    db.execute(f"CREATE TEMP VIEW {_quoted(table.name)} AS SELECT {made} FROM temp.{view}")  # noqa: S608 - as above


def _fill(db: sqlite3.Connection, table: Published, rows: list[list[Any]]) -> None:
    columns = ", ".join(f"{_quoted(each.name)} {each.kind}" for each in table.columns)
    db.execute(f"CREATE TEMP TABLE {_quoted(table.name)} ({columns})")
    marks = ", ".join("?" * len(table.columns))
    db.execute("BEGIN")
    db.executemany(f"INSERT INTO temp.{_quoted(table.name)} VALUES ({marks})", rows)  # noqa: S608 - as above
    db.execute("COMMIT")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
