"""What is in a report, taken from the roll-ups, the records, the ledger and the log of alerts.

A day is summed from the roll-ups by the minute, of which there are two weeks, and by the hour before that; a week and a
month by the hour, which is the hour of the clock in UTC: where a zone's day begins at half past, half an hour of the
neighbours is in it. What use cost is by the hour too. How calls failed is known of those whose records are kept.
"""

import dataclasses
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence

from dayfly.decide.report_times import Times
from dayfly.model.allowance import Used
from dayfly.model.cost import Prices
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.model.past_alert import PastAlertQuery
from dayfly.model.report import ErrorRow, ReportFigures, ReportRow, ReportSpec, Step, Sums
from dayfly.model.rollup import Rollup, Span
from dayfly.observe.alerts.past_alerts import PastAlerts
from dayfly.observe.failures import FailureQuery
from dayfly.observe.rollup_sums import RollupSums

MAX_FUNCTIONS, MAX_NAMESPACES, MAX_ERRORS, MAX_ALERTS = 25, 25, 15, 30
MINUTES_KEPT_MS = 13 * 86_400_000
HOUR_MS = 3_600_000
_TITLES = {"day": "Daily report", "week": "Weekly report", "month": "Monthly report"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Where the figures come from."""

    namespaces: Callable[[], Iterable[NamespaceName]]
    sums: Callable[[RollupSums], Awaitable[list[Rollup]]]
    failures: Callable[[FailureQuery], Awaitable[list[ErrorRow]]]
    used: Callable[[NamespaceName, int, int], Awaitable[dict[FunctionKey, Used]]]
    alerts: PastAlerts
    prices: Prices = Prices()  # noqa: RUF009 - it is frozen


async def gather(facts: Facts, spec: ReportSpec, at_ms: int, now_ms: int) -> ReportFigures:
    """Return what is in the report of this moment. Raises StoreUnavailable, InvalidSpec."""
    times = Times(spec)
    span = times.span(at_ms)
    now = await _sums(facts, spec, span.since_unix_ms, span.until_unix_ms, now_ms)
    before = await _sums(facts, spec, span.before_unix_ms, span.since_unix_ms, now_ms)
    rows = [_row(f"{key[1]}.{key[0]}", now.get(key, []), before.get(key, []), facts.prices) for key in {*now, *before}]
    rows.sort(key=lambda row: (-row.now.calls, -row.before.calls, row.name))
    namespaces = sorted({key[0] for key in {*now, *before}})
    by_namespace = [
        _row(
            name,
            [part for key, parts in now.items() if key[0] == name for part in parts],
            [part for key, parts in before.items() if key[0] == name for part in parts],
            facts.prices,
        )
        for name in namespaces
    ]
    by_namespace.sort(key=lambda row: (-row.now.calls, row.name))
    failures = FailureQuery(
        since_unix_ms=span.since_unix_ms, until_unix_ms=span.until_unix_ms, namespace=spec.namespace, limit=MAX_ERRORS
    )
    alerts = await facts.alerts.find(
        PastAlertQuery(
            namespace=spec.namespace or None, since_unix_ms=span.since_unix_ms, until_unix_ms=span.until_unix_ms,
            limit=MAX_ALERTS,
        )
    )  # fmt: skip
    return ReportFigures(
        title=f"{_TITLES[spec.every]}: {spec.name}",
        namespace=spec.namespace,
        zone=spec.zone,
        since_unix_ms=span.since_unix_ms,
        until_unix_ms=span.until_unix_ms,
        total=_row("all", _all(now), _all(before), facts.prices),
        functions=tuple(rows[:MAX_FUNCTIONS]),
        more_functions=max(0, len(rows) - MAX_FUNCTIONS),
        namespaces=() if spec.namespace else tuple(by_namespace[:MAX_NAMESPACES]),
        errors=tuple(await facts.failures(failures)),
        alerts=tuple(alerts),
        steps=tuple(await _steps(facts, spec, [*times.steps(span), span.until_unix_ms], now_ms)),
        currency=facts.prices.currency,
        has_prices=facts.prices.are_set,
    )


_Part = tuple[Rollup | None, Used]


async def _sums(
    facts: Facts, spec: ReportSpec, since_ms: int, until_ms: int, now_ms: int
) -> dict[tuple[str, str], list[_Part]]:  # fmt: skip
    """Return what each function did in a time, and what it used."""
    span, since, until = _bounds(since_ms, until_ms, now_ms)
    query = RollupSums(span=span, since_unix_s=since, until_unix_s=until, namespace=spec.namespace)
    found: dict[tuple[str, str], list[_Part]] = {}
    for each in await facts.sums(query):
        found.setdefault((each.namespace, each.function), []).append((each, Used()))
    if facts.prices.are_set:
        names = [NamespaceName(spec.namespace)] if spec.namespace else list(facts.namespaces())
        for name in names:
            for key, used in (await facts.used(name, since_ms // HOUR_MS, until_ms // HOUR_MS)).items():
                found.setdefault((key.namespace, key.name), []).append((None, used))
    return found


async def _steps(facts: Facts, spec: ReportSpec, bounds: Sequence[int], now_ms: int) -> list[Step]:
    span, since, until = _bounds(bounds[0], bounds[-1], now_ms)
    query = RollupSums(span=span, since_unix_s=since, until_unix_s=until, namespace=spec.namespace, by="time")
    parts: dict[int, list[_Part]] = {at: [] for at in bounds[:-1]}
    for each in await facts.sums(query):
        at = max((bound for bound in parts if bound <= each.at_unix_s * 1000), default=bounds[0])
        parts[at].append((each, Used()))
    sums = {at: _added(found, facts.prices) for at, found in parts.items()}
    return [Step(at_unix_ms=at, calls=each.calls, failed=each.failed, p95_s=each.p95_s) for at, each in sums.items()]


def _bounds(since_ms: int, until_ms: int, now_ms: int) -> tuple[Span, int, int]:
    """Return which roll-ups to sum, and from when to when, in seconds."""
    if until_ms - since_ms <= 26 * HOUR_MS and now_ms - since_ms < MINUTES_KEPT_MS:
        return "minute", since_ms // 1000, until_ms // 1000
    return "hour", since_ms // HOUR_MS * 3600, until_ms // HOUR_MS * 3600


def _all(found: dict[tuple[str, str], list[_Part]]) -> list[_Part]:
    return [part for parts in found.values() for part in parts]


def _row(name: str, now: Sequence[_Part], before: Sequence[_Part], prices: Prices) -> ReportRow:
    return ReportRow(name=name, now=_added(now, prices), before=_added(before, prices))


def _added(parts: Sequence[_Part], prices: Prices) -> Sums:
    found = [rollup for rollup, _ in parts if rollup is not None]
    used = Used()
    for _, each in parts:
        used = used.plus(each)
    if not found:
        return Sums(cost=prices.of(used))
    latencies = tuple(sum(counts) for counts in zip(*(each.latencies for each in found), strict=True))
    whole = found[0].__class__(
        function="", namespace="", at_unix_s=0, calls=sum(each.calls for each in found),
        failed=sum(each.failed for each in found), cold=sum(each.cold for each in found), seconds=0.0, run_s=0.0,
        request_bytes=0, response_bytes=0, latencies=latencies,
    )  # fmt: skip
    p50_s, p95_s, p99_s = (
        None if math.isinf(found) else found for found in map(whole.quantile_s, (0.5, 0.95, 0.99))
    )  # fmt: skip
    return Sums(
        calls=whole.calls, failed=whole.failed, cold=whole.cold, p50_s=p50_s, p95_s=p95_s, p99_s=p99_s,
        cost=prices.of(used),
    )  # fmt: skip
