"""The meter's sums are exact over lost, repeated and restarted reports."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dayfly.model.names import parse_function_key
from dayfly.model.table import FunctionLoad, Load, RevisionLoad
from dayfly.observe.meter import Meter

HELLO = parse_function_key("hello")
NAME = str(HELLO)


def load(calls: int, *, inflight: int = 0, waiting: int = 0, code: int = 200, cold: int = 0, name: str = NAME) -> Load:
    buckets: tuple[int, ...] = (calls, *(0,) * 11)
    codes = {code: (calls, calls * 0.5, buckets)} if calls else {}
    return Load((FunctionLoad(name, inflight, waiting, calls + inflight, codes, cold),))


def test_reports_of_two_gateways_add_up_and_repeated_ones_do_not() -> None:
    meter = Meter()
    for _ in range(2):
        meter.merge("gw0", "a", load(3, inflight=1, waiting=2))
        meter.merge("gw1", "b", load(4, inflight=2, code=500, cold=1))
    assert (meter.invocations(HELLO), meter.inflight(HELLO), meter.waiting(HELLO)) == (7, 3, 2)
    figures = meter.figures(HELLO)
    assert (figures.started, figures.cold, figures.codes[200].calls, figures.codes[500].calls) == (10, 1, 3, 4)
    assert (figures.codes[200].seconds, figures.codes[500].buckets[0]) == (1.5, 4)


def test_a_gateway_that_is_gone_has_nothing_in_flight_but_keeps_its_counts() -> None:
    meter = Meter()
    meter.merge("gw0", "a", load(3, inflight=1, waiting=2))
    meter.gone("gw0")
    meter.gone("unknown")
    assert (meter.invocations(HELLO), meter.inflight(HELLO), meter.waiting(HELLO)) == (3, 0, 0)
    meter.merge("gw0", "a", load(5))
    assert (meter.invocations(HELLO), meter.figures(HELLO).started) == (5, 5)
    meter.merge("gw0", "b", load(1))
    assert (meter.invocations(HELLO), meter.figures(HELLO).started) == (6, 6)


def test_totals_go_on_exactly_when_only_the_control_plane_restarts() -> None:
    before = Meter()
    before.merge("gw0", "a", load(3))
    before.merge("gw1", "b", load(10))
    after = Meter()
    after.restore(before.totals())
    assert after.invocations(HELLO) == 13
    after.merge("gw0", "a", load(5))
    assert after.invocations(HELLO) == 15
    after.merge("gw1", "c", load(2))
    assert after.invocations(HELLO) == 17
    assert after.totals() == {NAME: 17, f"{NAME}@gw0@a": 5, f"{NAME}@gw1@c": 2}
    assert after.figures(HELLO).started == 7


def again(told: Load) -> Load:
    return msgspec.structs.replace(told, again=True)


def test_figures_begin_at_zero_with_the_control_plane_whatever_gateways_had_counted() -> None:
    meter = Meter()
    meter.merge("gw0", "a", again(load(1000, inflight=1, cold=2)))
    figures = meter.figures(HELLO)
    assert (figures.started, figures.cold, figures.codes[200].calls, figures.codes[200].seconds) == (0, 0, 0, 0.0)
    meter.merge("gw0", "a", load(1003))
    meter.merge("gw0", "a", load(4, name="other.team"))
    meter.merge("gw1", "new", load(5))
    figures = meter.figures(HELLO)
    assert (figures.started, figures.codes[200].calls, figures.codes[200].buckets[0]) == (7, 8, 8)
    assert meter.figures(parse_function_key("other.team")).started == 4
    meter.merge("gw0", "a", again(load(1004)))
    assert meter.figures(HELLO).codes[200].calls == 9, "the connection alone was another"
    meter.merge("gw0", "b", load(1))
    assert meter.figures(HELLO).codes[200].calls == 10
    meter.merge("gw0", "b", load(0, inflight=0))
    meter.merge("gw0", "b", load(2))
    assert meter.figures(HELLO).codes[200].calls == 12


def test_a_function_deployed_again_after_a_restart_does_not_inherit_calls() -> None:
    before = Meter()
    before.merge("gw0", "a", load(3))
    before.forget(HELLO)
    after = Meter()
    after.restore({name: calls for name, calls in before.totals().items() if "@" in name})
    after.merge("gw0", "a", load(5))
    assert after.invocations(HELLO) == 2


def test_sides_of_a_canary_are_what_was_added_since_they_were_taken() -> None:
    meter = Meter()

    def report(gateway: str, boot: str, *sides: RevisionLoad) -> None:
        meter.merge(gateway, boot, Load((FunctionLoad(NAME, 0, 0, 100, {}, 0, sides),)))

    report("gw0", "a", RevisionLoad(1, 10, 1, (4, 6)), RevisionLoad(2, 1, 1, (0, 1)))
    report("gw0", "a", RevisionLoad(1, 12, 1, (4, 8)), RevisionLoad(2, 1, 1, (0, 1)))
    report("gw1", "b", RevisionLoad(1, 5, 0, (5, 0, 0)))
    assert meter.take_sides(HELLO) == (RevisionLoad(1, 17, 1, (9, 8, 0)), RevisionLoad(2, 1, 1, (0, 1)))
    assert meter.take_sides(HELLO) == ()
    report("gw0", "a", RevisionLoad(1, 12, 1, (4, 8)))
    assert meter.take_sides(HELLO) == ()
    # Another canary begins at zero, and so does another life of the gateway.
    report("gw0", "a", RevisionLoad(1, 2, 0, (2,)))
    report("gw1", "c", RevisionLoad(1, 7, 0, (7,)))
    assert meter.take_sides(HELLO) == (RevisionLoad(1, 9, 0, (9,)),)
    report("gw0", "a")
    report("gw0", "a", RevisionLoad(1, 3, 0, (3,)))
    meter.forget(HELLO)
    assert meter.take_sides(HELLO) == ()


def test_a_gateway_not_heard_of_again_yet_is_still_known_after_a_second_restart() -> None:
    first, second, third = Meter(), Meter(), Meter()
    first.merge("gw0", "a", load(3))
    second.restore(first.totals())
    third.restore(second.totals())
    third.merge("gw0", "a", load(4))
    assert third.invocations(HELLO) == 4


def test_a_function_deployed_again_after_its_removal_starts_at_zero() -> None:
    meter = Meter()
    meter.merge("gw0", "a", load(3))
    meter.forget(HELLO)
    assert meter.invocations(HELLO) == 0
    meter.merge("gw0", "a", load(5))
    assert meter.invocations(HELLO) == 2


def test_a_count_that_began_anew_is_counted_anew() -> None:
    meter = Meter()
    meter.merge("gw0", "a", load(10))
    meter.merge("gw0", "a", load(2))
    assert (meter.invocations(HELLO), meter.figures(HELLO).started) == (12, 12)


@given(
    st.dictionaries(st.sampled_from([NAME, "other.team", f"{NAME}@gw0@a", f"{NAME}@gw0", "@", "@@"]), st.integers(0))
)
def test_whatever_was_saved_is_taken(totals: dict[str, int]) -> None:
    meter = Meter()
    meter.restore(totals)
    assert meter.invocations(HELLO) == totals.get(NAME, 0)


class Gateways(RuleBasedStateMachine):
    """Gateways that call, report, die and come back, below a control plane that does so too."""

    gateways = st.sampled_from(["gw0", "gw1"])

    def __init__(self) -> None:
        super().__init__()
        self.meter = Meter()
        self.calls = {"gw0": 0, "gw1": 0}
        self.boots = {"gw0": 0, "gw1": 0}
        self.reported = 0
        self.unreported = {"gw0": 0, "gw1": 0}
        self.scraped = 0

    @rule(gateway=gateways, calls=st.integers(1, 5))
    def call(self, gateway: str, calls: int) -> None:
        self.calls[gateway] += calls
        self.unreported[gateway] += calls

    @rule(gateway=gateways)
    def report(self, gateway: str) -> None:
        self.meter.merge(gateway, str(self.boots[gateway]), load(self.calls[gateway], inflight=1))
        self.reported += self.unreported[gateway]
        self.unreported[gateway] = 0

    @rule(gateway=gateways)
    def disconnect(self, gateway: str) -> None:
        self.meter.gone(gateway)

    @rule(gateway=gateways)
    def die(self, gateway: str) -> None:
        self.meter.gone(gateway)
        self.calls[gateway] = self.unreported[gateway] = 0
        self.boots[gateway] += 1

    @rule()
    def restart_control_plane(self) -> None:
        totals = self.meter.totals()
        self.meter = Meter()
        self.meter.restore(totals)
        self.scraped = 0

    @invariant()
    def counts_are_exact_and_series_never_fall(self) -> None:
        assert self.meter.invocations(HELLO) == self.reported
        started = self.meter.figures(HELLO).started
        assert started >= self.scraped
        self.scraped = started


TestGateways = Gateways.TestCase
TestGateways.settings = settings(max_examples=60, stateful_step_count=30)


def test_calls_begun_count_only_what_was_seen_to_begin() -> None:
    meter = Meter()
    meter.merge("gw0", "a", load(1_000_000, inflight=2, waiting=1))
    assert meter.begun(HELLO) == 3, "the million may be days old: only the calls there are now are new"
    meter.merge("gw0", "a", load(1_000_010, inflight=4))
    assert meter.begun(HELLO) == 3 + 12
    meter.merge("gw1", "b", load(5))
    assert meter.begun(HELLO) == 15
    meter.gone("gw0")
    meter.merge("gw0", "c", load(7, inflight=1))
    assert meter.begun(HELLO) == 16, "another life of the gateway"
    meter.forget(HELLO)
    assert meter.begun(HELLO) == 0


def test_calls_that_a_guard_refused_are_told_and_not_counted_as_calls() -> None:
    meter = Meter()
    for refused in (2, 5):
        none: tuple[int, ...] = (0,) * 12
        codes = {200: (3, 1.5, none), 429: (refused, 0.0, none)}
        meter.merge("gw0", "a", Load((FunctionLoad(NAME, 0, 0, 3, codes, refused=refused),)))
    assert (meter.invocations(HELLO), meter.figures(HELLO).refused) == (3, 5)
    assert meter.figures(HELLO).codes[429].calls == 5


def test_what_was_counted_while_no_control_plane_was_there_is_in_the_figures_of_all_lives_once() -> None:
    first = Meter()
    first.merge("gw0", "a", load(3))
    first.merge("gw0", "a", load(5, inflight=1))
    assert first.figures_ever(HELLO).codes[200].calls == 5
    kept = first.marks
    first.merge("gw0", "a", load(6))  # not kept any more

    second = Meter()
    second.remember(kept)
    second.merge("gw0", "a", msgspec.structs.replace(load(8), again=True))
    second.merge("gw1", "b", msgspec.structs.replace(load(2, code=500, cold=1), again=True))
    assert second.figures(HELLO).codes[200].calls == 0, "what Prometheus may have seen"
    ever = second.figures_ever(HELLO)
    assert (ever.codes[200].calls, ever.codes[500].calls, ever.cold) == (3, 2, 1)
    assert (ever.codes[200].seconds, ever.codes[200].buckets[0]) == (1.5, 3)
    second.merge("gw0", "a", load(9))
    assert second.figures_ever(HELLO).codes[200].calls == 4

    third = Meter()
    third.remember(second.marks)
    # The function was removed and came back: the gateway counts it anew.
    third.merge("gw0", "a", msgspec.structs.replace(load(1), again=True))
    assert third.figures_ever(HELLO).codes[200].calls == 1
