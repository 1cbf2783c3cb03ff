"""Rates, made of two looks at what functions do and use. Pure: the times are in the looks.

A first look alone makes the rows without rates. A replica that came between two looks counts with all it used; one that
went with nothing, and counters that fell, because a gateway began anew, are taken to have stood still.
"""

from collections.abc import Sequence

import msgspec

from dayfly.model.status import FunctionState, ReplicaStatus
from dayfly.model.usage import FunctionUsage, Usage


class ReplicaRate(msgspec.Struct, frozen=True, kw_only=True):
    """One replica."""

    id: str
    phase: str
    revision: int
    started_unix_ms: int
    cpu_percent: float | None
    """Of one processor; None where there was only one look."""
    memory_bytes: int


class FunctionRate(msgspec.Struct, frozen=True, kw_only=True):
    """One function between two looks; what takes two is None after the first."""

    name: str
    namespace: str
    revision: int
    state: FunctionState
    ready_replicas: int
    desired_replicas: int
    calls_per_s: float | None
    failed_per_s: float | None
    """Calls answered with 500 or more."""
    inflight: int
    waiting: int
    p50_s: float | None
    """Half of the calls took no longer; a bound of the platform's histogram, None without calls."""
    p99_s: float | None
    cpu_percent: float | None
    """Of one processor, all replicas together."""
    memory_bytes: int
    exits: int
    """Replicas that ended and that nobody had stopped."""
    replicas: tuple[ReplicaRate, ...]


def rates(before: Usage | None, after: Usage) -> list[FunctionRate]:
    """Return each function that there is at the second look, in its order."""
    earlier = {one.name: one for one in before.functions} if before is not None else {}
    span_s = after.at_s - before.at_s if before is not None else 0.0
    return [_function(earlier.get(one.name), one, span_s, after.bounds_s) for one in after.functions]


def _function(
    before: FunctionUsage | None, after: FunctionUsage, span_s: float, bounds_s: Sequence[float]
) -> FunctionRate:
    known = {one.id: one for one in before.replicas} if before is not None else {}
    replicas = tuple(_replica(known.get(one.id), one, span_s) for one in after.replicas)
    counts = before.latencies if before is not None else (0,) * len(after.latencies)
    between = [max(0, now - then) for then, now in zip(counts, after.latencies, strict=True)]
    return FunctionRate(
        name=after.name,
        namespace=after.namespace,
        revision=after.revision,
        state=after.state,
        ready_replicas=after.ready_replicas,
        desired_replicas=after.desired_replicas,
        calls_per_s=_rate(before.calls if before is not None else 0, after.calls, span_s),
        failed_per_s=_rate(before.failed if before is not None else 0, after.failed, span_s),
        inflight=after.inflight,
        waiting=after.waiting,
        p50_s=percentile(between, bounds_s, 0.5) if span_s else None,
        p99_s=percentile(between, bounds_s, 0.99) if span_s else None,
        cpu_percent=sum(one.cpu_percent or 0.0 for one in replicas) if span_s else None,
        memory_bytes=after.memory_bytes,
        exits=sum(after.exits.values()),
        replicas=replicas,
    )


def _replica(before: ReplicaStatus | None, after: ReplicaStatus, span_s: float) -> ReplicaRate:
    used = _rate(before.cpu_s if before is not None else 0.0, after.cpu_s, span_s)
    return ReplicaRate(
        id=after.id,
        phase=after.phase,
        revision=after.revision,
        started_unix_ms=after.started_unix_ms,
        cpu_percent=None if used is None else used * 100,
        memory_bytes=after.memory_bytes,
    )


def percentile(counts: Sequence[int], bounds_s: Sequence[float], part: float) -> float | None:
    """Return the bound that `part` of the calls did not exceed; infinity for the last, None without calls.

    `counts` has one entry more than `bounds_s`, for the calls above the last.
    """
    wanted = sum(counts) * part
    below = 0
    for count, bound in zip(counts, (*bounds_s, float("inf")), strict=True):
        below += count
        if count and below >= wanted:
            return bound
    return None


def _rate(before: float, after: float, span_s: float) -> float | None:
    return max(0.0, after - before) / span_s if span_s > 0 else None
