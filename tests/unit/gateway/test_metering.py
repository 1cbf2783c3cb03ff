"""Figures are totals, and reports carry what changed."""

from dayfly.gateway.metering import Meters
from dayfly.model.table import LATENCY_BUCKETS_S, FunctionLoad, Load


def test_a_call_is_counted_in_its_bucket() -> None:
    meters = Meters()
    meter = meters.of("a.ns")
    meter.started = 3
    meter.finish(200, 0.005)
    meter.finish(200, 0.0051)
    meter.finish(500, 11.0)
    load = meters.all(7)
    assert load.id == 7
    codes = load.functions[0].codes
    assert codes[200][0] == 2
    assert abs(codes[200][1] - 0.0101) < 1e-9
    assert codes[200][2][:2] == (1, 1)
    assert codes[500] == (1, 11.0, (0,) * len(LATENCY_BUCKETS_S) + (1,))


def test_only_changes_are_reported() -> None:
    meters = Meters()
    assert meters.changed() is None
    first, second = meters.of("a.ns"), meters.of("b.ns")
    first.started = second.started = 1
    first.finish(200, 0.1)
    second.waiting = 2
    second.touch()
    second.touch()
    load = meters.changed()
    assert load is not None
    assert [each.function for each in load.functions] == ["a.ns", "b.ns"]
    assert load.functions[1].waiting == 2
    assert meters.changed() is None
    first.finish(200, 0.1)
    again = meters.changed()
    assert again is not None
    assert [(each.function, each.codes[200][0]) for each in again.functions] == [("a.ns", 2)]


def test_all_leaves_out_what_was_never_called() -> None:
    meters = Meters()
    meters.of("idle.ns")
    meters.of("a.ns").started = 1
    assert meters.all(1) == Load((FunctionLoad("a.ns", 0, 0, 1, {}, 0),), 1)


def test_a_function_that_comes_back_goes_on_counting() -> None:
    meters = Meters()
    assert meters.of("a.ns") is meters.of("a.ns")


def test_a_report_of_all_loses_no_later_change() -> None:
    meters = Meters()
    meter = meters.of("a.ns")
    meter.touch()
    meters.all(1)
    meter.touch()
    assert meters.changed() is not None
