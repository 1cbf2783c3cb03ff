"""Roll-ups: exact sums of what gateways counted, whatever is lost, repeated or killed on the way."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayfly.control.clock import ManualClock
from dayfly.model.errors import StoreUnavailable
from dayfly.model.invocation import RecordLimits
from dayfly.model.names import NamespaceName
from dayfly.model.rollup import Rollup, Span
from dayfly.model.table import LATENCY_BUCKETS_S, FunctionLoad, Load
from dayfly.observe import rollups as module
from dayfly.observe.record_file import RecordFile
from dayfly.observe.records import RecordStore
from dayfly.observe.rollups import RollupQuery, totals_of

NOON_MS = 1_700_006_400_000
Story = Callable[[RecordStore], Awaitable[None]]


def figures(calls: int, failed: int = 0, function: str = "f.team") -> FunctionLoad:
    def row(count: int) -> tuple[int, float, tuple[int, ...]]:
        return count, count * 0.5, (count, *[0] * len(LATENCY_BUCKETS_S))

    return FunctionLoad(
        function, 0, 0, calls, {200: row(calls - failed), 500: row(failed)}, cold=1, run_s=calls * 0.25,
        received=calls * 10, sent=calls * 20,
    )  # fmt: skip


def play(path: Path, story: Story, clock: ManualClock) -> None:
    async def main() -> None:
        store = RecordStore(path, RecordLimits(), clock)
        await store.open()
        try:
            async with asyncio.timeout(60):
                await story(store)
        finally:
            await store.close()

    asyncio.run(main())


async def found(store: RecordStore, span: Span = "minute", namespace: str = "team") -> list[Rollup]:
    return await store.rolled_up(RollupQuery(namespace=namespace, span=span))


def test_totals_become_sums_of_the_minute_and_the_hour(tmp_path: Path) -> None:
    clock = ManualClock(unix_ms=NOON_MS)

    async def story(store: RecordStore) -> None:
        store.take("gw0", "a", Load((figures(4, 1),)))
        store.take("gw1", "b", Load((figures(2), figures(3, function="g.team"), figures(9, function="x.other"))))
        assert [(each.function, each.calls) for each in await found(store)] == [("f", 6), ("g", 3)]
        clock.advance(60)
        store.take("gw0", "a", Load((figures(5, 1),)))
        store.take("gw0", "a", Load((figures(5, 1),)))
        newest, *earlier = await found(store)
        assert (newest.at_unix_s, newest.calls, newest.failed) == (NOON_MS // 1000 + 60, 1, 0)
        assert {each.at_unix_s for each in earlier} == {NOON_MS // 1000}
        hour = (await found(store, "hour"))[0]
        assert (hour.function, hour.namespace, hour.calls, hour.failed, hour.cold) == ("f", "team", 7, 1, 2)
        assert (hour.seconds, hour.run_s, hour.request_bytes, hour.response_bytes) == (3.5, 1.75, 70, 140)
        assert hour.latencies == (7, *[0] * len(LATENCY_BUCKETS_S))
        assert hour.quantile_s(0.5) == LATENCY_BUCKETS_S[0]

    play(tmp_path / "calls.db", story, clock)


def test_a_restart_counts_nothing_twice_and_leaves_nothing_out(tmp_path: Path) -> None:
    clock = ManualClock(unix_ms=NOON_MS)

    async def before(store: RecordStore) -> None:
        store.take("gw0", "a", Load((figures(4),)))

    async def after(store: RecordStore) -> None:
        store.take("gw0", "a", Load((figures(6),)))
        store.take("gw0", "next", Load((figures(1),)))
        assert [each.calls for each in await found(store)] == [7]

    play(tmp_path / "calls.db", before, clock)
    play(tmp_path / "calls.db", after, clock)


def test_what_could_not_be_written_is_written_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(store: RecordStore) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(RecordFile, "roll_up", lambda *_: StoreUnavailable("full"))
            store.take("gw0", "a", Load((figures(4),)))
            assert await found(store) == []
        assert [each.calls for each in await found(store)] == [4]

    play(tmp_path / "calls.db", story, ManualClock(unix_ms=NOON_MS))


def test_old_ones_and_too_many_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 3)
    file = RecordFile(tmp_path / "calls.db", RecordLimits())
    file.open()
    for turn in range(1, 6):
        reports = {("gw0", f"boot{turn}", "f.team"): totals_of(figures(1))}
        assert file.roll_up(reports, NOON_MS + turn * 3_600_000) is None
    file.trim(NOON_MS + 6 * 3_600_000)
    assert len(file.rolled_up(RollupQuery(namespace="team", span="hour"))) == 3
    assert len(file.read("SELECT 1 FROM counted")) == 4
    file.trim(NOON_MS + 500 * 86_400_000)
    assert file.rolled_up(RollupQuery(namespace="team", span="hour")) == []
    assert file.forget(NamespaceName("team")) is None
    file.close()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.booleans()), max_size=30))
def test_whatever_order_and_however_often_the_sum_is_what_was_counted(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bool]]
) -> None:
    file = RecordFile(tmp_path_factory.mktemp("rollups") / "calls.db", RecordLimits())
    file.open()
    counted = {"a": 0, "b": 0}
    told = dict(counted)
    for boot, more, is_reopened in steps:
        counted[boot] += more
        assert file.roll_up({("gw0", boot, "f.team"): totals_of(figures(counted[boot]))}, NOON_MS) is None
        told[boot] = counted[boot]
        if is_reopened:
            file.close()
            file.open()
    rows = file.rolled_up(RollupQuery(namespace="team", span="hour"))
    assert sum(each.calls for each in rows) == sum(told.values())
    file.close()
