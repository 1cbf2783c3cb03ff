"""The file of what sources have seen."""

import asyncio
from pathlib import Path

import pytest

from dayfly.model.errors import StoreUnavailable
from dayfly.storage.cursors import SqliteCursors


def test_the_file_is_ours_alone_and_made_for_somebody(tmp_path: Path) -> None:
    async def check() -> None:
        cursors = SqliteCursors(tmp_path / "events" / "cursors.db")
        await cursors.forget_others([])
        assert not cursors.path.exists(), "nothing is made for nobody"
        await cursors.of("one").note({})
        assert cursors.path.stat().st_mode & 0o777 == 0o600
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
