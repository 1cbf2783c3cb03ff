"""What the writing thread does when the disk fails: who is refused, who goes on, what comes before the next write."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dayfly.model.errors import StoreFull, StoreUnavailable
from dayfly.storage import writer as writer_module
from dayfly.storage.sqlite import SqliteStore

Story = Callable[[SqliteStore], Awaitable[None]]


def play(path: Path, story: Story) -> None:
    async def main() -> None:
        store = SqliteStore(path)
        await store.open()
        try:
            async with asyncio.timeout(60):
                await story(store)
        finally:
            await store.close()

    asyncio.run(main())


def failing(code: int) -> Callable[[sqlite3.Connection], None]:
    """Return an operation that fails as SQLite does with this code."""

    def operation(_db: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = code
        raise error

    return operation


IO_ERROR = failing(sqlite3.SQLITE_IOERR_FSYNC)


def test_after_an_io_error_nothing_is_written_and_reading_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer_module, "_MEND_EVERY_S", 3600.0)

    async def story(store: SqliteStore) -> None:
        await store.save_totals({"a": 1})
        with pytest.raises(StoreUnavailable, match="the disk reports errors"):
            await store._run(IO_ERROR)
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="the disk reports errors"):
                await store.save_totals({"a": 2})
            assert await store.totals() == {"a": 1}
        refused, read = await asyncio.gather(store.save_totals({"a": 2}), store.totals(), return_exceptions=True)
        assert isinstance(refused, StoreUnavailable)
        assert read == {"a": 1}

    play(tmp_path / "state.db", story)
    assert caplog.text.count("nothing is written until the disk works again") == 1


def test_what_is_only_in_the_log_is_written_anew_before_anything_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_MEND_EVERY_S", 0.0)
    rewrite, works = writer_module._rewrite, False
    log = tmp_path / "state.db-wal"

    def only_when_it_works(connection: sqlite3.Connection) -> bool:
        if not works:
            IO_ERROR(connection)
        return rewrite(connection)

    async def story(store: SqliteStore) -> None:
        nonlocal works
        await store.save_totals({"a": 1})
        assert log.stat().st_size
        monkeypatch.setattr(writer_module, "_rewrite", only_when_it_works)
        with pytest.raises(StoreUnavailable):
            await store._run(IO_ERROR)
        with pytest.raises(StoreUnavailable):
            await store.save_totals({"a": 2})
        works = True
        assert await store.totals() == {"a": 1}
        assert log.stat().st_size == 0
        await store.save_totals({"a": 2})
        assert await store.totals() == {"a": 2}

    play(tmp_path / "state.db", story)


def test_opening_writes_anew_what_is_only_in_the_log(tmp_path: Path) -> None:
    left = tmp_path / "left"

    async def leave(store: SqliteStore) -> None:
        await store.save_totals({"a": 1})
        shutil.copytree(tmp_path / "first", left)

    async def find(store: SqliteStore) -> None:
        assert (left / "state.db-wal").stat().st_size == 0
        assert await store.totals() == {"a": 1}

    play(tmp_path / "first" / "state.db", leave)
    assert (left / "state.db-wal").stat().st_size
    play(left / "state.db", find)


def test_a_store_that_cannot_be_tidied_up_opens_for_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def keep(store: SqliteStore) -> None:
        await store.save_totals({"a": 1})

    async def read(store: SqliteStore) -> None:
        assert await store.totals() == {"a": 1}
        with pytest.raises(StoreFull, match="the disk is full"):
            await store.save_totals({"a": 2})

    play(tmp_path / "state.db", keep)
    monkeypatch.setattr(writer_module, "_rewrite", failing(sqlite3.SQLITE_FULL))
    play(tmp_path / "state.db", read)


def test_who_only_reads_does_not_pay_for_a_neighbour_that_the_full_disk_refuses(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        await store.save_totals({"a": 1})
        full = failing(sqlite3.SQLITE_FULL)
        answers = await asyncio.gather(store.totals(), store._run(full), store.totals(), return_exceptions=True)
        assert answers[0] == answers[2] == {"a": 1}
        assert isinstance(answers[1], StoreFull)
        await store.save_totals({"a": 2})

    play(tmp_path / "state.db", story)


def test_a_first_start_that_was_killed_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    database = sqlite3.connect(tmp_path / "other.db", isolation_level=None)
    database.execute("CREATE TABLE gone (x)")
    database.execute("BEGIN")
    database.execute("INSERT INTO gone VALUES (1)")
    database.execute("PRAGMA cache_spill = 1")
    for suffix in ("", "-journal"):
        shutil.copy(tmp_path / f"other.db{suffix}", tmp_path / f"state.db{suffix}")
    database.close()
    with (tmp_path / "state.db-journal").open("r+b") as journal:
        journal.write(bytes.fromhex("d9d505f920a163d7"))  # what makes SQLite undo it

    async def story(store: SqliteStore) -> None:
        assert await store.all() == []

    play(path, story)
    assert not path.with_name("state.db-journal").exists()
