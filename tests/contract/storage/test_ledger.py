"""What every ledger does; the one in memory says it by example."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.storage.journals import journals

from dayfly.model.allowance import Used
from dayfly.model.errors import StoreUnavailable
from dayfly.model.names import parse_function_key, parse_namespace
from dayfly.storage.journal_ledger import JournalLedger
from dayfly.storage.ledger import KEPT_DAYS_HOURS, KEPT_HOURS, Growth, Ledger
from dayfly.storage.memory_ledger import MemoryLedger
from dayfly.storage.sqlite_ledger import SqliteLedger

if TYPE_CHECKING:
    from pathlib import Path

Play = Callable[[Callable[[Ledger], Awaitable[None]]], None]
A, B, OTHER = (parse_function_key(name) for name in ("a.team", "b.team", "a.other"))
TEAM = parse_namespace("team")


@pytest.fixture(params=["memory", "sqlite", "jetstream"])
def play(request: Any, tmp_path: Path) -> Play:
    """Run a story with a ledger."""

    def run(story: Callable[[Ledger], Awaitable[None]]) -> None:
        async def main() -> None:
            if request.param == "jetstream":
                async with journals(request.getfixturevalue("nats_server")) as found:
                    await tell(JournalLedger(found.spending))
            else:
                await tell(MemoryLedger() if request.param == "memory" else SqliteLedger(tmp_path / "r" / "s.db"))

        async def tell(ledger: Ledger) -> None:
            await ledger.open()
            try:
                await story(ledger)
            finally:
                await ledger.close()

        asyncio.run(main())

    return run


def used(calls: int, cpu: float = 0.0, gib: float = 0.0) -> Used:
    return Used(calls=calls, cpu_seconds=cpu, gib_seconds=gib)


def test_hours_add_up_by_function(play: Play) -> None:
    async def story(ledger: Ledger) -> None:
        assert await ledger.used(0, 10**9) == {}
        await ledger.add([Growth(A, 100, used(1, 0.5, 2.0)), Growth(A, 101, used(2)), Growth(OTHER, 100, used(7))], {})
        await ledger.add([Growth(A, 100, used(3, 0.25)), Growth(B, 102, used(4))], {})
        assert await ledger.used(100, 101) == {A: used(4, 0.75, 2.0), OTHER: used(7)}
        assert await ledger.used(101, 103, TEAM) == {A: used(2), B: used(4)}
        assert await ledger.used(100, 103, TEAM) == {A: used(6, 0.75, 2.0), B: used(4)}

    play(story)


def test_marks_are_the_last_that_was_said(play: Play) -> None:
    async def story(ledger: Ledger) -> None:
        await ledger.add([], {str(A): 5, str(OTHER): 1})
        await ledger.add([], {str(A): 7})
        assert await ledger.marks() == {str(A): 7, str(OTHER): 1}

    play(story)


def test_a_namespace_is_forgotten_whole_and_alone(play: Play) -> None:
    async def story(ledger: Ledger) -> None:
        await ledger.add(
            [Growth(A, 1, used(1)), Growth(B, 1, used(1)), Growth(OTHER, 1, used(1))], {str(A): 1, str(OTHER): 1}
        )
        await ledger.forget(TEAM)
        assert await ledger.used(0, 10) == {OTHER: used(1)}
        assert await ledger.marks() == {str(OTHER): 1}

    play(story)


def test_old_hours_become_days_and_the_oldest_go(play: Play) -> None:
    async def story(ledger: Ledger) -> None:
        now = 24 * 1000
        young, day = now - KEPT_HOURS, now - KEPT_HOURS - 48
        gone = now - KEPT_DAYS_HOURS - 1
        grown = [Growth(A, hour, used(1, 1.0)) for hour in (gone, day + 3, day + 5, day + 23, young + 3)]
        for _ in range(2):
            await ledger.add(grown, {})
            await ledger.tidy(now)
        assert await ledger.used(0, day) == {}
        assert await ledger.used(day, day + 1) == {A: used(6, 6.0)}
        assert await ledger.used(day + 1, young + 3) == {}
        assert await ledger.used(young + 3, now) == {A: used(2, 2.0)}

    play(story)


def test_what_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    async def story() -> None:
        for round_ in (1, 2):
            ledger = SqliteLedger(tmp_path / "s.db")
            await ledger.open()
            await ledger.add([Growth(A, 1, used(1))], {str(A): round_})
            assert await ledger.used(0, 2) == {A: used(round_)}
            await ledger.close()
        assert (tmp_path / "s.db").stat().st_mode & 0o777 == 0o600

    asyncio.run(story())


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "s.db"
        path.write_bytes(b"no database at all" * 1000)
        ledger = SqliteLedger(path)
        await ledger.open()
        assert await ledger.used(0, 10) == {}
        await ledger.close()
        assert path.with_suffix(".damaged").exists()
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)

    asyncio.run(story())


def test_one_that_is_not_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        asyncio.run(SqliteLedger(tmp_path / "s.db").marks())
