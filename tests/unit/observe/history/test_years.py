"""Months and years: what is long ago is read from quarters of an hour and from days, and goes when its time is over."""

from pathlib import Path

import pytest
from tests.unit.observe.history.figures import BEGIN_MS, calls, memory, played, scrape, values

from dayfly.observe.history.queries import Extent
from dayfly.observe.history.scrape import Scrape
from dayfly.observe.history.store import MAX_PENDING, HistoryStore

CALLS, MEMORY = "gateway_function_invocation_total", "dayfly_function_memory_bytes"
HOUR_S, DAY_S = 3600, 86_400
EVERY_H, DAYS = 3, 400
A_DAY = 24 // EVERY_H


def at_day(day: float) -> Extent:
    moment = BEGIN_MS + round(day * DAY_S * 1000)
    return Extent(None, moment, moment)


async def filled(store: HistoryStore, scrapes: list[Scrape]) -> None:
    """Record them all, some at a time."""
    for number, each in enumerate(scrapes, 1):
        store.record(each)
        if number % MAX_PENDING == 0 or number == len(scrapes):
            await store.flushed()


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of 400 days, a sample each three hours; the number of the sample is what it says."""
    path = tmp_path_factory.mktemp("years") / "h.db"

    async def fill(store: HistoryStore) -> None:
        steps = range(DAYS * A_DAY + 1)
        await filled(
            store, [scrape(step * EVERY_H * HOUR_S, calls("a.x", step), memory("a.x", step)) for step in steps]
        )

    async def tidy(store: HistoryStore) -> None:
        for _ in range(2):  # before the second there was time to remove what is too old
            await store.flushed()

    played(path, fill)
    played(path, tidy)
    return path


def test_a_quarter_of_a_year_is_known_to_a_quarter_of_an_hour(years: Path) -> None:
    async def story(store: HistoryStore) -> None:
        now = at_day(DAYS)
        for days_ago, step in (
            (3.5, 396.5 * A_DAY),  # from the minutes
            (89.5, 310.5 * A_DAY),  # as it was at noon
            (90.5, 309 * A_DAY - 1),  # noon is gone: the last one of the day before
            (399, 1 * A_DAY - 1),
        ):
            found = values(await store.at_moment(f"{MEMORY} offset {int(days_ago * 24)}h", now))
            assert found == {"a.x": [step]}, days_ago
        least = values(await store.at_moment(f"min_over_time({MEMORY}[90d])", now))
        assert least == {"a.x": [310 * A_DAY]}
        rose = values(await store.at_moment(f"increase({CALLS}[90d])", now))
        assert rose["200,a.x"] == [pytest.approx(90 * A_DAY, rel=0.001)]

    played(years, story)


def test_a_year_is_known_to_a_day(years: Path) -> None:
    async def story(store: HistoryStore) -> None:
        span = Extent(None, BEGIN_MS + 35 * DAY_S * 1000, BEGIN_MS + DAYS * DAY_S * 1000)
        (found,) = values(await store.over_span(f"max by (function_name) ({MEMORY})", span, DAY_S * 1000)).values()
        # A midnight that only the days know has the last value of the day before it.
        assert found == [day * A_DAY - (day < DAYS - 90) for day in range(35, DAYS + 1)]
        low = values(await store.at_moment(f"min_over_time({MEMORY}[365d])", at_day(DAYS)))
        assert low["a.x"] == [pytest.approx(35 * A_DAY, abs=A_DAY)]
        rose = values(await store.at_moment(f"sum(increase({CALLS}[365d]))", at_day(DAYS)))
        assert rose[""] == [pytest.approx(365 * A_DAY, rel=0.01)]

    played(years, story)


def test_what_is_older_than_five_years_is_gone(tmp_path: Path) -> None:
    path, last = tmp_path / "h.db", 5 * 366 + 40

    async def fill(store: HistoryStore) -> None:
        await filled(store, [scrape(day * DAY_S, memory("a.x", day)) for day in range(last + 1)])

    async def look(store: HistoryStore) -> None:
        for _ in range(2):  # before the second there was time to remove what is too old
            await store.flushed()
        oldest = values(await store.at_moment(f"min_over_time({MEMORY}[{last}d])", at_day(last)))
        assert oldest == {"a.x": [40]}
        assert values(await store.at_moment(MEMORY, at_day(41.5))) == {"a.x": [41]}
        assert values(await store.at_moment(MEMORY, at_day(38.5))) == {}

    played(path, fill)
    played(path, look)
