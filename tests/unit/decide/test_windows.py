"""Means and peaks over the last while."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.windows import SPAN_S, Peaks, Sums

AMOUNTS = st.lists(st.tuples(st.floats(0.01, 20), st.floats(0, 50)), max_size=40)


def test_a_steady_rate_is_its_own_mean_whenever_it_is_asked() -> None:
    sums = Sums()
    at = 1000.3
    while at < 1100:
        sums.add(7 * 0.7, at, at + 0.7)
        at += 0.7
        if at > 1000.3 + SPAN_S + 1:
            assert sums.mean(SPAN_S, at) == pytest.approx(7, rel=0.01)
            assert sums.mean(6, at) == pytest.approx(7, rel=0.05)


def test_what_is_older_than_the_span_is_forgotten() -> None:
    sums = Sums()
    sums.add(600, 1000, 1001)
    assert sums.mean(SPAN_S, 1001) == pytest.approx(10)
    assert sums.mean(SPAN_S, 1060) == pytest.approx(10)
    assert sums.mean(SPAN_S, 1060.5) == pytest.approx(5)
    assert sums.mean(SPAN_S, 1061) == 0
    assert sums.mean(6, 1007) == 0
    sums.add(60, 5000, 5001)
    assert sums.mean(SPAN_S, 5001) == pytest.approx(1)


def test_an_amount_is_spread_over_its_time_and_only_the_span_of_it_is_kept() -> None:
    sums = Sums()
    sums.add(1000, 0, 1000)
    assert sums.mean(SPAN_S, 1000) == pytest.approx(1)
    assert sums.most() == pytest.approx(1)
    sums.add(5, 1000, 1000)
    assert sums.most() == 5, "all at one moment"


@given(AMOUNTS)
def test_a_mean_is_never_less_than_nothing_and_hardly_more_than_the_fullest_second(
    amounts: list[tuple[float, float]],
) -> None:
    sums, now = Sums(), 77.7
    for pause, amount in amounts:
        sums.add(amount, now, now + pause)
        now += pause
        for span in (6, SPAN_S):
            assert 0 <= sums.mean(span, now) <= sums.most() * (span + 1) / span + 1e-9


def test_a_peak_is_held_for_the_time_and_not_two_slots_longer() -> None:
    for hold_s, slot_s in ((0.0, 1.0), (60.0, 1.0), (300.0, 5.0), (7.5, 1.0)):
        peaks = Peaks(hold_s)
        peaks.note(3, 1000.2)
        peaks.note(2, 1000.7)
        assert peaks.top(1000.2 + hold_s) == 3
        assert peaks.top(1000.2 + hold_s + 2 * slot_s) == 0
        assert hold_s < peaks.longest_s <= hold_s + 2 * slot_s


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 9)), min_size=1), st.sampled_from([0.0, 10.0, 60.0, 200.0]))
def test_the_peak_is_the_highest_value_of_the_time(notes: list[tuple[float, float]], hold_s: float) -> None:
    peaks, now = Peaks(hold_s), 500.0
    history: list[tuple[float, float]] = []
    for pause, value in notes:
        now += pause
        peaks.note(value, now)
        history.append((now, value))
        held = max(v for at, v in history if now - at <= hold_s)
        longer = max(v for at, v in history if now - at <= peaks.longest_s)
        assert held <= peaks.top(now) <= longer
