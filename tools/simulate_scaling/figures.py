"""What a day came to, in figures that can be compared."""

import math

import msgspec
from tools.simulate_scaling.trace import Trace, concurrency
from tools.simulate_scaling.world import Outcome, Service


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One policy's day. Queue times are of all calls, most of which wait for nothing."""

    title: str
    replica_hours: float
    over: float
    """Replica-seconds that there were, for each that was needed."""
    starts: int
    changes: int
    cold_starts: int
    waited: float
    """The part of all calls that waited at all."""
    p50_s: float
    p99_s: float
    p999_s: float
    longest_s: float


HEADINGS = (
    "policy", "replica-hours", "per needed", "replicas started", "changes of mind", "calls that met no replica",
    "calls that waited", "queue p50", "p99", "p99.9", "longest",
)  # fmt: skip


def needed(trace: Trace, service: Service, seconds: int) -> list[int]:
    """Return by second the fewest replicas that have a place for each call, were the calls known before."""
    return [math.ceil(calls / service.per_replica - 1e-9) for calls in concurrency(trace, seconds)]


def measure(title: str, outcome: Outcome, needed_s: int) -> Figures:
    """Return the figures of one day."""
    ordered = sorted(outcome.queue_s)
    return Figures(
        title=title,
        replica_hours=outcome.replica_s / 3600,
        over=outcome.replica_s / needed_s,
        starts=outcome.starts,
        changes=outcome.changes,
        cold_starts=outcome.cold_starts,
        waited=sum(wait > 0 for wait in ordered) / len(ordered),
        p50_s=_quantile(ordered, 0.5),
        p99_s=_quantile(ordered, 0.99),
        p999_s=_quantile(ordered, 0.999),
        longest_s=ordered[-1],
    )


def row(figures: Figures) -> tuple[str, ...]:
    """Return the figures as HEADINGS names them."""
    times = (figures.p50_s, figures.p99_s, figures.p999_s, figures.longest_s)
    return (
        figures.title,
        f"{figures.replica_hours:.1f}",
        f"{figures.over:.2f}",
        f"{figures.starts:,}",
        f"{figures.changes:,}",
        f"{figures.cold_starts:,}",
        f"{figures.waited:.1%}",
        *(f"{time_s * 1000:,.0f} ms" for time_s in times),
    )


def table(rows: list[Figures]) -> str:
    """Return the figures as a Markdown table."""
    lines = [HEADINGS, ("---", *("---:" for _ in HEADINGS[1:])), *(row(figures) for figures in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _quantile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
