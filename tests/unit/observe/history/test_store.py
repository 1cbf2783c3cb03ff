"""What was sampled is found again: as it was, over restarts, in coarse tiers, and by those whose it is."""

import asyncio
import threading
from pathlib import Path

import pytest
from tests.unit.observe.history.figures import BEGIN_MS, calls, kept, memory, played, scrape, values

from dayfly.control.clock import ManualClock
from dayfly.model.errors import LimitExceeded
from dayfly.model.history import HistoryLimits
from dayfly.model.names import NamespaceName
from dayfly.observe.history.queries import Extent
from dayfly.observe.history.store import MAX_WAITING, HistoryStore
from dayfly.observe.promql.faults import QueryFailed, QueryWrong

NAME = "gateway_function_invocation_total"


def at(after_s: float, namespace: str | None = None) -> Extent:
    moment = BEGIN_MS + round(after_s * 1000)
    return Extent(namespace, moment, moment)


def test_a_value_is_there_from_its_sample_until_the_series_ends(tmp_path: Path) -> None:
    async def story(store: HistoryStore) -> None:
        await kept(
            store,
            scrape(0, calls("a.x", 1)),
            scrape(10, calls("a.x", 1), memory("a.x", 7)),
            scrape(20, calls("b.x", 2)),
        )
        assert values(await store.at_moment(NAME, at(-1))) == {}
        assert values(await store.at_moment(NAME, at(10))) == {"200,a.x": [1], "200,b.x": [0]}
        assert values(await store.at_moment(NAME, at(20))) == {"200,b.x": [2]}
        assert values(await store.at_moment(f"{NAME}[30s]", at(20))) == {"200,a.x": [1, 1], "200,b.x": [0, 2]}

    played(tmp_path / "h.db", story)


def test_what_is_counted_for_the_first_time_is_in_its_rate(tmp_path: Path) -> None:
    """Or whoever looks at the first failures would be shown none; in coarse tiers as well."""

    async def story(store: HistoryStore) -> None:
        await kept(store, scrape(50, memory("a.x", 1)))
        await kept(store, *(scrape(60 + 10 * step, calls("b.x", 6), calls("a.x", 1, "500")) for step in range(4000)))
        rise = await store.at_moment(f"max_over_time(increase({NAME}[2m])[10m:10s])", at(600))
        assert values(rise) == {"200,b.x": [pytest.approx(6, rel=0.2)], "500,a.x": [pytest.approx(1, rel=0.2)]}
        rise = await store.at_moment(f"max_over_time(increase({NAME}[1h])[2h:1m])", at(5400))
        assert values(rise) == {"200,b.x": [pytest.approx(6, rel=0.2)], "500,a.x": [pytest.approx(1, rel=0.2)]}

    played(tmp_path / "h.db", story)


def test_what_is_counted_again_is_in_its_rate(tmp_path: Path) -> None:
    async def story(store: HistoryStore) -> None:
        await kept(store, scrape(0, memory("a.x", 1)), scrape(10, calls("a.x", 4)), scrape(20, memory("b.x", 1)))
        await kept(store, scrape(30, memory("b.x", 1)), scrape(40, calls("a.x", 2), life="b"))
        assert values(await store.at_moment(f"{NAME}[1m]", at(40))) == {"200,a.x": [0, 4, 4, 6]}

    played(tmp_path / "h.db", story)


def test_what_there_was_no_room_for_is_not_taken_for_new(tmp_path: Path) -> None:
    """It was counted before, so what it counts when there is room at last is no rise."""

    async def story(store: HistoryStore) -> None:
        await kept(store, scrape(0, calls("a.x", 1), calls("b.y", 1)), scrape(10, calls("c.z", 9), calls("b.y", 1)))
        assert store.refused == 1
        await store.clear(NamespaceName("y"))
        await kept(store, scrape(20, calls("c.z", 9)))
        assert values(await store.at_moment(f"{NAME}[1m]", at(20))) == {"200,a.x": [1], "200,c.z": [9]}

    played(tmp_path / "h.db", story, limits=HistoryLimits(series=2))


def test_a_counter_goes_on_over_lives_of_the_control_plane(tmp_path: Path) -> None:
    path = tmp_path / "h.db"

    async def first(store: HistoryStore) -> None:
        await kept(store, scrape(0, calls("a.x", 5)), scrape(10, calls("a.x", 8)))

    async def second(store: HistoryStore) -> None:
        # What begins anew has a new life, though it may count higher than before already.
        await kept(store, scrape(20, calls("a.x", 9), life="b"), scrape(30, calls("a.x", 2), life="b"))
        assert values(await store.at_moment(NAME, at(20))) == {"200,a.x": [17]}
        assert values(await store.at_moment(NAME, at(30))) == {"200,a.x": [19]}

    async def third(store: HistoryStore) -> None:
        # It has not counted yet, and what it counts is there.
        await kept(
            store, scrape(40, memory("a.x", 1), life="c"), scrape(50, memory("a.x", 1), calls("a.x", 1), life="c")
        )
        assert values(await store.at_moment(f"{NAME}[50s]", at(50))) == {"200,a.x": [5, 8, 17, 19, 19, 20]}

    for story in (first, second, third):
        played(path, story)


def test_what_a_counter_rose_by_is_the_same_in_every_tier(tmp_path: Path) -> None:
    async def story(store: HistoryStore) -> None:
        count = 0
        for step in range(0, 26 * 360, 6):
            count += step % 7
            await kept(store, scrape(step * 10, calls("a.x", count), memory("a.x", (step % 50) * 10)))
        for span in ("5h", "20h", "1d2h"):
            assert values(await store.at_moment(f"max_over_time({NAME}[{span}])", at(93_600))) == {"200,a.x": [count]}
        # Six hours are left of the finest, four days of the next: what lies before is read from there.
        for span, least in (("10m", 0), ("25h", 0)):
            found = values(await store.at_moment(f"min_over_time(dayfly_function_memory_bytes[{span}])", at(93_600)))
            assert found == {"a.x": [least]}
        counted = values(await store.at_moment("count_over_time(dayfly_function_memory_bytes[25h])", at(93_600)))
        assert counted["a.x"][0] == pytest.approx(25 * 60, abs=2)

    played(tmp_path / "h.db", story)


def test_a_subquery_and_a_fixed_moment_find_what_they_reach_back_to(tmp_path: Path) -> None:
    async def story(store: HistoryStore) -> None:
        for step in range(0, 7 * 360, 6):
            await kept(store, scrape(step * 10, memory("a.x", step), memory("a.y", 1e6)))
        own = at(7 * 3600, "x")
        for query, value in (
            # The finest tier has six hours left of the seven; what lies before is read from the next.
            ("min_over_time(min_over_time(dayfly_function_memory_bytes[1m])[7h:1m])", 0),
            ("max_over_time(max(dayfly_function_memory_bytes)[1h:1m] offset 6h)", 360),
            (f"sum(dayfly_function_memory_bytes @ {BEGIN_MS // 1000 + 1200})", 120),
            ("sum(dayfly_function_memory_bytes @ end() offset 2h)", 5 * 360),
            ("sum(max_over_time(dayfly_function_memory_bytes[3m:1m] @ start() offset 2h))", 5 * 360),
        ):
            ((found,),) = values(await store.at_moment(query, own)).values()
            assert found == pytest.approx(value, abs=6), query
        span = Extent("x", BEGIN_MS + 3_600_000, BEGIN_MS + 7_200_000)
        line = values(await store.over_span("sum(dayfly_function_memory_bytes @ end())", span, 600_000))
        assert line == {"": [720.0] * 7}
        line = values(await store.over_span("max_over_time(max(dayfly_function_memory_bytes)[2h:1m])", span, 1_200_000))
        assert line == {"": [360.0, 480.0, 600.0, 720.0]}
        assert len((await store.at_moment("dayfly_function_memory_bytes[5m:1m]", own)).lines[0].points) == 6

    played(tmp_path / "h.db", story)


def test_series_are_seen_by_those_whose_they_are(tmp_path: Path) -> None:
    async def story(store: HistoryStore) -> None:
        await kept(store, scrape(0, calls("a.x", 1), calls("a.y", 2)))
        assert values(await store.at_moment(NAME, at(0, "x"))) == {"200,a.x": [1]}
        assert values(await store.at_moment('{__name__=~".+"}', at(0, "y"))) == {"200,a.y": [2]}
        assert await store.series([], at(0, "z")) == []
        assert len(await store.series([], at(0))) == 2

    played(tmp_path / "h.db", story)


def test_series_go_with_their_namespace(tmp_path: Path) -> None:
    async def story(store: HistoryStore) -> None:
        await kept(store, scrape(0, calls("a.x", 1), calls("a.y", 2)))
        await store.clear(NamespaceName("x"))
        assert values(await store.at_moment(NAME, at(0))) == {"200,a.y": [2]}
        await kept(store, scrape(10, calls("a.x", 3)))
        assert values(await store.at_moment(f"{NAME}[1m]", at(10, "x"))) == {"200,a.x": [0, 3]}

    played(tmp_path / "h.db", story)


def test_there_are_no_more_series_than_allowed_and_one_namespace_has_half(tmp_path: Path) -> None:
    async def story(store: HistoryStore) -> None:
        await kept(store, scrape(0, *(calls(f"f{number}.x", 1) for number in range(20))))
        assert store.refused == 15
        await kept(store, scrape(10, *(calls(f"f{number}.{place}", 1) for number in range(6) for place in "xy")))
        assert len(await store.series([], at(10))) == 10
        assert len(await store.series([], at(10, "y"))) == 5

    played(tmp_path / "h.db", story, limits=HistoryLimits(series=10))


def test_the_file_keeps_within_its_size(tmp_path: Path) -> None:
    path = tmp_path / "h.db"

    async def fill(store: HistoryStore) -> None:
        for step in range(60):
            await kept(store, scrape(step * 10, *(memory(f"f{number}.x", step + number) for number in range(500))))

    async def look(store: HistoryStore) -> list[float]:
        for _ in range(2):  # before the second there was time to tidy
            await store.flushed()
        return values(await store.at_moment("count_over_time(dayfly_function_memory_bytes[1h])", at(590)))["f7.x"]

    played(path, fill)
    before = played(path, look)
    after = played(path, look, limits=HistoryLimits(size_bytes=2**20))
    assert 10 < after[0] < before[0]


def test_a_moment_before_the_last_one_is_left_out(tmp_path: Path) -> None:
    async def story(store: HistoryStore) -> None:
        await kept(store, scrape(10, calls("a.x", 5)), scrape(0, calls("a.x", 6)), scrape(20, calls("a.x", 7)))
        assert values(await store.at_moment(f"{NAME}[1m]", at(20))) == {"200,a.x": [5, 7]}

    played(tmp_path / "h.db", story)


def test_what_was_kept_while_the_clock_was_far_ahead_goes_when_it_is_set_right(tmp_path: Path) -> None:
    async def story(store: HistoryStore) -> None:
        await kept(store, scrape(0, calls("a.x", 5)), scrape(90_000, calls("a.x", 6)), scrape(10, calls("a.x", 6)))
        assert values(await store.at_moment(f"{NAME}[1m]", at(10))) == {"200,a.x": [5, 6]}
        assert values(await store.at_moment(f"{NAME}[2d]", at(90_000))) == {"200,a.x": [5, 6]}

    played(tmp_path / "h.db", story)


def test_what_cannot_be_answered_is_refused_in_words(tmp_path: Path) -> None:
    async def story(store: HistoryStore) -> None:
        await kept(store, scrape(0, calls("a.x", 1)))
        with pytest.raises(QueryWrong, match=r"^1:5: parse error"):
            await store.at_moment("sum(", at(0))
        with pytest.raises(QueryFailed, match="11,000 points per timeseries"):
            await store.over_span(NAME, Extent(None, BEGIN_MS, BEGIN_MS + 11_000_000), 1000)
        with pytest.raises(QueryFailed, match="zero or negative"):
            await store.over_span(NAME, at(0), 0)
        with pytest.raises(QueryFailed, match="must not be before"):
            await store.over_span(NAME, Extent(None, BEGIN_MS + 1, BEGIN_MS), 1000)

    played(tmp_path / "h.db", story)


def test_a_pattern_that_costs_much_is_given_up_and_a_plain_one_is_not(tmp_path: Path) -> None:
    """Of each value of a label that is looked at, what the pattern may take is reckoned before."""

    async def story(store: HistoryStore) -> None:
        await kept(store, scrape(0, *(calls(f"f{number}{'a' * 80}.x", 1) for number in range(600))))
        with pytest.raises(QueryFailed, match="too much work"):
            await store.at_moment(f'{NAME}{{function_name=~"(.*a{{300}}){{5}}"}}', at(0))
        found = await store.at_moment(f'count({NAME}{{function_name=~"f1.*"}})', at(0))
        assert values(found) == {"": [111]}

    played(tmp_path / "h.db", story)


def test_a_query_that_takes_long_holds_up_nothing_and_few_wait_for_it(tmp_path: Path) -> None:
    async def main() -> None:
        clock = ManualClock()
        store = HistoryStore(tmp_path / "h.db", HistoryLimits(), clock)
        await store.open()
        begun, may_end = threading.Event(), threading.Event()

        def slow() -> float:
            begun.set()
            may_end.wait()
            return 1000.0

        await kept(store, scrape(0, calls("a.x", 1)))
        clock.now = slow  # type: ignore[method-assign]  # as if it were reckoning
        asking = [asyncio.create_task(store.at_moment(NAME, at(0))) for _ in range(MAX_WAITING)]
        await asyncio.to_thread(begun.wait)
        with pytest.raises(LimitExceeded, match="stand in line"):
            await store.at_moment(NAME, at(0))
        may_end.set()
        assert [values(each) for each in await asyncio.gather(*asking)] == [{"200,a.x": [1]}] * MAX_WAITING
        await store.close()

    asyncio.run(main())
