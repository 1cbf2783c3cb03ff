"""Desired replicas from load, time and hand: one story a test. What holds of all stories is in test_scaling_laws."""

import sys

import pytest

from dayfly.decide import scaling
from dayfly.decide.events import LoadObserved
from dayfly.decide.pressure import PANIC_S, STABLE_S
from dayfly.decide.scaling import Scaling
from dayfly.model.scaling import ScalingPolicy, Signal

POLICY = ScalingPolicy(proportion=1.0)
DOWN_S = POLICY.down_window_s


class Function:
    """The scaling of one function, told of its calls, and woken whenever it asks for it."""

    def __init__(self, policy: ScalingPolicy = POLICY, *, asked: int | None = None) -> None:
        self.policy, self.asked = policy, asked
        self.state = Scaling()
        self.now = 0.0
        self.started = self.finished = 0
        self.looks = 0
        scaling.deploy(self.state, policy, 0.0)

    def see(self, inflight: int, waiting: int = 0, *, begun: int = 0, finished: int = 0) -> int:
        self.started += begun
        self.finished += finished
        seen = LoadObserved(inflight, waiting, self.finished, self.started)
        scaling.observe(self.state, self.policy, seen, self.now)
        return self.settle()

    def cpu(self, used_s: float) -> int:
        scaling.observe_cpu(self.state, self.policy, used_s, self.now)
        return self.settle()

    def due(self) -> float | None:
        return min(scaling.next_changes(self.state, self.policy, self.asked), default=None)

    def settle(self) -> int:
        scaling.settle(self.state, self.policy, self.asked, self.now)
        return self.state.wanted

    def until(self, then: float) -> int:
        while (at := self.due()) is not None and at <= then:
            assert at > self.now, "it is woken without end"
            self.now = at
            self.looks += 1
            self.settle()
        self.now = then
        return self.state.wanted


@pytest.mark.parametrize(
    ("load", "replicas"), [(0, 1), (1, 1), (9, 1), (10, 2), (18, 2), (19, 3), (180, 20), (181, 20), (9999, 20)]
)
def test_as_many_as_the_load_needs_within_the_bounds(load: int, replicas: int) -> None:
    assert scaling.needed(ScalingPolicy(), load) == replicas


def test_an_error_of_rounding_starts_no_replica() -> None:
    assert scaling.needed(ScalingPolicy(target=7, proportion=0.7), 49) == 10


def test_a_load_that_stays_has_what_it_needs_after_the_stable_window_without_another_report() -> None:
    function = Function()
    function.see(95)
    assert function.until(STABLE_S + 1) == 10
    assert function.until(3600) == 10
    assert function.due() is None, "nothing to wait for: it stays as it is"


def test_a_load_too_small_to_panic_about_is_answered_too() -> None:
    function = Function()
    assert function.see(12) == 1
    assert function.until(STABLE_S - 20) == 1
    assert function.until(STABLE_S + 1) == 2


def test_a_leap_is_answered_by_the_first_report_and_in_full_by_the_panic_window() -> None:
    function = Function()
    function.see(1)
    function.until(100)
    assert 5 <= function.see(100) < 10, "one report may be noise, but not more than that"
    assert function.until(100 + 2 * PANIC_S) >= 8
    assert function.until(100 + STABLE_S + 1) == 10


def test_calls_that_wait_for_a_free_replica_count_in_full_at_once() -> None:
    assert Function().see(10, 90) > 9


def test_one_report_that_stands_out_a_little_changes_nothing() -> None:
    function = Function()
    function.see(45)
    assert function.until(100) == 5
    assert function.see(60) == 5
    function.until(101)
    assert function.see(45) == 5
    assert function.until(400) == 5


def test_fewer_only_after_the_down_window_and_then_its_highest() -> None:
    function = Function()
    function.see(100)
    assert function.until(200) == 10
    function.see(35)
    assert function.until(200 + DOWN_S - 1) == 10
    assert function.until(200 + STABLE_S + DOWN_S + 2) == 4
    assert function.until(2000) == 4


@pytest.mark.parametrize("window_s", [0.0, 30.0, 300.0])
def test_the_down_window_is_the_policys(window_s: float) -> None:
    function = Function(ScalingPolicy(proportion=1.0, down_window_s=window_s))
    function.see(100)
    function.until(1000)
    function.see(0)
    gone = next(after for after in range(1000) if function.until(1000.0 + after) == 1)
    assert window_s < gone <= STABLE_S + window_s + 2 + window_s / 30


def test_load_that_swings_changes_nothing() -> None:
    function = Function()
    seen = set()
    for second in range(900):
        function.until(float(second))
        seen.add(function.see(100 if second % 50 < 10 else 0) if second > 180 else function.see(100))
    assert min(seen) >= 5
    steady = set()
    for second in range(900, 1800):
        function.until(float(second))
        steady.add(function.see(100 if second % 50 < 10 else 0))
    assert len(steady) == 1


def test_hysteresis_keeps_a_load_near_a_threshold_where_it_is() -> None:
    function = Function()
    function.see(41)
    assert function.until(200) == 5
    function.see(39)
    assert function.until(1000) == 5, "four would do, but not with a tenth more"
    function.see(36)
    assert function.until(2000) == 4
    function.see(39)
    assert function.until(3000) == 4


def test_to_zero_after_a_time_without_calls_and_back_on_demand() -> None:
    function = Function(ScalingPolicy(minimum=2, idle_s=30))
    assert function.due() == 30.0
    assert function.until(29.9) == 2
    assert function.until(30.0) == 0
    assert function.until(31.0) == 0
    assert function.due() is None
    scaling.demand(function.state, function.policy, None, 32.0)
    assert function.settle() == 2


def test_a_call_that_runs_or_ran_keeps_it_awake() -> None:
    function = Function(ScalingPolicy(idle_s=30))
    function.until(1)
    assert function.see(1) == 1
    assert function.until(500) == 1
    assert function.see(1) == 1
    function.until(501)
    assert function.see(0) == 1
    assert function.until(530.95) == 1
    assert function.see(0, begun=7, finished=7) == 1, "calls came and went between two reports"
    assert function.until(560.9) == 1
    assert function.until(561.0) == 0


def test_without_zero_it_stays_at_its_minimum() -> None:
    assert Function(ScalingPolicy(minimum=0, to_zero=False, idle_s=1)).until(10_000) == 1


def test_equal_bounds_fix_the_number() -> None:
    function = Function(ScalingPolicy(minimum=3, maximum=3, to_zero=False))
    seen = set()
    for second in range(500):
        function.until(float(second))
        seen.add(function.see(second * 7 % 300))
    assert seen == {3}
    assert function.looks == 0, "there is nothing to look for"


def test_calls_a_second_are_counted_over_the_stable_window() -> None:
    function = Function(ScalingPolicy(signal="rps", target=50, proportion=1.0))
    for second in range(1, 200):
        function.until(second + 0.001 * (second % 7))
        function.see(0, begun=220, finished=220)
    assert function.state.wanted == 5
    function.until(220)
    assert function.state.wanted == 5
    assert function.until(400) == 1


def test_a_leap_in_calls_a_second_is_answered_by_the_first_report() -> None:
    function = Function(ScalingPolicy(signal="rps", target=50, proportion=1.0))
    function.until(100)
    assert function.see(3, begun=1000) >= 10


def test_calls_that_were_not_reported_for_long_were_begun_in_the_last_second() -> None:
    function = Function(ScalingPolicy(signal="rps", target=10, proportion=1.0))
    function.see(0, begun=1, finished=1)
    function.until(800)
    assert function.see(0, begun=100, finished=100) >= 5, "not a hundred in thirteen minutes"


def test_a_counter_that_begins_anew_is_no_load() -> None:
    function = Function(ScalingPolicy(signal="rps", target=1, proportion=1.0))
    function.see(0, begun=1000)
    assert function.until(500) == 1
    function.started = 3
    assert function.see(0) == 1


def test_processor_time_is_measured_in_thousandths_of_a_core() -> None:
    function = Function(ScalingPolicy(signal="cpu", target=500, proportion=1.0))
    for sample in range(60):
        function.until(sample * 2.0)
        function.cpu(100 + sample * 2.0 * 1.8)
    assert function.state.wanted == 4
    assert function.see(500) == 4, "calls do not count"
    function.see(0)
    assert function.until(500) == 1


def test_the_first_reading_of_processor_time_says_nothing() -> None:
    function = Function(ScalingPolicy(signal="cpu", target=1, proportion=1.0))
    assert function.cpu(10_000) == 1
    assert function.state.pressure is None


def test_a_number_set_by_hand_stands() -> None:
    function = Function(ScalingPolicy(idle_s=1), asked=7)
    scaling.by_hand(function.state, function.policy, 7, 0.0)
    function.see(500)
    assert function.until(900) == 7
    assert function.due() is None


def test_given_back_the_load_decides_again() -> None:
    function = Function()
    scaling.by_hand(function.state, POLICY, 7, 0.0)
    scaling.by_hand(function.state, POLICY, None, 1.0)
    function.until(2)
    assert function.see(1) == 7
    assert function.until(1 + DOWN_S) == 7
    assert function.until(3 + DOWN_S) == 1


def test_zero_by_hand_wakes_one_on_demand_and_rests_again() -> None:
    function = Function(ScalingPolicy(minimum=4, to_zero=False, idle_s=30), asked=0)
    scaling.by_hand(function.state, function.policy, 0, 0.0)
    assert function.settle() == 0
    scaling.demand(function.state, function.policy, 0, 10.0)
    assert function.settle() == 1
    function.until(11)
    assert function.see(100) == 1
    function.until(12)
    function.see(0, finished=5)
    assert function.until(42) == 0


def test_a_deployment_keeps_what_the_present_load_needs() -> None:
    function = Function()
    function.until(1)
    function.see(65)
    scaling.deploy(function.state, POLICY, 2.0)
    assert function.state.wanted == 7
    function.until(300)
    function.policy = ScalingPolicy(target=20, proportion=1.0)
    scaling.deploy(function.state, function.policy, 300.0)
    assert function.until(303) == 4, "what a replica is meant to carry has changed, not the load"
    assert function.until(600) == 4


def test_a_deployment_with_another_down_window_holds_for_that_from_now_on() -> None:
    function = Function()
    function.see(100)
    function.until(100)
    function.see(0)
    function.until(130)
    function.policy = ScalingPolicy(proportion=1.0, down_window_s=100)
    scaling.deploy(function.state, function.policy, 130.0)
    assert function.until(230) == 10
    assert function.until(300) == 1


@pytest.mark.parametrize("signal", ["rps", "cpu"])
def test_a_deployment_that_measures_another_signal_keeps_the_number_until_it_is_known(signal: Signal) -> None:
    function = Function()
    function.see(65)
    function.until(100)
    function.policy = ScalingPolicy(signal=signal)
    scaling.deploy(function.state, function.policy, 100.0)
    assert function.until(100 + DOWN_S) == 7
    assert function.until(103 + DOWN_S) == 1
    function.policy = POLICY
    scaling.deploy(function.state, POLICY, 300.0)
    assert function.until(2000) == 7


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
    scaling.settle(state, policy, asked, 5.0)
    assert state.wanted == wanted


def test_an_idle_function_costs_no_windows_and_a_busy_one_less_than_eight_kib() -> None:
    function = Function()
    assert function.state.pressure is None
    function.see(0, begun=3, finished=3)
    assert function.state.pressure is None, "calls that came and went between two reports were no load"
    for second in range(3000):
        function.until(second / 3)
        function.see(second * 37 % 500)
    pressure = function.state.pressure
    assert pressure is not None
    parts = [pressure, pressure._sums, pressure._sums._slots, pressure._peaks, pressure._peaks._slots, function.state]
    assert sum(map(sys.getsizeof, parts)) < 2048
    function.see(0)
    function.until(3000.0)
    function.settle()
    assert function.state.pressure is None


def test_a_function_that_is_called_now_and_then_is_not_looked_at_in_between() -> None:
    function = Function()
    for second in range(0, 6000, 10):
        function.until(float(second))
        function.see(3, begun=1)
        function.until(second + 1.0)
        function.see(0, finished=1)
    assert function.looks == 0
