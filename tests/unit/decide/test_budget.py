"""Which period it is, when calls stop, and what is told how often."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.budget import Warned, bounds, judge, state_of
from dayfly.model.allowance import MEASURES, PERIODS, Allowance, Allowances, Period, Used

DAY_MS = 86_400_000
moments = st.integers(0, 4_102_444_800_000)
periods = st.sampled_from(PERIODS)
amounts = st.integers(0, 100)
budgets = st.builds(
    lambda parts: Allowances(tuple(Allowance(what, float(amount), period) for (what, period), amount in parts.items())),
    st.dictionaries(st.tuples(st.sampled_from(MEASURES), periods), amounts),
)
uses = st.builds(
    lambda calls, cpu, gib: Used(calls=calls, cpu_seconds=float(cpu), gib_seconds=float(gib)), amounts, amounts, amounts
)


def always(used: Used) -> Callable[[Period], Used]:
    return lambda _period: used


@given(moments, periods)
def test_periods_follow_each_other_without_a_gap(moment: int, period: Period) -> None:
    found = bounds(period, moment)
    assert found.starts_unix_ms <= moment < found.ends_unix_ms
    assert found.starts_unix_ms % DAY_MS == found.ends_unix_ms % DAY_MS == 0
    assert bounds(period, found.starts_unix_ms) == bounds(period, found.ends_unix_ms - 1) == found
    assert bounds(period, found.ends_unix_ms).starts_unix_ms == found.ends_unix_ms
    days = (found.ends_unix_ms - found.starts_unix_ms) // DAY_MS
    assert days == 1 if period == "day" else 28 <= days <= 31


@pytest.mark.parametrize(("month", "days"), [("2026-02", 28), ("2028-02", 29), ("2026-12", 31), ("2026-11", 30)])
def test_months_are_the_calendars(month: str, days: int) -> None:
    found = bounds("month", round(datetime.fromisoformat(f"{month}-17T12:34:56+00:00").timestamp() * 1000))
    assert datetime.fromtimestamp(found.starts_unix_ms / 1000, UTC).isoformat() == f"{month}-01T00:00:00+00:00"
    assert found.ends_unix_ms - found.starts_unix_ms == days * DAY_MS


@given(budgets, budgets, uses, uses, moments, st.integers(0, 5))
def test_calls_stop_just_when_something_is_used_up(
    own: Allowances, shared: Allowances, mine: Used, theirs: Used, now: int, under_way: int
) -> None:
    verdict = judge(own, shared, always(mine), always(theirs), unix_ms=now, under_way=under_way)
    bound = [(each, mine) for each in own.all] + [(each, theirs) for each in shared.all]
    if verdict is None:
        assert not bound
        return
    assert verdict.is_open == all(used.of(each.measure) < each.amount for each, used in bound)
    assert verdict.until_unix_ms == bounds(verdict.allowance.period, now).ends_unix_ms > now
    assert verdict.allowance in (shared if verdict.of_namespace else own).all
    left = [each.amount - used.calls - under_way for each, used in bound if each.measure == "calls"]
    assert verdict.calls_left == (max(0, int(min(left))) if left else None)


def test_one_that_is_used_up_for_longer_says_until_when() -> None:
    now = round(datetime(2026, 11, 15, tzinfo=UTC).timestamp() * 1000)
    both = Allowances((Allowance("calls", 1.0, "day"), Allowance("calls", 1.0, "month")))
    verdict = judge(both, Allowances(), always(Used(calls=1)), always(Used()), unix_ms=now)
    assert verdict is not None
    assert verdict.allowance.period == "month"


@pytest.mark.parametrize(
    ("used", "state"), [(74, "within"), (75, "over 75 %"), (89, "over 75 %"), (90, "over 90 %"), (99, "over 90 %"),
                        (100, "used up"), (1000, "used up")],
)  # fmt: skip
def test_thresholds(used: int, state: str) -> None:
    assert state_of(Allowance("calls", 100.0, "day"), Used(calls=used)) == state


@given(st.lists(st.tuples(st.integers(0, 130), st.integers(0, DAY_MS // 2)), max_size=30))
def test_each_threshold_is_told_once_a_period(steps: list[tuple[int, int]]) -> None:
    allowance = Allowance("calls", 100.0, "day")
    warned, now, told = Warned(), 0, []
    for used, later in steps:
        now += later
        for _ in range(2):
            for _, state in warned.news(Allowances((allowance,)), always(Used(calls=used)), now):
                told.append((bounds("day", now).starts_unix_ms, state))
    assert len(told) == len(set(told))
    order = ["over 75 %", "over 90 %", "used up"]
    for (day, state), (next_day, next_state) in itertools.pairwise(told):
        assert (day, order.index(state)) < (next_day, order.index(next_state))


def test_one_that_was_raised_is_told_of_anew() -> None:
    warned = Warned()
    small, large = (Allowances((Allowance("calls", amount, "day"),)) for amount in (4.0, 8.0))
    assert [state for _, state in warned.news(small, always(Used(calls=4)), 0)] == ["used up"]
    assert not list(warned.news(large, always(Used(calls=5)), 0))
    assert [state for _, state in warned.news(large, always(Used(calls=6)), 0)] == ["over 75 %"]
