"""Rates out of two looks."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.cli.rates import percentile, rates
from dayfly.model.status import ReplicaStatus
from dayfly.model.table import LATENCY_BUCKETS_S
from dayfly.model.usage import FunctionUsage, Usage

BOUNDS = (0.01, 0.1, 1.0)


def replica(name: str, cpu_s: float, memory_bytes: int = 100) -> ReplicaStatus:
    return ReplicaStatus(id=name, phase="ready", revision=1, started_unix_ms=0, cpu_s=cpu_s, memory_bytes=memory_bytes)


def function(name: str = "hello", **changes: Any) -> FunctionUsage:
    whole = FunctionUsage(
        name=name, namespace="openfaas-fn", revision=1, state="ready", desired_replicas=1, ready_replicas=1, inflight=2,
        waiting=3, calls=10, failed=1, latencies=(10, 0, 0, 0), exits={"oom": 2, "crashed": 1}, cpu_s=1.0,
        memory_bytes=100, replicas=(replica("a", 1.0),),
    )  # fmt: skip
    return msgspec.structs.replace(whole, **changes)


def look(at_s: float, *functions: FunctionUsage) -> Usage:
    return Usage(at_s=at_s, bounds_s=BOUNDS, functions=functions)


def test_two_looks_make_rates() -> None:
    before = look(100.0, function())
    after = look(104.0, function(calls=50, failed=3, latencies=(29, 20, 1, 0), replicas=(replica("a", 3.0),)))
    (rate,) = rates(before, after)
    assert (rate.calls_per_s, rate.failed_per_s, rate.cpu_percent) == (10.0, 0.5, 50.0)
    assert (rate.p50_s, rate.p99_s) == (0.1, 1.0)
    assert (rate.inflight, rate.waiting, rate.exits, rate.memory_bytes) == (2, 3, 3, 100)
    assert rate.replicas[0].cpu_percent == 50.0


def test_one_look_has_no_rates() -> None:
    (rate,) = rates(None, look(100.0, function()))
    assert {rate.calls_per_s, rate.failed_per_s, rate.cpu_percent, rate.p50_s, rate.replicas[0].cpu_percent} == {None}
    assert rate.memory_bytes == 100


def test_without_calls_there_is_no_latency_and_one_beyond_the_last_bound_is_infinite() -> None:
    (rate,) = rates(look(1.0, function()), look(2.0, function()))
    assert (rate.calls_per_s, rate.p50_s, rate.p99_s) == (0.0, None, None)
    (rate,) = rates(look(1.0, function()), look(2.0, function(latencies=(10, 0, 0, 5))))
    assert rate.p50_s == float("inf")


def test_replicas_and_functions_that_come_and_go() -> None:
    before = look(1.0, function(), function("gone"))
    after = look(2.0, function(replicas=(replica("b", 0.5),)), function("new", calls=4))
    hello, new = rates(before, after)
    assert (hello.cpu_percent, hello.replicas[0].id) == (50.0, "b")
    assert (new.name, new.calls_per_s) == ("new", 4.0)


def test_counters_that_fell_stood_still() -> None:
    after = function(calls=2, failed=0, latencies=(2, 0, 3, 0), replicas=(replica("a", 0.5),))
    (rate,) = rates(look(1.0, function()), look(2.0, after))
    assert (rate.calls_per_s, rate.failed_per_s, rate.cpu_percent, rate.p50_s) == (0.0, 0.0, 0.0, 1.0)


@given(st.lists(st.floats(0, 20), min_size=1), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_percentile_is_the_first_bound_that_so_many_calls_stayed_within(times: list[float], part: float) -> None:
    bounds = (*LATENCY_BUCKETS_S, float("inf"))
    counts = [0] * len(bounds)
    for each in times:
        counts[next(at for at, bound in enumerate(bounds) if each <= bound)] += 1
    found = percentile(counts, LATENCY_BUCKETS_S, part)
    assert found is not None
    assert sum(each <= found for each in times) >= part * len(times)
    smaller = [bound for bound in bounds if bound < found]
    assert all(sum(each <= bound for each in times) < part * len(times) for bound in smaller)


@pytest.mark.parametrize("part", [0.5, 0.99])
def test_a_percentile_of_nothing_is_none(part: float) -> None:
    assert percentile([0, 0, 0, 0], BOUNDS, part) is None
