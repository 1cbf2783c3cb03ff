"""Reports are about whole days of their zone, and are sent once whatever was missed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.report_times import LONGEST_RETRY_MS, Times, may_try, take_up, tried
from dayfly.model.errors import InvalidSpec
from dayfly.model.report import ReportSpec, Standing

DAY_MS = 86_400_000


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def spec(every: Any = "day", zone: str = "UTC", at: str = "07:00") -> ReportSpec:
    return ReportSpec(name="r", every=every, zone=zone, at=at)


@pytest.mark.parametrize(
    ("every", "zone", "at", "since", "until"),
    [
        ("day", "UTC", "2026-03-05T07:00", "2026-03-04T00:00", "2026-03-05T00:00"),
        ("week", "UTC", "2026-03-04T07:00", "2026-02-23T00:00", "2026-03-02T00:00"),
        ("month", "UTC", "2026-03-01T07:00", "2026-02-01T00:00", "2026-03-01T00:00"),
        ("month", "UTC", "2026-01-15T07:00", "2025-12-01T00:00", "2026-01-01T00:00"),
        ("day", "Asia/Kolkata", "2026-03-05T01:30", "2026-03-03T18:30", "2026-03-04T18:30"),
        # The day on which clocks are put forward has 23 hours, and where that is at midnight it begins at one.
        ("day", "Europe/Paris", "2026-03-30T05:00", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("day", "Africa/Cairo", "2026-04-25T05:00", "2026-04-23T22:00", "2026-04-24T21:00"),
    ],
)
def test_a_report_is_about_the_last_whole_time_of_its_zone(
    every: str, zone: str, at: str, since: str, until: str
) -> None:
    times = Times(spec(every, zone))
    span = times.span(ms(at))
    assert (span.since_unix_ms, span.until_unix_ms) == (ms(since), ms(until))
    assert span.before_unix_ms < span.since_unix_ms
    steps = times.steps(span)
    assert steps[0] == span.since_unix_ms
    assert steps == sorted(set(steps))
    assert steps[-1] < span.until_unix_ms
    assert len(steps) == {"day": (span.until_unix_ms - span.since_unix_ms) // 3_600_000, "week": 7}.get(every, 31) or (
        every == "month" and len(steps) in (28, 31)
    )


@pytest.mark.parametrize(
    ("every", "zone", "at", "end"),
    [
        ("day", "UTC", "2026-03-04T23:59", "2026-03-05T00:00"),
        ("day", "Europe/Paris", "2026-03-29T12:00", "2026-03-29T22:00"),
        ("week", "UTC", "2026-03-02T00:00", "2026-03-09T00:00"),
        ("week", "UTC", "2026-03-08T23:59", "2026-03-09T00:00"),
        ("month", "UTC", "2026-01-31T07:00", "2026-02-01T00:00"),
        ("month", "UTC", "2026-12-01T00:00", "2027-01-01T00:00"),
    ],
)
def test_what_there_is_so_far_is_of_the_time_that_goes_on(every: str, zone: str, at: str, end: str) -> None:
    times = Times(spec(every, zone))
    assert times.end_of(ms(at)) == ms(end)
    span = times.span(times.end_of(ms(at)))
    assert span.since_unix_ms <= ms(at) < span.until_unix_ms == ms(end)


def test_a_report_is_due_at_its_time_of_its_day() -> None:
    assert Times(spec("week", at="06:30")).next_after(ms("2026-03-04T07:00")) == ms("2026-03-09T06:30")
    assert Times(spec("month", "Europe/Paris")).next_after(ms("2026-03-04T07:00")) == ms("2026-04-01T05:00")
    assert Times(spec("day", "Europe/Paris")).last_until(ms("2026-07-04T05:00")) == ms("2026-07-04T05:00")


@pytest.mark.parametrize(("field", "text"), [("at", "7:00"), ("at", "24:00"), ("zone", "Mars/Base"), ("zone", "a b")])
def test_a_schedule_that_is_none_is_refused(field: str, text: str) -> None:
    wrong = ReportSpec(name="r", every="day", **{field: text})  # type: ignore[arg-type] # they are texts
    with pytest.raises(InvalidSpec, match=f"^{field}: "):
        _ = wrong.check(), Times(wrong)  # type: ignore[func-returns-value] # one of them raises


@given(st.lists(st.integers(1, 5 * DAY_MS), max_size=20), st.lists(st.booleans(), min_size=20, max_size=20))
def test_each_moment_is_sent_once_at_most_and_the_last_in_the_end(waits: list[int], works: list[bool]) -> None:
    times, now = Times(spec()), ms("2026-03-04T07:00")
    standing = Standing(due_unix_ms=now)
    sent: list[int] = []
    for wait, good in zip(waits, works, strict=False):
        now += wait
        standing = take_up(standing, times.last_until(now))
        if may_try(standing, now):
            if good:
                sent.append(standing.due_unix_ms)
            standing = tried(standing, ("ops",) if good else (), now, is_done=good)
    assert sent == sorted(set(sent))
    now += LONGEST_RETRY_MS + 1
    standing = take_up(standing, times.last_until(now))
    assert standing.is_done or may_try(standing, now)


def test_who_was_sent_a_report_is_not_sent_it_again() -> None:
    now = ms("2026-03-04T07:00")
    standing = take_up(Standing(due_unix_ms=now - DAY_MS), now)
    assert (standing.is_done, standing.sent) == (False, ())
    standing = tried(standing, ("a",), now, is_done=False)
    assert standing.sent == ("a",)
    assert not may_try(standing, now + 1)
    assert may_try(standing, standing.retry_unix_ms)
    assert take_up(standing, now) == standing
    assert take_up(standing, now + DAY_MS).sent == ()
