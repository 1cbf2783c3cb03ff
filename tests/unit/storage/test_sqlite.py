"""What the SQLite store promises beyond the contract: crashes, layouts, modes, and errors that say what to do."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dayfly.model.errors import StoreFull, StoreUnavailable
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import parse_function_key
from dayfly.storage import steps
from dayfly.storage.sqlite import SqliteStore

WRITER = """
import asyncio, sys
from pathlib import Path
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import parse_function_key
from dayfly.storage.sqlite import SqliteStore

async def put(store, name, number):
    spec = FunctionSpec(name=name, bundle="sha256:" + "a" * 64, env={"N": str(number)})
    revision = Revision(number=number, spec=spec, created_unix_ms=0)
    await store.put(Function(key=parse_function_key(name), revision=revision, created_unix_ms=0))
    sys.stdout.write(f"{name} {number}\\n")
    sys.stdout.flush()

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    for number in range(int(sys.argv[2]), 10**9):
        await asyncio.gather(*(put(store, f"f{n}", number) for n in range(4)))

asyncio.run(main())
"""


def function(number: int = 1) -> Function:
    spec = FunctionSpec(name="hello", bundle="sha256:" + "a" * 64)
    revision = Revision(number=number, spec=spec, created_unix_ms=0)
    return Function(key=spec.key, revision=revision, created_unix_ms=0)


def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    seed = random.SystemRandom().randrange(2**32)
    chance = random.Random(seed)  # noqa: S311 - when to kill, not a secret
    acknowledged: dict[str, int] = {}
    for _ in range(8):
        _write_until_killed(path, acknowledged, lines=chance.randrange(1, 120), delay_s=chance.random() / 200)
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)], seed
        for name, number in acknowledged.items():
            stored = asyncio.run(_read(path, name))
            assert stored.revision.number >= number, seed
            assert stored.revision.spec.env == {"N": str(stored.revision.number)}, seed
    assert len(acknowledged) == 4


def _write_until_killed(path: Path, acknowledged: dict[str, int], *, lines: int, delay_s: float) -> None:
    first = max(acknowledged.values(), default=0) + 1
    command = [sys.executable, "-c", WRITER, str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(lines):
            _note(writer.stdout.readline(), acknowledged)
        # The point of the kill is what this test varies; nothing is waited for.
        time.sleep(delay_s)
        writer.send_signal(signal.SIGKILL)
        for line in writer.stdout:
            _note(line, acknowledged)


def _note(line: str, acknowledged: dict[str, int]) -> None:
    assert line, "the writer ended by itself"
    if line.endswith("\n"):
        name, number = line.split()
        acknowledged[name] = int(number)


async def _read(path: Path, name: str) -> Function:
    store = SqliteStore(path)
    await store.open()
    try:
        return await store.get(parse_function_key(name))
    finally:
        await store.close()


def test_a_commit_is_flushed_before_it_is_acknowledged(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "state.db")
        await store.open()
        assert await store._run(lambda db: db.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"
        assert await store._run(lambda db: db.execute("PRAGMA synchronous").fetchone()[0]) == 2
        await store.close()

    asyncio.run(main())


def test_many_writes_share_a_commit(tmp_path: Path) -> None:
    async def main() -> int:
        store = SqliteStore(tmp_path / "state.db")
        await store.open()
        commits = 0

        def trace(statement: str) -> None:
            nonlocal commits
            commits += statement == "COMMIT"

        await store._run(lambda db: db.set_trace_callback(trace))
        await asyncio.gather(*(store.put(function(number)) for number in range(1, 301)))
        await store.close()
        return commits

    assert asyncio.run(main()) <= 60  # as many as there are turns between the two threads meanwhile


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "state.db"

    async def main() -> None:
        store = SqliteStore(path)
        await store.open()
        await store.put(function())
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert len(list(path.parent.iterdir())) == 3
        await store.close()

    before = os.umask(0)
    try:
        asyncio.run(main())
    finally:
        os.umask(before)


def test_a_file_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.touch()
    path.chmod(0o644)

    async def main() -> None:
        store = SqliteStore(path)
        await store.open()
        await store.close()

    asyncio.run(main())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_newer_layout_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as newer:
        newer.execute("CREATE TABLE future (x)")
        newer.execute(f"PRAGMA user_version = {len(steps.STEPS) + 1}")
    newer.close()
    before = path.read_bytes()

    with pytest.raises(StoreUnavailable, match="written by a newer Dayfly"):
        asyncio.run(SqliteStore(path).open())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]


def test_an_older_layout_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"

    async def put() -> None:
        store = SqliteStore(path)
        await store.open()
        await store.put(function())
        await store.close()

    asyncio.run(put())
    added = ("CREATE TABLE extra (x INTEGER) STRICT;", "INSERT INTO extra VALUES (1);")
    later = (*steps.STEPS, *(steps.Step("9.0.0", up, None) for up in added))
    monkeypatch.setattr("dayfly.storage.migrations.STEPS", later)
    assert asyncio.run(_read(path, "hello")) == function()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(later),)
        assert database.execute("SELECT x FROM extra").fetchall() == [(1,)]
    database.close()


def test_a_step_that_fails_leaves_the_layout_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    broken = steps.Step("9.0.0", "CREATE TABLE extra (x); SELECT nonsense;", None)
    monkeypatch.setattr("dayfly.storage.migrations.STEPS", (*steps.STEPS, broken))
    with pytest.raises(StoreUnavailable):
        asyncio.run(SqliteStore(path).open())
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'").fetchone() == (0,)
    database.close()


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_text("this is not a database, but it is long enough to be looked at" * 50)
    with pytest.raises(StoreUnavailable, match="damaged") as refusal:
        asyncio.run(SqliteStore(path).open())
    assert "restore" in refusal.value.hint
    assert path.read_text().startswith("this is not")


def test_a_full_disk_says_so_and_the_store_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "state.db")
        await store.open()
        await store.put(function(1))
        await store._run(lambda db: db.execute("PRAGMA max_page_count = 1"))
        big = FunctionSpec(name="hello", bundle="sha256:" + "a" * 64, env={"X": "y" * 30_000})
        revision = Revision(number=2, spec=big, created_unix_ms=0)
        with pytest.raises(StoreFull, match="the disk is full") as refusal:
            await store.put(Function(key=big.key, revision=revision, created_unix_ms=0))
        assert "free some space" in refusal.value.hint
        assert (await store.get(big.key)).revision.number == 1
        await store._run(lambda db: db.execute("PRAGMA max_page_count = 100000"))
        await store.put(Function(key=big.key, revision=revision, created_unix_ms=0))
        await store.close()

    asyncio.run(main())


def test_a_bug_in_one_operation_ends_neither_the_thread_nor_its_neighbours(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "state.db")
        await store.open()
        answers = await asyncio.gather(
            store.put(function(1)),
            store._run(lambda db: db.execute("DELETE FROM functions") and 1 // 0),
            store.save_totals({"a.b": 2**70}),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [type(None), ZeroDivisionError, OverflowError]
        assert await store.get(function().key) == function(1)
        await store.close()

    asyncio.run(main())


def test_before_opening_and_after_closing_it_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "state.db")
        with pytest.raises(StoreUnavailable, match="not open"):
            await store.all()
        await store.open()
        await store.close()
        with pytest.raises(StoreUnavailable, match="is closed"):
            await store.all()

    asyncio.run(main())


def test_closing_finishes_what_is_queued(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "state.db")
        await store.open()
        pending = [asyncio.create_task(store.put(function(number))) for number in range(1, 51)]
        await asyncio.sleep(0)
        await store.close()
        await asyncio.gather(*pending)
        assert (await _read(tmp_path / "state.db", "hello")).revision.number == 50

    asyncio.run(main())


def test_a_caller_that_goes_away_disturbs_nobody(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "state.db")
        await store.open()
        leaving = asyncio.create_task(store.put(function(1)))
        await asyncio.sleep(0)
        leaving.cancel()
        await store.put(function(2))
        assert len(await store.revisions(function().key)) == 2
        await store.close()

    asyncio.run(main())


def test_a_damaged_spec_is_named(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "state.db")
        await store.open()
        await store.put(function())
        await store._run(lambda db: db.execute("UPDATE revisions SET spec = '{'"))
        with pytest.raises(StoreUnavailable, match=r"revision 1 of the function hello\.openfaas-fn"):
            await store.get(function().key)
        await store.close()

    asyncio.run(main())
