"""What every store of the audit log does: in a file, and on a real nats-server, where each life has a new copy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.storage.journals import connected, journals

from dayfly.control.clock import ManualClock
from dayfly.model.audit import AuditDraft, AuditHead, AuditLimits, AuditQuery, Change
from dayfly.observe.audit import TRIM_EVERY_MS, AuditLog
from dayfly.storage.audit_mirror import AuditMirror
from dayfly.storage.journal_audit import JournalAudit
from dayfly.storage.sqlite_audit import SqliteAudit

if TYPE_CHECKING:
    from pathlib import Path

    from dayfly.storage.audit import AuditStore

DRAFT = AuditDraft(who="admin", role="admin", action="trigger.put", namespace="team", target="nightly")
EVERYTHING = AuditQuery(limit=1000)
Story = Callable[[AuditLog, ManualClock], Awaitable[None]]


class Lives:
    """A log that is opened by one life of the platform after the other."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._folder, self._lives = folder, 0
        self._server = request.getfixturevalue("nats_server") if request.param == "jetstream" else None
        if self._server is not None:
            asyncio.run(self._empty())

    def play(self, story: Story, limits: AuditLimits | None = None) -> None:
        """Open the log, let the story happen, close it."""
        asyncio.run(self._play(story, limits or AuditLimits()))

    async def _play(self, story: Story, limits: AuditLimits) -> None:
        self._lives += 1
        if self._server is None:
            await _live(SqliteAudit(self._folder / "audit.db"), story, limits)
            return
        async with connected(self._server.access_file) as found:
            mirror = AuditMirror(self._folder / str(self._lives) / "audit.db")
            await _live(JournalAudit(found.audit, mirror), story, limits)

    async def _empty(self) -> None:
        assert self._server is not None
        async with journals(self._server):
            pass


async def _live(store: AuditStore, story: Story, limits: AuditLimits) -> None:
    clock = ManualClock(unix_ms=1_000)
    log = AuditLog(store, limits, clock)
    await log.open()
    try:
        await story(log, clock)
    finally:
        await log.close()


@pytest.fixture(params=["sqlite", "jetstream"])
def lives(request: pytest.FixtureRequest, tmp_path: Path) -> Lives:
    return Lives(request, tmp_path)


async def written(log: AuditLog, count: int, **fields: Any) -> None:
    for number in range(count):
        draft = AuditDraft(**{"who": "admin", "action": "function.put", "target": str(number), **fields})
        await log.end(await log.begin(draft), 200)


def test_an_entry_says_what_was_asked_and_what_became_of_it(lives: Lives) -> None:
    async def story(log: AuditLog, clock: ManualClock) -> None:
        begun = await log.begin(DRAFT)
        assert await log.find(EVERYTHING) == [], "it is not over"
        clock.advance(5)
        entry = await log.end(begun, 201, (Change(path="paused", before=False, after=True),))
        (found,) = await log.find(EVERYTHING)
        assert found == entry
        assert (found.sequence, found.at, found.status, found.changes[0].path) == (1, 1_000, 201, "paused")
        assert (await log.verify()).whole

    lives.play(story)


def test_what_was_begun_and_cut_off_is_an_entry_of_the_next_life(lives: Lives) -> None:
    async def killed(log: AuditLog, _clock: ManualClock) -> None:
        await written(log, 2)
        await log.begin(DRAFT)

    async def again(log: AuditLog, _clock: ManualClock) -> None:
        found = await log.find(EVERYTHING)
        assert [(each.sequence, each.action, each.status) for each in found] == [
            (3, "trigger.put", 0), (2, "function.put", 200), (1, "function.put", 200),
        ]  # fmt: skip
        assert (await log.verify()).head.sequence == 3

    lives.play(killed)
    lives.play(again)
    lives.play(again)


def test_entries_are_found_by_what_they_say(lives: Lives) -> None:
    async def story(log: AuditLog, clock: ManualClock) -> None:
        await written(log, 2, namespace="team")
        clock.advance(10)
        await written(log, 1, namespace="other", action="functions.odd")
        await written(log, 1, who="token 1", action="trigger.remove")

        async def numbers(**fields: object) -> list[int]:
            return [each.sequence for each in await log.find(AuditQuery(**fields))]  # type: ignore[arg-type] # as given

        assert await numbers() == [4, 3, 2, 1]
        assert await numbers(namespace="team") == [2, 1]
        assert await numbers(who="token 1") == [4]
        assert await numbers(action="function") == [2, 1]
        assert await numbers(action="trigger.remove") == [4]
        assert await numbers(since=11_000) == [4, 3]
        assert await numbers(until=11_000) == [2, 1]
        assert await numbers(before=3, limit=1) == [2]
        assert await numbers(after=3) == [4]

    lives.play(story)


def test_what_is_too_old_goes_and_the_rest_still_holds(lives: Lives) -> None:
    async def story(log: AuditLog, clock: ManualClock) -> None:
        await written(log, 3)
        noted = (await log.verify()).head
        clock.advance(2 * TRIM_EVERY_MS / 1000)
        await written(log, 1)
        found = await log.verify(noted)
        assert (found.whole, found.anchor.sequence, found.head.sequence) == (True, 3, 5)
        newest, trimmed = await log.find(EVERYTHING)
        assert (trimmed.who, trimmed.action, trimmed.changes[0].after["sequence"]) == ("platform", "audit.trim", 3)
        assert newest.target == "0"
        assert (await log.verify(AuditHead(3, "a" * 64))).reason == "entry 3 had another hash when it was noted"

    lives.play(story, AuditLimits(keep_s=86_400))


def test_no_more_are_kept_than_asked_for(lives: Lives) -> None:
    async def story(log: AuditLog, clock: ManualClock) -> None:
        await written(log, 6)
        clock.advance(TRIM_EVERY_MS / 1000)
        await written(log, 1)
        assert [each.sequence for each in await log.find(EVERYTHING)] == [8, 7, 6, 5, 4]
        assert (await log.verify()).whole

    lives.play(story, AuditLimits(entries=3))
