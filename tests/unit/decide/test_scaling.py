"""Desired replicas from load, time and hand."""

import pytest

from dayfly.decide import scaling
from dayfly.decide.scaling import DOWN_WINDOW_S, Scaling
from dayfly.model.scaling import ScalingPolicy


def observed(state: Scaling, policy: ScalingPolicy, load: int, now: float, *, finished: int = 0) -> int:
    scaling.observe(state, load, finished, now)
    scaling.settle(state, policy, None, now)
    return state.wanted


@pytest.mark.parametrize(
    ("load", "replicas"), [(0, 1), (1, 1), (10, 1), (11, 2), (20, 2), (21, 3), (199, 20), (200, 20), (9999, 20)]
)
def test_as_many_as_the_load_needs_within_the_bounds(load: int, replicas: int) -> None:
    assert scaling.needed(ScalingPolicy(), load) == replicas


def test_more_at_once() -> None:
    state, policy = Scaling(), ScalingPolicy()
    scaling.deploy(state, policy, 0.0)
    assert [observed(state, policy, load, 1.0) for load in (5, 15, 95)] == [1, 2, 10]


def test_fewer_only_after_the_window_and_then_its_highest() -> None:
    state, policy = Scaling(), ScalingPolicy()
    scaling.deploy(state, policy, 0.0)
    assert observed(state, policy, 100, 0.0) == 10
    assert observed(state, policy, 10, 1.0) == 10
    assert observed(state, policy, 40, 30.0) == 10
    assert observed(state, policy, 10, 31.0) == 10
    assert observed(state, policy, 10, 1.0 + DOWN_WINDOW_S - 0.1) == 10
    assert observed(state, policy, 10, 1.0 + DOWN_WINDOW_S) == 4
    assert observed(state, policy, 10, 1.0 + 2 * DOWN_WINDOW_S) == 1


def test_load_that_swings_changes_nothing() -> None:
    state, policy = Scaling(), ScalingPolicy()
    scaling.deploy(state, policy, 0.0)
    seen = {observed(state, policy, 100 if second % 50 == 0 else 0, float(second)) for second in range(600)}
    assert seen == {10}


def test_to_zero_after_a_time_without_calls_and_back_on_demand() -> None:
    state, policy = Scaling(), ScalingPolicy(minimum=2, idle_s=30)
    scaling.deploy(state, policy, 0.0)
    assert scaling.next_change(state, policy, None) == 30.0
    assert observed(state, policy, 0, 29.9) == 2
    assert observed(state, policy, 0, 30.0) == 0
    assert observed(state, policy, 0, 31.0) == 0
    assert scaling.next_change(state, policy, None) is None
    scaling.demand(state, policy, None, 32.0)
    assert state.wanted == 2


def test_a_call_that_runs_or_ran_keeps_it_awake() -> None:
    state, policy = Scaling(), ScalingPolicy(idle_s=30)
    scaling.deploy(state, policy, 0.0)
    assert observed(state, policy, 1, 1.0) == 1
    assert observed(state, policy, 1, 500.0) == 1
    assert observed(state, policy, 0, 501.0) == 1
    assert observed(state, policy, 0, 530.9) == 1
    assert observed(state, policy, 0, 530.95, finished=7) == 1, "a call came and went between two reports"
    assert observed(state, policy, 0, 560.9, finished=7) == 1
    assert observed(state, policy, 0, 561.0, finished=7) == 0


def test_without_zero_it_stays_at_its_minimum() -> None:
    state, policy = Scaling(), ScalingPolicy(minimum=0, to_zero=False, idle_s=1)
    scaling.deploy(state, policy, 0.0)
    assert observed(state, policy, 0, 10_000.0) == 1


def test_equal_bounds_fix_the_number() -> None:
    state, policy = Scaling(), ScalingPolicy(minimum=3, maximum=3, to_zero=False)
    scaling.deploy(state, policy, 0.0)
    assert {observed(state, policy, load, float(load)) for load in range(0, 500, 7)} == {3}


def test_a_number_set_by_hand_stands() -> None:
    state, policy = Scaling(), ScalingPolicy(idle_s=1)
    scaling.by_hand(state, policy, 7, 0.0)
    scaling.observe(state, 500, 1, 1.0)
    scaling.settle(state, policy, 7, 900.0)
    assert state.wanted == 7
    assert scaling.next_change(state, policy, 7) is None


def test_given_back_the_load_decides_again() -> None:
    state, policy = Scaling(), ScalingPolicy()
    scaling.by_hand(state, policy, 7, 0.0)
    scaling.by_hand(state, policy, None, 1.0)
    assert observed(state, policy, 1, 2.0) == 7
    assert observed(state, policy, 1, 2.0 + DOWN_WINDOW_S) == 1


def test_zero_by_hand_wakes_one_on_demand_and_rests_again() -> None:
    state, policy = Scaling(), ScalingPolicy(minimum=4, to_zero=False, idle_s=30)
    scaling.by_hand(state, policy, 0, 0.0)
    assert state.wanted == 0
    scaling.demand(state, policy, 0, 10.0)
    assert state.wanted == 1
    scaling.observe(state, 100, 0, 11.0)
    scaling.settle(state, policy, 0, 11.0)
    assert state.wanted == 1
    scaling.observe(state, 0, 5, 12.0)
    scaling.settle(state, policy, 0, 42.0)
    assert state.wanted == 0


def test_a_deployment_keeps_what_the_present_load_needs() -> None:
    state, policy = Scaling(), ScalingPolicy()
    scaling.deploy(state, policy, 0.0)
    observed(state, policy, 65, 1.0)
    scaling.deploy(state, policy, 2.0)
    assert state.wanted == 7


@pytest.mark.parametrize(
    ("policy", "asked", "running", "wanted"),
    [
        (ScalingPolicy(), None, 0, 0),
        (ScalingPolicy(), None, 3, 3),
        (ScalingPolicy(minimum=2), None, 1, 2),
        (ScalingPolicy(maximum=2), None, 9, 2),
        (ScalingPolicy(to_zero=False), None, 0, 1),
        (ScalingPolicy(), 4, 0, 4),
        (ScalingPolicy(), 0, 0, 0),
        (ScalingPolicy(), 0, 3, 1),
    ],
)
def test_coming_back(policy: ScalingPolicy, asked: int | None, running: int, wanted: int) -> None:
    state = Scaling()
    scaling.resume(state, policy, asked, running, 5.0)
    assert (state.wanted, state.busy_at) == (wanted, 5.0)
