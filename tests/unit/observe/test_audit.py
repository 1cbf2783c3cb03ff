"""The audit log's file: nothing without an entry, entries once and in order, over full disks, kills and the years."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from dayfly.control.clock import ManualClock
from dayfly.model.audit import AuditDraft, AuditHead, AuditLimits, AuditQuery, Change
from dayfly.model.errors import StoreUnavailable
from dayfly.observe.audit import REFUSALS_A_MINUTE, AuditLog
from dayfly.storage.sqlite_audit import SqliteAudit

DRAFT = AuditDraft(who="admin", role="admin", action="trigger.put", namespace="team", target="nightly")
EVERYTHING = AuditQuery(limit=1000)
Story = Callable[[AuditLog, ManualClock], Awaitable[None]]


def play(path: Path, story: Story, limits: AuditLimits | None = None, *, start_ms: int = 1_000) -> None:
    """Open the log, let the story happen, close it."""

    async def main() -> None:
        clock = ManualClock(unix_ms=start_ms)
        log = AuditLog(SqliteAudit(path), limits or AuditLimits(), clock)
        await log.open()
        try:
            await story(log, clock)
        finally:
            await log.close()

    asyncio.run(main())


def altered(path: Path, sql: str) -> None:
    """Have somebody at the file."""
    with sqlite3.connect(path) as connection:
        connection.execute(sql)
    connection.close()


async def written(log: AuditLog, count: int, **fields: str) -> None:
    for number in range(count):
        draft = AuditDraft(**{"who": "admin", "action": "function.put", "target": str(number), **fields})  # type: ignore[arg-type] # texts alone
        await log.end(await log.begin(draft), 200)


@pytest.mark.parametrize(
    ("sql", "broken", "reason"),
    [
        ("UPDATE entries SET entry = replace(entry, 'admin', 'other') WHERE sequence = 3", 3, "not what was written"),
        ("UPDATE entries SET entry = 'x' WHERE sequence = 3", 3, "not what was written"),
        ("DELETE FROM entries WHERE sequence = 2", 2, "missing"),
        ("DELETE FROM entries WHERE sequence > 3", 4, "cut off: 5 entries were written"),
        ("UPDATE entries SET sequence = 9 WHERE sequence = 5", 5, "missing"),
        ("REPLACE INTO anchor (one, sequence, hash) VALUES (1, 2, 'x')", 3, "missing"),
    ],
)  # fmt: skip
def test_whoever_was_at_the_file_is_found(tmp_path: Path, sql: str, broken: int, reason: str) -> None:
    path = tmp_path / "audit.db"

    async def writes(log: AuditLog, _clock: ManualClock) -> None:
        await written(log, 5)
        assert (await log.verify()).whole

    async def checks(log: AuditLog, _clock: ManualClock) -> None:
        found = await log.verify()
        assert (found.whole, found.broken) == (False, broken)
        assert reason in found.reason

    play(path, writes)
    altered(path, sql)
    play(path, checks)


def test_a_log_that_was_made_anew_lacks_the_head_that_was_noted(tmp_path: Path) -> None:
    heads: list[AuditHead] = []

    async def writes(log: AuditLog, _clock: ManualClock) -> None:
        await written(log, 3)
        heads.append((await log.verify()).head)

    async def checks(log: AuditLog, _clock: ManualClock) -> None:
        await written(log, 3, who="somebody")
        assert (await log.verify()).whole
        assert (await log.verify(heads[0])).broken == 3

    play(tmp_path / "audit.db", writes)
    (tmp_path / "audit.db").unlink()
    play(tmp_path / "audit.db", checks)


def test_on_a_full_disk_nothing_begins_and_what_ended_is_written_later(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"

    def full(connection: sqlite3.Connection, pages: int) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    async def story(log: AuditLog, _clock: ManualClock) -> None:
        writer = cast("SqliteAudit", log._store)
        begun = await log.begin(DRAFT)
        await writer.run(lambda connection: full(connection, 1))
        big = (Change(path="text", after="x" * 50_000),)
        with pytest.raises(StoreUnavailable):
            await log.end(begun, 200, big)
        with pytest.raises(StoreUnavailable):
            await log.begin(DRAFT)
        await log.note(DRAFT)
        assert await log.find(EVERYTHING) == []
        await writer.run(lambda connection: full(connection, 2**30))
        await log.end(await log.begin(DRAFT), 204)
        assert [each.status for each in await log.find(EVERYTHING)] == [204, 0, 200]
        assert (await log.verify()).whole

    play(path, story)


def test_who_is_refused_very_often_fills_no_disk(tmp_path: Path) -> None:
    async def story(log: AuditLog, clock: ManualClock) -> None:
        for _ in range(REFUSALS_A_MINUTE + 40):
            await log.refused(AuditDraft(who="root", action="sign-in.failed", status=401))
        assert len(await log.find(EVERYTHING)) == REFUSALS_A_MINUTE
        clock.advance(1)
        await log.refused(AuditDraft(who="root", action="sign-in.failed", status=401))
        (newest, *_) = await log.find(EVERYTHING)
        assert newest.changes == (Change(path="refused before this without an entry", after=40),)

    play(tmp_path / "audit.db", story)


def test_a_damaged_file_stays_and_every_change_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    path.write_bytes(b"nothing of ours" * 100)

    async def story(log: AuditLog, _clock: ManualClock) -> None:
        with pytest.raises(StoreUnavailable, match="nothing is changed without it"):
            await log.begin(DRAFT)

    play(path, story)
    assert path.read_bytes().startswith(b"nothing of ours")


def test_a_file_that_could_not_be_opened_at_the_start_is_opened_by_the_next_change(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    folder.write_bytes(b"in the way")

    async def story(log: AuditLog, _clock: ManualClock) -> None:
        for asked in (log.begin(DRAFT), log.find(EVERYTHING), log.verify()):
            with pytest.raises(StoreUnavailable):
                await asked
        folder.unlink()
        entries = [await log.end(begun, 200) for begun in await asyncio.gather(*(log.begin(DRAFT) for _ in range(3)))]
        assert (await log.verify()).entries == len(entries)

    play(folder / "audit.db", story)
