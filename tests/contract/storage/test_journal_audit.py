"""The audit log in a journal: one chain over all control planes, whatever became of the one before."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.contract.queue.conftest import NatsServer
from tests.contract.storage.journals import connected, journals
from tests.contract.storage.test_audit_store import DRAFT, EVERYTHING, written
from tests.contract.storage.test_journal_stores import Cut

from dayfly.control.clock import ManualClock
from dayfly.model.audit import AuditHead, AuditLimits, AuditQuery
from dayfly.model.errors import StoreUnavailable
from dayfly.observe.audit import TRIM_EVERY_MS, AuditLog
from dayfly.queue import journal_reading
from dayfly.queue.journal import AUDIT, Journals
from dayfly.storage.audit_mirror import AuditMirror
from dayfly.storage.journal_audit import JournalAudit
from dayfly.storage.sqlite_audit import SqliteAudit


class Cluster:
    """An empty audit log on a server, and control planes that take it over; each has a copy in a folder."""

    def __init__(self, found: Journals, access_file: Path, folder: Path) -> None:
        self.found, self.folder, self.clock = found, folder, ManualClock(unix_ms=1_000)
        self._access_file = access_file

    @contextlib.asynccontextmanager
    async def plane(self, copy: str = "", most_bytes: int = 2**27) -> AsyncIterator[AuditLog]:
        """Take it over; what is under way goes on in the control plane before."""
        async with connected(self._access_file) as found:
            log = self.log(found, copy, most_bytes)
            await log.open()
            try:
                yield log
            finally:
                await log.close()

    def log(self, found: Journals, copy: str = "", most_bytes: int = 2**27) -> AuditLog:
        mirror = AuditMirror(self.folder / (copy or str(id(found))) / "audit.db")
        return AuditLog(JournalAudit(found.audit, mirror, most_bytes), AuditLimits(), self.clock)

    async def messages(self) -> dict[str, int]:
        """Return how many messages of each subject there are."""
        context = await self.found.connection.context()
        state = (await context.stream_info(AUDIT, subjects_filter="dayfly.audit.>")).state
        return {name.removeprefix("dayfly.audit."): count for name, count in (state.subjects or {}).items()}


Story = Callable[[Cluster], Awaitable[None]]
Play = Callable[[Story], None]


@pytest.fixture
def play(nats_server: NatsServer, tmp_path: Path) -> Play:
    async def main(story: Story) -> None:
        async with journals(nats_server) as found:
            await story(Cluster(found, nats_server.access_file, tmp_path))

    return lambda story: asyncio.run(main(story))


async def told(log: AuditLog) -> list[tuple[int, int]]:
    """Return number and status of all entries, the oldest first."""
    return [(each.sequence, each.status) for each in reversed(await log.find(EVERYTHING))]


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from dayfly.model.audit import AuditDraft, AuditLimits
from dayfly.control.clock import SystemClock
from dayfly.observe.audit import AuditLog
from dayfly.queue.journal import Journals
from dayfly.storage.audit_mirror import AuditMirror
from dayfly.storage.journal_audit import JournalAudit

async def main():
    found = Journals(Path(sys.argv[1]))
    connecting = asyncio.create_task(found.run())
    log = AuditLog(JournalAudit(found.audit, AuditMirror(Path(sys.argv[2]))), AuditLimits(), SystemClock())
    await log.open()
    for number in range(30):
        draft = AuditDraft(who="admin", action="function.put", target=str(number))
        await log.end(await log.begin(draft), 200)
    await log.begin(AuditDraft(who="admin", action="function.remove", target="cut off"))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_what_a_control_plane_wrote_that_was_killed_is_counted_by_the_next(play: Play, nats_server: NatsServer) -> None:
    async def story(cluster: Cluster) -> None:
        argv = [sys.executable, "-c", KILLED, str(nats_server.access_file), str(cluster.folder / "killed" / "audit.db")]
        ended = await asyncio.to_thread(subprocess.run, argv, check=False)
        assert ended.returncode == -9
        async with cluster.plane() as log:
            found = await log.verify()
            assert (found.whole, found.entries, found.head.sequence) == (True, 31, 31)
            newest, before, *_ = await log.find(EVERYTHING)
            assert (newest.target, newest.status, before.target, before.status) == ("cut off", 0, "29", 200)
        assert not [name for name in await cluster.messages() if name.startswith("begun.")]

    play(story)


def test_whoever_was_deposed_writes_no_entry_and_begins_no_change(play: Play) -> None:
    async def story(cluster: Cluster) -> None:
        async with cluster.plane() as first:
            await written(first, 2)
            begun = await first.begin(DRAFT)
            async with cluster.plane() as second:
                for step in (first.begin(DRAFT), first.end(begun, 200)):
                    with pytest.raises(StoreUnavailable, match="another control plane"):
                        await step
                await written(second, 1)
                assert await told(second) == [(1, 200), (2, 200), (3, 0), (4, 200)]
                found = await second.verify()
                assert (found.whole, found.entries) == (True, 4)

    play(story)


async def left_without_an_answer(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AuditLog:
    """Return a log whose first entry was kept, though it heard that it was not."""
    cut = Cut(cluster.found.audit, monkeypatch)
    log = cluster.log(cluster.found)
    await log.open()
    begun = await log.begin(DRAFT)
    cut.lose = True
    with pytest.raises(StoreUnavailable, match="lost"):
        await log.end(begun, 201)
    return log


def test_an_entry_that_was_kept_though_its_answer_was_lost_is_there_once(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(cluster: Cluster) -> None:
        log = await left_without_an_answer(cluster, monkeypatch)
        await written(log, 1)
        assert await told(log) == [(1, 201), (2, 200)]
        assert (await log.verify()).entries == 2
        await log.close()
        async with cluster.plane() as after:
            assert await told(after) == [(1, 201), (2, 200)]

    play(story)


def test_an_entry_of_which_the_answer_was_lost_and_the_control_plane_too_is_there_once(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(cluster: Cluster) -> None:
        log = await left_without_an_answer(cluster, monkeypatch)
        async with cluster.plane() as after:
            assert await told(after) == [(1, 201)]
            await written(after, 1)
        async with cluster.plane() as third:
            assert await told(third) == [(1, 201), (2, 200)]
        await log.close()

    play(story)


def test_a_change_that_was_refused_as_its_note_failed_is_told_of_nowhere(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(cluster: Cluster) -> None:
        cut = Cut(cluster.found.audit, monkeypatch)
        log = cluster.log(cluster.found)
        await log.open()
        cut.lose = True
        with pytest.raises(StoreUnavailable, match="lost"):
            await log.begin(DRAFT)
        await written(log, 1)
        await log.close()
        async with cluster.plane() as after:
            assert await told(after) == [(1, 200)]

    play(story)


def test_what_went_by_its_age_goes_from_the_servers_too(play: Play) -> None:
    async def story(cluster: Cluster) -> None:
        async with cluster.plane(most_bytes=2_000) as log:
            await written(log, 12)
            cluster.clock.advance(TRIM_EVERY_MS / 1000)
            await written(log, 1)
            kept = await told(log)
            assert 1 < kept[0][0] < 12
        assert (await cluster.messages())["entry"] == len(kept)
        async with cluster.plane() as after:
            assert await told(after) == kept
            found = await after.verify()
            assert (found.whole, found.anchor.sequence, found.entries) == (True, kept[0][0] - 1, len(kept))

    play(story)


def test_an_end_in_the_middle_of_letting_go_leaves_a_chain_that_holds(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_given: Any) -> None:
        raise StoreUnavailable("killed")

    async def story(cluster: Cluster) -> None:
        monkeypatch.setattr(cluster.found.audit, "drop_through", fails)
        log = cluster.log(cluster.found, most_bytes=2_000)
        await log.open()
        await written(log, 12)
        cluster.clock.advance(TRIM_EVERY_MS / 1000)
        await written(log, 1)
        before = await told(log)
        await log.close()
        assert (await cluster.messages())["entry"] == 14
        async with cluster.plane() as after:
            assert await told(after) == before
            assert (await after.verify()).entries == len(before)

    play(story)


def test_the_file_that_an_earlier_version_wrote_goes_on_also_when_that_was_cut_off(play: Play) -> None:
    async def story(cluster: Cluster) -> None:
        file = AuditLog(SqliteAudit(cluster.folder / "volume" / "audit.db"), AuditLimits(), cluster.clock)
        await file.open()
        await written(file, 5)
        noted = (await file.verify()).head
        await file.begin(DRAFT)
        await file.close()
        async with cluster.plane("volume") as log:
            assert await told(log) == [*((at, 200) for at in range(1, 6)), (6, 0)]
            found = await log.verify(noted)
            assert (found.whole, found.entries) == (True, 6)
            await written(log, 1)
        async with cluster.plane("volume") as log:
            assert (await log.verify(noted)).entries == 7
        async with cluster.plane("elsewhere") as log:
            await written(log, 1)
            assert len(await told(log)) == 8

    play(story)


def test_a_copy_that_somebody_lengthened_is_not_taken_over(play: Play) -> None:
    async def story(cluster: Cluster) -> None:
        async with cluster.plane("volume") as log:
            await written(log, 3)
        with sqlite3.connect(cluster.folder / "volume" / "audit.db") as copy:
            copy.execute(
                "INSERT INTO entries (sequence, at, namespace, who, action, entry)"
                " SELECT 4, at, namespace, who, action, replace(entry, ?, ?) FROM entries WHERE sequence = 3",
                ('"sequence":3', '"sequence":4'),
            )
        copy.close()
        async with cluster.plane("volume") as log:
            assert await told(log) == [(1, 200), (2, 200), (3, 200)]
            assert (await log.verify()).entries == 3

    play(story)


def test_servers_that_lost_their_disks_are_given_the_log_anew(play: Play) -> None:
    async def story(cluster: Cluster) -> None:
        async with cluster.plane() as log:
            await written(log, 3)
            begun = await log.begin(DRAFT)
            await (await cluster.found.connection.context()).purge_stream(AUDIT)
            await log.end(begun, 204)
            assert (await log.verify()).entries == 4
            await log.begin(DRAFT)
            await (await cluster.found.connection.context()).purge_stream(AUDIT)
            await written(log, 1)
        async with cluster.plane() as after:
            assert await told(after) == [(1, 200), (2, 200), (3, 200), (4, 204), (5, 200), (6, 0)]
            assert (await after.verify()).entries == 6

    play(story)


@pytest.mark.parametrize(("gone", "broken", "reason"), [(2, 2, "missing"), (5, 5, "cut off: 5 entries were written")])
def test_whoever_was_at_the_servers_is_found(play: Play, gone: int, broken: int, reason: str) -> None:
    async def story(cluster: Cluster) -> None:
        async with cluster.plane() as log:
            await written(log, 5)
            context = await cluster.found.connection.context()
            numbers = [note.number for note in await cluster.found.audit.read("entry", 0)]
            await context.delete_msg(AUDIT, numbers[gone - 1])
            found = await log.verify()
            assert (found.whole, found.broken) == (False, broken)
            assert reason in found.reason

    play(story)


def test_a_log_that_was_cut_off_while_nobody_worked_lacks_the_head_that_was_noted(play: Play) -> None:
    async def story(cluster: Cluster) -> None:
        async with cluster.plane() as log:
            await written(log, 3)
            noted = (await log.verify()).head
        await (await cluster.found.connection.context()).purge_stream(AUDIT)
        async with cluster.plane() as log:
            await written(log, 3, who="somebody")
            assert (await log.verify()).whole
            assert (await log.verify(noted)).broken == 3
            assert (await log.verify(AuditHead(9, "a" * 64))).broken == 4

    play(story)


def test_a_long_log_is_read_page_by_page(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_reading, "_BATCH", 3)

    async def story(cluster: Cluster) -> None:
        async with cluster.plane() as log:
            await written(log, 10)
        async with cluster.plane() as log:
            assert [each for each, _ in await told(log)] == list(range(1, 11))
            assert (await log.verify()).entries == 10
            assert len(await log.find(AuditQuery(before=4))) == 3

    play(story)


def test_a_copy_that_is_damaged_is_made_anew(play: Play) -> None:
    async def story(cluster: Cluster) -> None:
        async with cluster.plane("copy") as log:
            await written(log, 3)
        path = cluster.folder / "copy" / "audit.db"
        path.write_bytes(b"nothing of ours" * 1000)
        async with cluster.plane("copy") as log:
            assert len(await told(log)) == 3
        assert path.with_suffix(".damaged").read_bytes().startswith(b"nothing of ours")

    play(story)


def test_a_log_of_a_newer_layout_is_left_alone_and_every_change_refused(play: Play) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.found.audit.take_over(99)
        async with cluster.plane() as log:
            with pytest.raises(StoreUnavailable, match="nothing is changed without it"):
                await log.begin(DRAFT)

    play(story)
