"""Schedules on a clock that people set: each moment is called for once, and none is lost that was not to be."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dayfly.decide.cron import LATE, LONG_AGO, CronPlan, Schedule
from dayfly.decide.timetable import Timetable

NOON = datetime(2026, 10, 24, 12, tzinfo=UTC)
HOUR, DAY, MINUTE, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
SCHEDULES = (
    "* * * * *",
    "*/7 * * * *",
    "0 * * * *",
    "30 2 * * *",
    "@every 45s",
    "0 0 * * *; 15 * * * *",
    "15 2-3 * * *",
)
jumps = st.sampled_from(
    [-DAY, -HOUR, -MINUTE, -25 * SECOND, -SECOND, 25 * SECOND, MINUTE, HOUR, 11 * HOUR, DAY, 3 * DAY]
)


class Clockwork(RuleBasedStateMachine):
    """A timetable that is looked at each second, on a clock that goes, is set, and outlives who looks at it."""

    @initialize(
        schedule=st.sampled_from(SCHEDULES), missed=st.sampled_from(["once", "skip"]), second=st.integers(0, 3600)
    )
    def begin(self, schedule: str, missed: Literal["once", "skip"], second: int) -> None:
        self.plan = CronPlan(Schedule(schedule, "Europe/Paris"), missed)
        self.now = self.asked = self.furthest = NOON + second * SECOND
        """`furthest`: a clock put back a little stands still, as it were, until it is where it was."""
        self.taken: list[datetime] = []
        """What the queue took: it takes nothing twice."""
        self.wanted: set[datetime] = set()
        """What the clock came past while somebody looked."""
        self.table = Timetable(self.plan, self.asked, self.now)

    def look(self) -> datetime | None:
        """Look at the clock as it is; return what is called for."""
        due = self.table.due(self.now)
        self.furthest = self.now if self.now < self.furthest - LATE else max(self.now, self.furthest)
        if due is not None:
            assert due <= self.now
            assert self.plan.schedule.last_until(due) == due
            if due not in self.taken:
                self.taken.append(due)
        return due

    @rule(seconds=st.integers(1, 150))
    def time_passes(self, seconds: int) -> None:
        """Let the clock go, with a look each second; what is called for comes in order, and not again."""
        coming = self.plan.schedule.next_after(max(self.now, self.furthest))
        called: list[datetime] = []
        for _ in range(seconds):
            self.now += SECOND
            due = self.look()
            called += [due] if due is not None else []
        assert called == sorted(set(called))
        while coming is not None and coming <= self.now:
            self.wanted.add(coming)
            coming = self.plan.schedule.next_after(coming)

    @rule(ahead=st.sampled_from([-HOUR, HOUR, DAY]), before=st.integers(-3, 40))
    def is_set_to_just_before_something(self, ahead: timedelta, before: int) -> None:
        """Set the clock to where a moment is near."""
        coming = self.plan.schedule.next_after(self.now + ahead)
        assert coming is not None
        self.is_set(coming - before * SECOND - self.now)

    @rule(jump=jumps)
    def is_set(self, jump: timedelta) -> None:
        """Set the clock."""
        before, self.now = self.furthest, self.now + jump
        self._judge(self.look(), before)

    @rule(jump=st.one_of(st.just(timedelta()), jumps))
    def is_set_before_a_restart(self, jump: timedelta) -> None:
        """Set the clock, or not, while nobody looks: what was called for before is known to the queue alone."""
        before, self.now = self.now, self.now + jump
        self.table, self.furthest = Timetable(self.plan, self.asked, self.now), self.now
        due = self.look()
        if self.asked <= self.now:
            self._judge(due, before)

    def _judge(self, due: datetime | None, before: datetime) -> None:
        last = self.plan.schedule.last_until(self.now)
        assert last is not None
        if self.plan.missed == "skip":
            assert due is None or self.now - last <= LATE
        elif before < last and self.now - last <= LONG_AGO and last > self.asked:
            assert due == last or last in self.taken, f"{last} went by and was not made up for"

    @invariant()
    def nothing_is_lost(self) -> None:
        """What the clock came past while somebody looked was called for."""
        if hasattr(self, "plan"):
            assert self.wanted <= set(self.taken)
            assert self.table.next is not None
            assert self.table.next > self.now - LATE, "whoever waits for the next does not spin"


TestClockwork = Clockwork.TestCase
TestClockwork.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)


def test_a_schedule_asked_for_while_the_clock_was_ahead_outlives_a_restart_over_its_moment() -> None:
    plan = CronPlan(Schedule("@hourly"))
    table = Timetable(plan, NOON + DAY, NOON + SECOND)
    assert table.due(NOON + SECOND) == NOON
    assert Timetable(plan, NOON + DAY, NOON + 2 * LATE).due(NOON + 2 * LATE) is None


@given(st.integers(0, 29))
def test_a_clock_put_back_a_little_asks_for_nothing_again(seconds: int) -> None:
    table = Timetable(CronPlan(Schedule("* * * * *")), NOON, NOON)
    assert table.due(NOON + MINUTE) == NOON + MINUTE
    assert table.due(NOON + MINUTE - seconds * SECOND) is None
    assert table.due(NOON + MINUTE) is None
    assert table.due(NOON + 2 * MINUTE) == NOON + 2 * MINUTE


def test_another_schedule_begins_now_and_the_same_goes_on() -> None:
    plan = CronPlan(Schedule("* * * * *"))
    table = Timetable(plan, NOON, NOON)
    table.follow(msgspec.structs.replace(plan, missed="skip"), NOON + 90 * SECOND)
    assert table.due(NOON + 90 * SECOND) == NOON + MINUTE
    table.follow(CronPlan(Schedule("*/2 * * * *")), NOON + 125 * SECOND)
    assert table.due(NOON + 125 * SECOND) is None
