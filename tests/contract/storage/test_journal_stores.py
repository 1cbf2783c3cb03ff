"""Runs and ledger on a real nats-server: who has taken over, what the one before may not, and what is in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.contract.queue.conftest import NatsServer
from tests.contract.storage.journals import connected, journals
from tests.contract.storage.test_flow_runs import ALL, run_of
from tests.contract.storage.test_ledger import TEAM, A, used

from dayfly.model.errors import StoreFull, StoreUnavailable
from dayfly.model.flow_run import Ended, Finished
from dayfly.queue import connection, journal, wire
from dayfly.queue.journal import FLOWS, SPENDING, JetStreamJournal, Journals
from dayfly.storage import journal_flow_runs, journal_ledger
from dayfly.storage.flow_runs import Outrun, RunKey, RunQuery
from dayfly.storage.journal_flow_runs import JournalRuns
from dayfly.storage.journal_ledger import JournalLedger
from dayfly.storage.ledger import Growth

Story = Callable[[Journals], Awaitable[None]]
Play = Callable[[Story], None]


@pytest.fixture
def play(nats_server: NatsServer) -> Play:
    """Tell a story with empty journals."""

    async def main(story: Story) -> None:
        async with journals(nats_server) as found:
            await story(found)

    return lambda story: asyncio.run(main(story))


@pytest.fixture
def another(nats_server: NatsServer) -> Any:
    """Another control plane's journals."""
    return lambda: connected(nats_server.access_file)


class Cut:
    """Loses the answer to the next write when told to, though all was kept."""

    def __init__(self, whole: JetStreamJournal, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lose = False
        for name in ("write", "write_as_owner"):
            monkeypatch.setattr(whole, name, self._through(getattr(whole, name)))

    def _through(self, write: Any) -> Any:
        async def losing(*given: Any) -> Any:
            number = await write(*given)
            if self.lose:
                self.lose = False
                raise StoreUnavailable("lost")
            return number

        return losing


def test_another_control_plane_goes_on_with_all_that_there_is(play: Play, another: Any) -> None:
    async def story(first: Journals) -> None:
        before = JournalRuns(first.flows)
        await before.open()
        key = RunKey("k", "digest")
        await before.begin(run_of("1"), key=key)
        await before.begin(run_of("2", started=2))
        await before.append("1", 0, 10, ALL[:3])
        await before.append("2", 0, 11, [Finished(state="done", result=5)])
        async with another() as second:
            after = JournalRuns(second.flows)
            await after.open()
            assert await after.under_way() == [run_of("1")]
            assert [each.entry for each in await after.log("1")] == ALL[:3]
            assert (await after.get("2")).result == 5
            assert (await after.begin(run_of("3"), key=key)).id == "1"
            assert await after.append("1", 3, 12, ALL[3:4]) == await after.size("1")
            assert [run.id for run in await after.listed(RunQuery(namespace="team"))] == ["2", "1"]

    play(story)


def test_whoever_was_deposed_writes_no_step_even_while_the_successor_has_written_none(play: Play, another: Any) -> None:
    async def story(first: Journals) -> None:
        before = JournalRuns(first.flows)
        await before.open()
        await before.begin(run_of())
        await before.append("r", 0, 10, ALL[:1])
        async with another() as second:
            after = JournalRuns(second.flows)
            await after.open()
            with pytest.raises(Outrun):
                await before.append("r", 1, 11, ALL[1:2])
            with pytest.raises(StoreUnavailable, match="another control plane"):  # and not when it has looked, either
                await before.append("r", 1, 11, ALL[1:2])
            assert [each.entry for each in await after.log("r")] == ALL[:1]
            await after.append("r", 1, 12, ALL[1:2])

    play(story)


def test_whoever_was_deposed_begins_no_run_and_counts_nothing(play: Play, another: Any) -> None:
    async def story(first: Journals) -> None:
        runs, ledger = JournalRuns(first.flows), JournalLedger(first.spending)
        await runs.open()
        await ledger.open()
        await ledger.add([Growth(A, 1, used(1))], {str(A): 1})
        async with another() as second:
            other_runs, other_ledger = JournalRuns(second.flows), JournalLedger(second.spending)
            await other_runs.open()
            await other_ledger.open()
            for step in (runs.begin(run_of()), ledger.add([Growth(A, 1, used(5))], {str(A): 6})):
                with pytest.raises(StoreUnavailable, match="taken over"):
                    await step
            third = JournalRuns(second.flows)
            await third.open()
            assert await third.under_way() == []
            assert await JournalLedgerOf(second).read() == ({A: used(1)}, {str(A): 1})

    play(story)


def test_whether_they_answer_is_told(play: Play, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(found: Journals) -> None:
        assert await found.answer()
        monkeypatch.setattr(connection, "REQUEST_S", 0.05)
        with pytest.raises(StoreUnavailable):
            await Journals(nats_server.access_file).answer()  # nobody keeps it connected

    play(story)


def test_servers_that_lost_their_disks_are_begun_and_counted_on_again(play: Play) -> None:
    async def story(found: Journals) -> None:
        runs, ledger = JournalRuns(found.flows), JournalLedger(found.spending)
        await runs.open()
        await ledger.open()
        await runs.begin(run_of("1"))
        await runs.append("1", 0, 10, ALL[:1])
        await ledger.add([Growth(A, 1, used(1))], {str(A): 1})
        await ledger.add([Growth(A, 24, used(2))], {str(A): 3})
        context = await found.connection.context()
        for stream in (FLOWS, SPENDING):
            await context.purge_stream(stream)
        with pytest.raises(Outrun):
            await runs.append("1", 1, 11, ALL[1:2])
        await runs.begin(run_of("2"))
        assert await runs.under_way() == [run_of("2")]
        await runs.append("2", 0, 10, ALL[:1])
        await ledger.add([Growth(A, 48, used(4))], {str(A): 7})
        assert await JournalLedgerOf(found).read() == ({A: used(6)}, {str(A): 7})
        assert await ledger.used(0, 100) == {A: used(6)}

    play(story)


class JournalLedgerOf:
    """What a ledger finds that is opened now."""

    def __init__(self, found: Journals) -> None:
        self._ledger = JournalLedger(found.spending)

    async def read(self) -> tuple[Any, Any]:
        await self._ledger.open()
        return await self._ledger.used(0, 100), await self._ledger.marks()


def test_a_step_that_was_kept_though_its_answer_was_lost_is_kept_once(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(found: Journals) -> None:
        cut = Cut(found.flows, monkeypatch)
        runs = JournalRuns(found.flows)
        await runs.open()
        await runs.begin(run_of())
        cut.lose = True
        with pytest.raises(StoreUnavailable, match="lost"):
            await runs.append("r", 0, 10, ALL[:1])
        with pytest.raises(Outrun):
            await runs.append("r", 0, 10, ALL[:1])
        assert [each.entry for each in await runs.log("r")] == ALL[:1]
        await runs.append("r", 1, 11, ALL[1:2])
        assert len(await runs.log("r")) == 2

    play(story)


def test_a_run_whose_beginning_failed_is_not_begun_later(
    play: Play, another: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(found: Journals) -> None:
        cut = Cut(found.flows, monkeypatch)
        runs = JournalRuns(found.flows)
        await runs.open()
        cut.lose = True
        with pytest.raises(StoreUnavailable, match="lost"):
            await runs.begin(run_of("ghost"), key=RunKey("k", "d"))
        assert (await runs.begin(run_of("real"), key=RunKey("k", "d"))).id == "real"
        async with another() as second:
            after = JournalRuns(second.flows)
            await after.open()
            assert [run.id for run in await after.under_way()] == ["real"]

    play(story)


def test_use_that_was_kept_though_its_answer_was_lost_counts_once(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(found: Journals) -> None:
        cut = Cut(found.spending, monkeypatch)
        ledger = JournalLedger(found.spending)
        await ledger.open()
        await ledger.add([Growth(A, 1, used(1))], {})
        for grown in ([Growth(A, 1, used(2))], [Growth(A, 1, used(2)), Growth(A, 26, used(4))]):
            cut.lose = True  # the second time on a board that is new
            with pytest.raises(StoreUnavailable, match="lost"):
                await ledger.add(grown, {str(A): 3})
        await ledger.add([Growth(A, 1, used(2)), Growth(A, 50, used(4))], {str(A): 7})
        assert await JournalLedgerOf(found).read() == ({A: used(7)}, {str(A): 7})

    play(story)


def test_what_was_still_on_its_way_when_a_write_failed_is_refused(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(found: Journals) -> None:
        await found.flows.take_over(1)
        late: list[tuple[Any, ...]] = []
        publish = found.flows._wire.publish

        async def delayed(*args: Any, **named: Any) -> Any:
            late.append((args, named))
            raise StoreUnavailable("lost")

        monkeypatch.setattr(found.flows._wire, "publish", delayed)
        with pytest.raises(StoreUnavailable, match="lost"):
            await found.flows.write_as_owner("a", b"first", b"")
        monkeypatch.setattr(found.flows._wire, "publish", publish)
        await found.flows.write_as_owner("a", b"second", b"")
        (_subject, _sent, expected, body, of), _named = late[0]
        assert await found.flows._publish("a", b"first", body, expected, of=of) is None
        last = await found.flows.last("a")
        assert last is not None
        assert last.head == b"second"

    play(story)


def test_long_values_are_kept_in_pieces_and_go_with_their_run(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PART_BYTES", 1000)
    long = Ended(path="a", result="x" * 4321)

    async def story(found: Journals) -> None:
        runs = JournalRuns(found.flows)
        await runs.open()
        await runs.begin(run_of(input="y" * 2500))
        await runs.append("r", 0, 10, [long])
        assert (await runs.get("r")).input == "y" * 2500
        assert [each.entry for each in await runs.log("r")] == [long]
        context = await found.connection.context()
        assert (await context.stream_info(FLOWS, subjects_filter="dayfly.flows.run.>")).state.subjects
        await runs.remove(["r"])
        assert not (await context.stream_info(FLOWS, subjects_filter="dayfly.flows.run.>")).state.subjects

    play(story)


def test_a_message_is_one_that_the_server_takes(play: Play) -> None:
    async def story(found: Journals) -> None:
        runs = JournalRuns(found.flows)
        await runs.open()
        await runs.begin(run_of())
        entries = [Ended(path=str(at), result="x" * 2**20) for at in range(15)]
        await runs.append("r", 0, 10, entries)
        assert [each.entry for each in await runs.log("r")] == entries

    play(story)


def test_runs_that_are_over_make_room_and_runs_under_way_do_not(play: Play) -> None:
    async def story(found: Journals) -> None:
        runs = JournalRuns(found.flows, most_bytes=13_500)
        await runs.open()
        for at, name in enumerate("abc"):
            await runs.begin(run_of(name, input="x" * 3000))
            if name != "b":
                await runs.append(name, 0, 10 + at, [Finished(state="done")])
        await runs.begin(run_of("d", input="x" * 3000))
        assert {run.id for run in await runs.listed(RunQuery(namespace="team"))} == {"b", "c", "d"}
        with pytest.raises(StoreFull, match="under way"):
            await runs.begin(run_of("e", input="x" * 12_000))

    play(story)


def test_a_journal_of_a_newer_layout_is_left_alone(play: Play) -> None:
    async def story(found: Journals) -> None:
        await found.flows.take_over(99)
        await found.spending.take_over(99)
        for store in (JournalRuns(found.flows), JournalLedger(found.spending)):
            with pytest.raises(StoreUnavailable, match="newer Dayfly"):
                await store.open()

    play(story)


def test_a_server_that_cannot_keep_the_one_before_out_is_not_used(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_EXPECTED_OF", "X-Unknown")

    async def story(found: Journals) -> None:
        with pytest.raises(StoreUnavailable, match="does not know"):
            await JournalRuns(found.flows).open()

    play(story)


def test_what_cannot_be_read_is_told_or_counts_as_nothing(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def story(found: Journals) -> None:
        runs, ledger = JournalRuns(found.flows), JournalLedger(found.spending)
        await runs.open()
        await runs.begin(run_of())
        await found.flows.write_as_owner("run.r.head", b"{}", b"{}")
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await runs.get("r")
        await found.spending.take_over(journal_ledger.LAYOUT)
        await found.spending.write_as_owner("day.1", b"", b"nothing of ours")
        await ledger.open()
        assert await ledger.used(0, 100) == {}
        assert "cannot be read" in caplog.text
        await ledger.forget(TEAM)

    play(story)


def test_stores_that_are_not_open_say_so(play: Play) -> None:
    async def story(found: Journals) -> None:
        with pytest.raises(StoreUnavailable, match="not open"):
            await JournalRuns(found.flows).under_way()
        with pytest.raises(StoreUnavailable, match="not open"):
            await JournalLedger(found.spending).marks()

    assert journal_flow_runs.LAYOUT == journal_ledger.LAYOUT == 1
    play(story)
