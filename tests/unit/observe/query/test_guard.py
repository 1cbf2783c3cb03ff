"""What no query can do: see another tenant's rows, see what is not published, change, load, or find out by errors."""

# ruff: noqa: S608 - queries are what is tested here

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.observe.query.tables import MARK, MINE, OTHER, ROWS, Tables, order

from dayfly.observe.query import guard as guard_module
from dayfly.observe.query import views
from dayfly.observe.query.catalogue import TABLES, named_in, tables_for
from dayfly.observe.query.guard import Guard

STORED = (
    "points", "series", "calls", "lines", "payloads", "rollups", "counted", "runs", "entries", "sqlite_master",
    "sqlite_sequence",
)  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables(tmp_path_factory.mktemp("files"))


def test_a_tenant_sees_its_own_rows_and_the_installation_sees_all(tables: Tables) -> None:
    for name in ("calls", "logs"):
        assert tables.rows(f"SELECT count(*) FROM {name}") == [[ROWS]]
        assert tables.rows(f"SELECT DISTINCT namespace FROM {name}") == [[MINE]]
        assert tables.rows(f"SELECT count(*) FROM {name}", namespace=None) == [[2 * ROWS]]
    assert tables.rows("SELECT * FROM calls", namespace="nobody") == []
    assert tables.rows("SELECT namespace, flow, seconds, finished FROM flow_runs") == [
        [MINE, "bill", 2.5, "1970-01-01 00:00:03.500"]
    ]
    assert tables.rows("SELECT DISTINCT level FROM logs") == [["error"]]
    figures = "SELECT at, namespace, function, name, labels ->> 'code', value, low, high, step FROM metrics"
    assert tables.rows(f"{figures} WHERE step = '10s'") == [
        ["1970-01-01 00:00:02.000", MINE, "mine", "gateway_function_invocation_total", "200", 1.0, 1.0, 9.0, "10s"]
    ]
    assert tables.rows("SELECT step, count(*) FROM metrics GROUP BY 1 ORDER BY 1", namespace=None) == [
        ["10s", 3], ["15m", 3], ["1d", 3], ["1m", 3],
    ]  # fmt: skip
    assert tables.rows("SELECT namespace, who, role, address, action, target, status FROM audit") == [
        [MINE, "mine", "admin", "::1", "function.put", "mine", 200]
    ]


def test_a_namespace_that_would_be_sql_is_a_name(tables: Tables) -> None:
    assert tables.rows("SELECT * FROM calls", namespace="x' OR '1'='1") == []


def test_everything_published_can_be_read(tables: Tables) -> None:
    for table in TABLES:
        columns = ", ".join(f'"{each.name}"' for each in table.columns)
        assert not tables.outcome(f"SELECT {columns} FROM {table.name}").refusal, table.name
        assert MARK not in tables.text, table.name


ATTACKS = [
    # The files' own tables, by every name.
    *(f"SELECT * FROM {table}" for table in STORED if table not in ("calls", "rollups")),
    *(f"SELECT * FROM {schema}.{table}" for schema in ("main", "temp", "file_0", "_0") for table in STORED),
    *(f"WITH {name} AS (SELECT * FROM {table}) SELECT * FROM {name}"
      for name, table in itertools.product(("logs", "calls", "x"), ("lines", "payloads", "entries"))),
    "WITH logs(a) AS (SELECT text FROM lines) SELECT * FROM logs, logs b",
    "SELECT * FROM (SELECT * FROM lines) AS logs",
    "SELECT (SELECT text FROM lines LIMIT 1)",
    "SELECT text FROM logs UNION ALL SELECT text FROM lines",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM payloads)",
    "SELECT * FROM calls JOIN payloads USING (number)",
    "SELECT data FROM calls, payloads WHERE calls.number = payloads.number",
    "SELECT run FROM flow_runs", "SELECT input FROM flow_runs", "SELECT hidden FROM logs",
    "SELECT entry FROM audit", "SELECT changes FROM audit", "SELECT * FROM points", "SELECT * FROM series",
    "SELECT * FROM begun", "SELECT * FROM anchor", "SELECT labels FROM metrics m JOIN series s",
    # Others' rows, by conditions.
    f"SELECT * FROM calls WHERE namespace = '{OTHER}'", "SELECT * FROM calls WHERE 1 = 1 OR 1 = 1 --",
    "SELECT * FROM calls LEFT JOIN calls b ON 1 = 1", "SELECT * FROM logs NOT INDEXED",
    "SELECT * FROM calls INDEXED BY calls_by_id WHERE id <> ''",
    "SELECT rowid, * FROM logs", "SELECT oid FROM calls", "SELECT * FROM logs ORDER BY number DESC",
    "SELECT first_value(text) OVER (ORDER BY number), text FROM logs",
    "SELECT lag(path, 1) OVER (ORDER BY number) FROM calls", "SELECT group_concat(text) FROM logs",
    "SELECT json_group_array(path) FROM calls", "SELECT max(id), min(id), count(DISTINCT id) FROM calls",
    # What SQLite tells about itself.
    "SELECT * FROM sqlite_schema", "SELECT * FROM sqlite_temp_schema", "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_table_list", "SELECT * FROM pragma_table_info('calls')", "SELECT * FROM pragma_function_list",
    "SELECT * FROM pragma_compile_options", "SELECT * FROM dbstat", "SELECT * FROM sqlite_dbpage",
    "SELECT * FROM sqlite_stmt", "SELECT * FROM bytecode('SELECT 1')", "SELECT * FROM tables_used('SELECT 1')",
    "SELECT * FROM fts5vocab", "SELECT count(*) FROM sqlite_master", "SELECT count(*) FROM sqlite_temp_master",
    "PRAGMA database_list", "PRAGMA table_info(calls)", "PRAGMA query_only = OFF", "PRAGMA writable_schema = ON",
    "PRAGMA hard_heap_limit = 0", "PRAGMA trusted_schema = ON", "PRAGMA temp_store_directory = '/tmp'",
    # Changes, and files.
    "ATTACH '/etc/passwd' AS x", "ATTACH 'file:calls.db?mode=rwc' AS x", "DETACH temp", "VACUUM",
    "VACUUM INTO '/tmp/x'",
    "INSERT INTO calls DEFAULT VALUES", "DELETE FROM logs", "UPDATE logs SET text = ''", "DROP VIEW logs",
    "DROP TABLE lines", "CREATE TABLE x (a)", "CREATE TEMP TABLE x (a)", "CREATE TEMP VIEW x AS SELECT * FROM lines",
    "CREATE VIRTUAL TABLE temp.x USING fts5(a)", "CREATE TEMP TRIGGER x AFTER INSERT ON lines BEGIN SELECT 1; END",
    "CREATE INDEX x ON lines (text)", "ALTER TABLE lines RENAME TO mine", "REINDEX", "ANALYZE", "BEGIN", "COMMIT",
    "SAVEPOINT x", "RELEASE x", "REPLACE INTO logs VALUES (1)", "WITH x AS (SELECT 1) DELETE FROM logs",
    "INSERT INTO logs SELECT * FROM logs RETURNING *", "CREATE TABLE x AS SELECT * FROM lines",
    # Functions that reach further, or make much of nothing.
    "SELECT load_extension('libc.so.6')", "SELECT readfile('/etc/passwd')", "SELECT writefile('/tmp/x', 'x')",
    "SELECT edit('x')", "SELECT fts3_tokenizer('simple')", "SELECT fts5(NULL)", "SELECT sqlite_compileoption_get(1)",
    "SELECT randomblob(1000000000)", "SELECT zeroblob(1000000000)", "SELECT hex(zeroblob(999999))",
    "SELECT sqlite_source_id()", "SELECT sqlite_log(1, 'x')", "SELECT rtreecheck('x')", "SELECT match('a', 'b')",
    "SELECT last_insert_rowid()", "SELECT changes()", "SELECT total_changes()", "SELECT soundex('x')",
    "SELECT snippet(logs) FROM logs", "SELECT eval('SELECT 1')", "SELECT * FROM generate_series(1, 5)",
    "SELECT likely(1)", "SELECT sqlite_offset(text) FROM logs",
    # More than one statement, and none.
    "SELECT 1; SELECT * FROM lines", "SELECT 1; DROP TABLE lines", "", ";", "-- nothing", "SELECT", "EXPLAIN",
    # Names in every spelling.
    'SELECT * FROM "lines"', "SELECT * FROM [lines]", "SELECT * FROM `lines`", "SELECT * FROM LiNeS",
    "SELECT * FROM 'lines'", 'SELECT * FROM "main"."payloads"', "SELECT \"text\" FROM 'payloads'",
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_finds_nothing_of_anothers(tables: Tables, attack: str) -> None:
    found = tables.outcome(attack)
    assert MARK not in tables.text
    assert OTHER not in tables.text.replace(attack, "")
    assert MARK not in found.message
    assert not any(file in found.message for file in (*tables.files.values(), "/files"))
    assert found.refusal in ("", "invalid", "limit"), found


def test_what_is_not_published_is_refused_and_not_merely_empty(tables: Tables) -> None:
    for table in ("lines", "payloads", "entries", "runs", "sqlite_master"):
        found = tables.outcome(f"SELECT * FROM {table}")
        assert (found.refusal, table in found.message) == ("invalid", True), found
    assert tables.rows("SELECT count(*) FROM payloads") == [[0]], "counted is the table that took the name"
    assert tables.outcome("SELECT count(*) FROM sqlite_master").refusal == "invalid"


def test_without_the_names_being_taken_a_query_would_reach_everything(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard under test is needed: this is what it keeps from happening."""
    monkeypatch.setattr(views, "take_names", lambda _db, _schema: None)
    monkeypatch.setattr(Guard, "_read", lambda *_: sqlite3.SQLITE_OK)
    tables.outcome("WITH logs AS (SELECT * FROM lines) SELECT * FROM logs")
    assert MARK in tables.text


GUESS = f"{MARK}-0"
ORACLES = [
    f"SELECT 1 FROM (SELECT '{GUESS}' AS x) JOIN calls ON id = x AND CASE WHEN id LIKE 'SECRET%' THEN json(id) END",
    "SELECT count(*) FROM logs WHERE CASE WHEN text LIKE 'SECRET%' THEN json(text) ELSE 1 END",
    "SELECT count(*) FROM logs WHERE number = 1 AND CASE WHEN text LIKE 'SECRET%' THEN json(text) ELSE 1 END",
    "SELECT id FROM calls WHERE CASE WHEN id LIKE 'SECRET%' THEN json(id) ELSE 1 END ORDER BY id",
    "SELECT a.number FROM logs a JOIN logs b ON b.number = a.number + 1"
    " WHERE CASE WHEN b.text LIKE 'SECRET%' THEN json(b.text) ELSE 0 END",
]  # fmt: skip


@pytest.mark.parametrize("query", ORACLES)
def test_no_error_tells_of_rows_that_are_anothers(tables: Tables, query: str) -> None:
    assert not tables.outcome(query).refusal


def test_without_the_barrier_an_error_would_tell(tables: Tables, tmp_path: Path) -> None:
    """SQLite evaluates a condition before the view's own where an index leads it to the row."""
    db, guard = views.connect(order(tables.files, tmp_path, ""))
    with closing(db):
        assert db.execute(ORACLES[0]).fetchall() == []
        db.set_authorizer(None)
        db.execute("PRAGMA query_only = OFF")
        (view,) = (name for (name,) in db.execute("SELECT name FROM sqlite_temp_master WHERE name LIKE '_%_calls'"))
        (sql,) = db.execute("SELECT sql FROM sqlite_temp_master WHERE name = ?", (view,)).fetchone()
        assert sql.endswith(" LIMIT -1")
        db.execute(f"DROP VIEW {view}")
        db.execute(sql.removesuffix(" LIMIT -1").replace("CREATE VIEW", "CREATE TEMP VIEW"))
        db.set_authorizer(guard)
        with pytest.raises(sqlite3.OperationalError, match="malformed JSON"):
            db.execute(ORACLES[0]).fetchall()


def test_a_change_is_told_to_be_none(tables: Tables) -> None:
    for change in ("DELETE FROM calls", "DROP TABLE x", "INSERT INTO logs VALUES (1)", "PRAGMA user_version"):
        assert "only reads" in tables.outcome(change).message or "no such table" in tables.outcome(change).message


def test_a_table_is_there_for_who_may_ask_it(tables: Tables) -> None:
    assert {each.name for each in tables_for(is_admin=True)} - {each.name for each in tables_for(is_admin=False)} == {
        "audit"
    }
    seen = tuple(each.name for each in tables_for(is_admin=False))
    for query in (
        "SELECT * FROM audit",
        "SELECT * FROM entries",
        "WITH audit AS (SELECT * FROM entries) SELECT * FROM audit",
    ):
        assert tables.outcome(query, tables=seen).refusal == "invalid", query


_WORDS = (
    "SELECT FROM WHERE WITH AS JOIN UNION ALL ( ) , * . ; lines payloads entries runs logs calls text data run number"
    " namespace main temp sqlite_master pragma_database_list 'other' = OR 1 count(*) LIMIT ORDER BY RECURSIVE x"
    " (SELECT VALUES INTO DELETE ATTACH PRAGMA EXPLAIN QUERY PLAN || [payloads] NOT INDEXED rowid NATURAL LEFT"
    " json_each"
)


@settings(max_examples=120)
@given(words=st.lists(st.sampled_from(_WORDS.split(" ")), min_size=2, max_size=14))
def test_no_sentence_of_such_words_finds_anything_of_anothers(tables: Tables, words: list[str]) -> None:
    found = tables.outcome(" ".join(["SELECT", *words]))
    assert MARK not in tables.text + found.message
    assert found.refusal != "failed", found


@given(text=st.text(max_size=60))
@settings(max_examples=50)
def test_any_text_is_answered_or_refused(tables: Tables, text: str) -> None:
    assert tables.outcome(text).refusal in ("", "invalid", "limit")


def test_the_files_stay_as_they_are(tables: Tables) -> None:
    before = {path: Path(path).read_bytes() for path in tables.files.values()}
    for attack in ATTACKS[::4]:
        tables.outcome(attack)
    assert {path: Path(path).read_bytes() for path in tables.files.values()} == before


def test_a_function_is_allowed_only_by_name() -> None:
    judge = Guard((), (), ())
    for name in guard_module.FUNCTIONS:
        assert judge(sqlite3.SQLITE_FUNCTION, None, name, None, None) == sqlite3.SQLITE_OK
        assert judge(sqlite3.SQLITE_FUNCTION, None, name.upper(), None, None) == sqlite3.SQLITE_OK
    assert not judge.refused
    assert judge(sqlite3.SQLITE_FUNCTION, None, "load_extension", None, None) == sqlite3.SQLITE_DENY
    assert "load_extension" in judge.refused


def test_every_action_but_reading_is_refused() -> None:
    read: set[Any] = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, 33}
    for action in range(1, 60):
        if action not in read:
            assert Guard(("a",), ("a",), (("a", "a"),))(action, "a", "a", "temp", "a") == sqlite3.SQLITE_DENY, action


@given(st.text(max_size=20), st.text(max_size=20), st.none() | st.text(max_size=8), st.none() | st.text(max_size=8))
def test_a_stored_table_is_read_from_within_its_view_alone(
    table: str, column: str, schema: str | None, view: str | None
) -> None:
    judge = Guard(("logs",), ("_x_logs",), (("_x_0", "lines"),))
    assert judge(sqlite3.SQLITE_READ, "lines", "text", "_x_0", view) == sqlite3.SQLITE_DENY
    assert judge(sqlite3.SQLITE_READ, "payloads", column, "_x_0", "_x_logs") == sqlite3.SQLITE_DENY
    assert judge(sqlite3.SQLITE_READ, "lines", "text", "_x_0", "_x_logs") == sqlite3.SQLITE_OK
    if schema not in (None, "temp", "_x_0") and table not in guard_module.VIRTUAL:
        assert judge(sqlite3.SQLITE_READ, table, column, schema, view) == sqlite3.SQLITE_DENY


def spellings(name: str) -> Iterator[str]:
    yield from (name, name.upper(), name.title(), f'"{name}"', f"[{name}]", f"`{name}`", f"temp.{name}")


def test_every_table_that_a_query_asks_is_found_in_its_text() -> None:
    for table in TABLES:
        for spelling in spellings(table.name):
            assert table.name in named_in(f"select 1 from{spelling}")
    assert named_in("select 1") == frozenset()
