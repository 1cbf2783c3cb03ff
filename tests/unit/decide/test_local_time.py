"""Schedules where clocks are put forward and back: against a reading that tries every minute of those days."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayfly.decide.cron import Schedule

MINUTE = timedelta(minutes=1)
# By an hour at night; at midnight, so that the day begins at one or 23:00 comes twice; by half an hour; nothing at all.
CHANGES = {
    "Europe/Paris": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00"),
    "America/Havana": ("2026-03-08T05:00", "2026-11-01T05:00"),
    "America/Sao_Paulo": ("2018-11-04T03:00", "2019-02-17T02:00"),
    "Africa/Cairo": ("2026-04-23T22:00", "2026-10-29T21:00"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),
    "Asia/Tokyo": ("2026-03-29T01:00",),
}
changes = st.sampled_from([(zone, change) for zone, all_of in CHANGES.items() for change in all_of])
# Minutes and hours as they are written, and which they are.
MINUTES = {"*": range(60), "*/20": range(0, 60, 20), "15": [15], "30": [30], "0,59": [0, 59], "0-59": range(60)}
HOURS = {"*": range(24), "*/2": range(0, 24, 2), **{str(hour): [hour] for hour in (0, 1, 2, 3, 23)}, "0-4": range(5)}


@cache
def minutes_near(zone: str, change: str) -> list[tuple[datetime, datetime]]:
    """Return the minutes of three days, and what clocks show at each."""
    begin = datetime.fromisoformat(change).replace(tzinfo=UTC) - timedelta(hours=36)
    moments = [begin + count * MINUTE for count in range(72 * 60)]
    return [(moment, moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for moment in moments]


@cache
def due_near(zone: str, change: str, minute: str, hour: str) -> list[datetime]:
    """Return what is due on those days: every minute whose reading fits, if it is to be done every so often.

    What is to be done at certain times is due at the first of two minutes that fit, and where clocks are put forward
    past one, at the first minute after.
    """
    often, seen = minute.startswith("*") or hour.startswith("*"), set[datetime]()
    found, before = [], minutes_near(zone, change)[0][1] - MINUTE
    for moment, reading in minutes_near(zone, change):
        passed = [before + count * MINUTE for count in range(1, (reading - before) // MINUTE + 1)]
        candidates = [reading] if often or not passed else passed
        fits = any(each.minute in MINUTES[minute] and each.hour in HOURS[hour] for each in candidates)
        if fits and (often or reading not in seen):
            found.append(moment)
        seen.add(reading)
        before = reading
    return found


@settings(max_examples=120, deadline=None)
@given(changes, st.sampled_from(sorted(MINUTES)), st.sampled_from(sorted(HOURS)), st.integers(-18_000, 18_000))
def test_what_is_due_is_what_clocks_say(place: tuple[str, str], minute: str, hour: str, seconds: int) -> None:
    schedule = Schedule(f"{minute} {hour} * * *", place[0])
    moment = datetime.fromisoformat(place[1]).replace(tzinfo=UTC) + timedelta(seconds=seconds)
    due = due_near(*place, minute, hour)
    assert schedule.last_until(moment) == max(each for each in due if each <= moment)
    assert schedule.next_after(moment) == min(each for each in due if each > moment)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("15 * * * *", ["00:15", "01:15", "02:15"]),  # 2:15, again 2:15, 3:15
        ("30 2 * * *", ["00:30"]),
        ("0 3 * * *", ["02:00"]),
    ],
)
def test_an_hour_that_comes_twice(schedule: str, expected: list[str]) -> None:
    moment, found = datetime(2026, 10, 25, tzinfo=UTC), []
    while (following := Schedule(schedule, "Europe/Paris").next_after(moment)) and following.hour < 3:
        if following.date() != moment.date():
            break
        found.append(f"{following:%H:%M}")
        moment = following
    assert found == expected


def test_what_would_be_due_in_an_hour_that_does_not_exist_is_due_after_it() -> None:
    for schedule, hour, minute in (("30 2 * * *", 1, 0), ("0 3 * * *", 1, 0), ("15 3 * * *", 1, 15)):
        expected = datetime(2026, 3, 29, hour, minute, tzinfo=UTC)
        assert Schedule(schedule, "Europe/Paris").next_after(datetime(2026, 3, 29, tzinfo=UTC)) == expected
