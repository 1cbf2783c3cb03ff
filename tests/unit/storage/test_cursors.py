"""What sources have seen, over restarts."""

import asyncio
from pathlib import Path

import pytest

from dayfly.model.errors import StoreUnavailable
from dayfly.storage.cursors import SqliteCursors


def test_what_was_noted_is_there_after_a_restart(tmp_path: Path) -> None:
    async def check() -> None:
        first = SqliteCursors(tmp_path / "events" / "cursors.db")
        one, other = first.of("one"), first.of("other")
        assert await one.seen() is None
        await one.note({})
        assert await one.seen() == {}
        await one.note({"a": "1", "b": "1", "c": "1"})
        await one.note({"a": "2", "b": None, "unknown": None})
        await first.close()
        await first.close()
        again = SqliteCursors(tmp_path / "events" / "cursors.db")
        assert await again.of("one").seen() == {"a": "2", "c": "1"}
        assert await other_of(again) is None
        await again.close()
        assert (tmp_path / "events" / "cursors.db").stat().st_mode & 0o777 == 0o600
        del other

    async def other_of(cursors: SqliteCursors) -> object:
        return await cursors.of("other").seen()

    asyncio.run(check())


def test_what_nobody_looks_at_any_more_is_forgotten(tmp_path: Path) -> None:
    async def check() -> None:
        cursors = SqliteCursors(tmp_path / "cursors.db")
        await cursors.forget_others([])
        assert not cursors.path.exists(), "nothing is made for nobody"
        await cursors.of("stays").note({"a": "1"})
        await cursors.of("goes").note({"a": "1"})
        await cursors.forget_others(["stays", "new"])
        assert await cursors.of("stays").seen() == {"a": "1"}
        assert await cursors.of("goes").seen() is None
        await cursors.close()

    asyncio.run(check())


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "cursors.db").write_bytes(b"no database at all, whatever its name says" * 100)

    async def check() -> None:
        cursors = SqliteCursors(tmp_path / "cursors.db")
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await cursors.of("it").seen()
        await cursors.close()

    asyncio.run(check())
