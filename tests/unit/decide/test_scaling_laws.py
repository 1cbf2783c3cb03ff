"""What holds of scaling whatever the load: laws, each tried on many random loads.

A load is a list of reports; the functions that are compared get them at the same moments, and are woken in between
whenever they ask for it, each at its own moments.
"""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.decide.test_scaling import Function

from dayfly.decide import scaling
from dayfly.decide.pressure import STABLE_S
from dayfly.model.scaling import ScalingPolicy, Signal

Report = tuple[float, int, int]
"""Seconds since the report before; calls worked on (or begun, or milliseconds of processor time); calls waiting."""

PAUSES = st.one_of(st.just(1.0), st.floats(0.02, 3), st.sampled_from([0.5, 10.0, 59.5, 61.0, 130.0]))
REPORTS = st.lists(st.tuples(PAUSES, st.integers(0, 300), st.integers(0, 40)), max_size=60)
SIGNALS: st.SearchStrategy[Signal] = st.sampled_from(["capacity", "rps", "cpu"])


@st.composite
def policies(draw: st.DrawFn, signals: st.SearchStrategy[Signal] = SIGNALS) -> ScalingPolicy:
    minimum = draw(st.integers(0, 4))
    return ScalingPolicy(
        minimum=minimum,
        maximum=draw(st.integers(max(1, minimum), 40)),
        signal=draw(signals),
        target=draw(st.integers(1, 60)),
        proportion=draw(st.floats(0.1, 1)),
        down_window_s=draw(st.sampled_from([0.0, 5.0, 60.0, 100.0, 300.0])),
        to_zero=draw(st.booleans()),
        idle_s=draw(st.sampled_from([5.0, 100.0, 900.0])),
    )


class Loaded(Function):
    """A function whose load is of whatever signal its policy measures."""

    used_s = 0.0

    def report(self, amount: int, waiting: int = 0) -> int:
        if amount + waiting and self.state.wanted == 0:
            scaling.demand(self.state, self.policy, None, self.now)
        if self.policy.signal == "capacity":
            return self.see(amount, waiting)
        self.see(0, 0, begun=amount, finished=amount)
        self.used_s += amount / 1000
        return self.cpu(self.used_s)


@settings(max_examples=200, deadline=None)
@given(policies(), REPORTS)
def test_replicas_stay_within_the_bounds(policy: ScalingPolicy, reports: list[Report]) -> None:
    function = Loaded(policy)
    for pause, amount, waiting in reports:
        function.until(function.now + pause)
        wanted = function.report(amount, waiting)
        assert wanted <= policy.maximum
        assert wanted >= max(policy.minimum, 1) or (wanted == 0 and policy.to_zero and amount + waiting == 0)


@settings(max_examples=400, deadline=None)
@given(policies(), st.lists(st.tuples(PAUSES, st.integers(0, 300), st.integers(0, 40), st.integers(0, 60),
                                      st.integers(0, 20)), max_size=60))  # fmt: skip
def test_more_load_at_every_instant_never_gives_fewer_replicas(
    policy: ScalingPolicy, reports: list[tuple[float, int, int, int, int]]
) -> None:
    less, more = Loaded(policy), Loaded(policy)
    for pause, amount, waiting, extra, more_waiting in reports:
        then = less.now + pause
        assert less.until(then) <= more.until(then)
        assert less.report(amount, waiting) <= more.report(amount + extra, waiting + more_waiting)


@settings(max_examples=100, deadline=None)
@given(policies(), REPORTS, st.integers(1, 300), st.floats(0.0, 0.9))
def test_a_steady_load_has_constant_replicas_after_two_windows(
    policy: ScalingPolicy, before: list[Report], amount: int, phase: float
) -> None:
    function = Loaded(policy)
    for pause, earlier, waiting in before:
        function.until(function.now + pause)
        function.report(earlier, waiting)
    function.until(math.floor(function.now) + 1 + phase)
    windows_s = STABLE_S + policy.down_window_s + 2 + policy.down_window_s / 30
    seen = set()
    begin = function.now
    for second in range(int(windows_s) + 200):
        function.until(begin + second)
        function.report(amount)
        if second > windows_s:
            seen.add(function.state.wanted)
    assert len(seen) == 1
    (wanted,) = seen
    assert scaling.needed(policy, amount) <= wanted <= scaling.needed(policy, amount * 1.1 + 1e-3)


@settings(max_examples=100, deadline=None)
@given(policies(), st.lists(st.integers(0, 300), min_size=2, max_size=58))
def test_a_load_with_a_period_shorter_than_the_down_window_does_not_oscillate(
    policy: ScalingPolicy, period: list[int]
) -> None:
    period = period[: max(1, int(policy.down_window_s))]
    function = Loaded(policy)
    seen = set()
    for second in range(1200):
        function.until(float(second))
        wanted = function.report(max(1, period[second % len(period)]))
        if second > 2 * STABLE_S + 2 * policy.down_window_s:
            seen.add(wanted)
    assert len(seen) == 1


@settings(max_examples=200, deadline=None)
@given(policies(st.just("capacity")), st.integers(1, 400), st.integers(0, 400))
def test_a_leap_is_answered_by_the_report_that_tells_of_it(policy: ScalingPolicy, working: int, waiting: int) -> None:
    function = Loaded(policy)
    function.until(4.0)
    function.report(1)
    function.until(5.0)
    wanted = function.report(working, waiting)
    assert wanted >= scaling.needed(policy, working / 2 + waiting)


@settings(max_examples=100, deadline=None)
@given(policies(), REPORTS, st.floats(0, 5000))
def test_demand_wakes_at_once(policy: ScalingPolicy, reports: list[Report], later: float) -> None:
    function = Loaded(policy)
    for pause, amount, waiting in reports:
        function.until(function.now + pause)
        function.report(amount, waiting)
    function.report(0)
    function.until(function.now + later)
    scaling.demand(function.state, policy, None, function.now)
    assert function.settle() >= max(policy.minimum, 1)
