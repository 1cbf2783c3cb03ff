"""Schedules: against a reading of the five fields that tries every minute, and what is no schedule."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.cron import LATE, LONG_AGO, MAX_EXPRESSIONS, CronPlan, Schedule
from dayfly.model.errors import InvalidSpec

NOW = datetime(2026, 11, 29, 12, 30, 15, tzinfo=UTC)
CRON = {"topic": "cron-function", "schedule": "0 * * * *"}

moments = st.integers(0, 8 * 366 * 86_400 * 10).map(lambda tenths: NOW + timedelta(seconds=tenths / 10))


def field(low: int, high: int) -> st.SearchStrategy[tuple[str, set[int]]]:
    """A cron field, and the values that it means."""
    numbers = st.integers(low, high)
    one = numbers.map(lambda n: (str(n), {n}))
    every = st.just(("*", set(range(low, high + 1))))
    steps = st.integers(1, high).map(lambda n: (f"*/{n}", set(range(low, high + 1, n))))
    spans = st.tuples(numbers, numbers).map(sorted).map(lambda ab: (f"{ab[0]}-{ab[1]}", set(range(ab[0], ab[1] + 1))))
    single = st.one_of(one, every, steps, spans)
    lists = st.lists(st.one_of(one, spans), min_size=2, max_size=3).map(
        lambda parts: (",".join(text for text, _ in parts), set().union(*(values for _, values in parts)))
    )
    return st.one_of(single, lists)


@given(field(0, 59), field(0, 23), moments)
def test_the_next_moment_is_the_first_minute_that_fits(
    minutes: tuple[str, set[int]], hours: tuple[str, set[int]], moment: datetime
) -> None:
    schedule = Schedule(f"{minutes[0]} {hours[0]} * * *")
    candidate = moment.replace(second=0, microsecond=0)
    while True:
        candidate += timedelta(minutes=1)
        if candidate.minute in minutes[1] and candidate.hour in hours[1]:
            break
    assert schedule.next_after(moment) == candidate
    assert schedule.last_until(candidate) == candidate
    assert schedule.next_after(candidate - timedelta(seconds=1)) == candidate


@given(st.sampled_from(["*/7 * * * *", "5 4 * * SUN", "0 0 1,15 * *", "@every 90s", "@hourly; 30 6 * * *"]), moments)
def test_what_comes_next_is_what_was_last_afterwards(text: str, moment: datetime) -> None:
    schedule = Schedule(text)
    following = schedule.next_after(moment)
    assert following is not None
    assert following > moment
    assert schedule.last_until(following) == following
    before = schedule.last_until(following - timedelta(microseconds=1))
    assert before is not None
    assert before <= moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@daily", "2026-11-30T00:00"), ("@midnight", "2026-11-30T00:00"), ("@weekly", "2026-12-06T00:00"),
        ("@monthly", "2026-12-01T00:00"), ("@yearly", "2027-01-01T00:00"), ("@annually", "2027-01-01T00:00"),
        ("@HOURLY", "2026-11-29T13:00"), ("@every 1m30s", "2026-11-29T12:31:30"), ("@every 5m", "2026-11-29T12:35"),
        ("0 9 * * MON-FRI", "2026-11-30T09:00"), ("0 0 ? * 3", "2026-12-02T00:00"), ("0 0 29 2 *", "2028-02-29T00:00"),
        ("CRON_TZ=Europe/Paris 0 9 * * *", "2026-11-30T08:00"), ("TZ=Asia/Tokyo 0 9 * * *", "2026-11-30T00:00"),
        ("0 3 * * *; 45 12 * * *", "2026-11-29T12:45"),
    ],
)  # fmt: skip
def test_what_people_write(text: str, expected: str) -> None:
    assert Schedule(text).next_after(NOW) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_zone_counts_where_an_expression_names_none() -> None:
    schedule = Schedule("0 9 * * *; CRON_TZ=UTC 0 10 * * *", "America/New_York")
    assert schedule.next_after(NOW) == datetime(2026, 11, 29, 14, tzinfo=UTC)
    assert Schedule("0 10 * * *").next_after(NOW) == datetime(2026, 11, 30, 10, tzinfo=UTC)


def test_an_hour_that_does_not_exist_is_not_left_out_and_one_that_comes_twice_is_one() -> None:
    paris = ZoneInfo("Europe/Paris")
    schedule = Schedule("30 2 * * *", "Europe/Paris")
    spring, autumn = datetime(2026, 3, 28, 12, tzinfo=paris), datetime(2026, 10, 24, 12, tzinfo=paris)
    for begin in (spring, autumn):
        first = schedule.next_after(begin.astimezone(UTC))
        assert first is not None
        second = schedule.next_after(first)
        assert second is not None
        assert (first.astimezone(paris).date(), second.astimezone(paris).date()) == (
            begin.date() + timedelta(days=1), begin.date() + timedelta(days=2),
        )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "", ";", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
        "a * * * *", "*/0 * * * *", "5-1 * * * *", "0 0 30 2 *", "0 0 31 4 *", "@never", "@every", "@every 0s",
        "@every 1.5s", "@every 500ms", "@every -5m", "@every 10000h", "CRON_TZ=Mars/Base 0 0 * * *",
        "TZ=../../etc/passwd 0 0 * * *", "TZ=/etc/passwd 0 0 * * *",
        "0 0 * * *" + " " * 1000, ";".join(["* * * * *"] * (MAX_EXPRESSIONS + 1)),
    ],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        Schedule(text)


@given(st.text(max_size=60))
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    try:
        schedule = Schedule(text)
    except InvalidSpec:
        return
    following = schedule.next_after(NOW)
    assert following is None or following > NOW


def test_annotations_that_ask_for_nothing() -> None:
    for annotations in ({}, {"schedule": "* * * * *"}, {"topic": "cron-function"}, CRON | {"topic": "payments"}):
        assert CronPlan.of(annotations) is None
    assert CronPlan.of(CRON | {"topic": "payments, cron-function"}) is not None
    with pytest.raises(InvalidSpec, match=r"com\.dayfly\.cron\.missed"):
        CronPlan.of(CRON | {"com.dayfly.cron.missed": "twice"})
    with pytest.raises(InvalidSpec, match="cron expression"):
        CronPlan.of(CRON | {"schedule": "soon"})


def test_of_what_was_missed_the_last_is_made_up_for_unless_it_is_long_ago_or_not_wanted() -> None:
    once, skip = CronPlan.of(CRON), CronPlan.of(CRON | {"com.dayfly.cron.missed": "skip"})
    assert once is not None
    assert skip is not None
    noon, seen = NOW.replace(minute=0, second=0), NOW - timedelta(hours=5)
    assert once.due(seen, NOW) == noon
    assert skip.due(seen, NOW) is None
    for plan in (once, skip):
        assert plan.due(seen, noon) == noon
        assert plan.due(seen, noon + LATE) == noon
        assert plan.due(noon, NOW) is None, "it was seen"
    daily = CronPlan.of(CRON | {"schedule": "@daily"})
    assert daily is not None
    midnight = NOW.replace(hour=0, minute=0, second=0)
    assert daily.due(midnight - timedelta(days=3), midnight + LONG_AGO) == midnight
    assert daily.due(midnight - timedelta(days=3), midnight + LONG_AGO + timedelta(seconds=1)) is None
