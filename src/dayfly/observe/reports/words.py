"""Figures of reports as people read them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dayfly.model.report import ReportFigures, ReportRow, Sums
from dayfly.model.table import LATENCY_BUCKETS_S

COLUMNS = ("", "Calls", "Change", "Failed", "p50", "p95", "p99", "Cold", "Cost")
"""What a table of functions has; the last where there are prices."""


def columns(figures: ReportFigures, what: str) -> tuple[str, ...]:
    """Return the heads of a table."""
    return (what, *COLUMNS[1:]) if figures.has_prices else (what, *COLUMNS[1:-1])


def cells(figures: ReportFigures, row: ReportRow) -> tuple[str, ...]:
    """Return a row of a table."""
    now = row.now
    found = (
        row.name, f"{now.calls:,}", change(now.calls, row.before.calls), part(now), seconds(now, now.p50_s),
        seconds(now, now.p95_s), seconds(now, now.p99_s), f"{now.cold:,}",
    )  # fmt: skip
    return (*found, money(figures, now.cost)) if figures.has_prices else found


def change(now: float, before: float) -> str:
    """Return by how much it differs from the time before."""
    if not before:
        return "new" if now else "-"
    return f"{(now - before) / before * 100:+.0f} %"


def part(sums: Sums) -> str:
    """Return which part of calls failed."""
    return f"{sums.failed_part * 100:.2g} %" if sums.failed else "0" if sums.calls else "-"


def seconds(sums: Sums, value: float | None) -> str:
    """Return a time within which calls were answered: the bound of the histogram's bucket."""
    if not sums.calls:
        return "-"
    if value is None:
        return f"> {LATENCY_BUCKETS_S[-1]:g} s"
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def money(figures: ReportFigures, cost: float) -> str:
    """Return an amount of money."""
    return f"{cost:,.4f} {figures.currency}".strip()


def moment(figures: ReportFigures, unix_ms: int, form: str = "%Y-%m-%d %H:%M") -> str:
    """Return a moment as the clocks of the report's zone show it."""
    zone = UTC if figures.zone.upper() == "UTC" else ZoneInfo(figures.zone)
    return datetime.fromtimestamp(unix_ms / 1000, zone).strftime(form)


def period(figures: ReportFigures) -> str:
    """Return the time that the report is about."""
    last = moment(figures, figures.until_unix_ms - 1, "%Y-%m-%d")
    first = moment(figures, figures.since_unix_ms, "%Y-%m-%d")
    days = first if first == last else f"{first} to {last}"
    return f"{days}, {figures.zone}"


def headline(figures: ReportFigures) -> list[tuple[str, str, str]]:
    """Return what comes first: what it is, how much, and how that differs from the time before."""
    now, before = figures.total.now, figures.total.before
    found = [
        ("Calls", f"{now.calls:,}", change(now.calls, before.calls)),
        ("Failed", part(now), change(now.failed_part, before.failed_part)),
        ("p95", seconds(now, now.p95_s), change(now.p95_s or 0.0, before.p95_s or 0.0)),
        ("Cold starts", f"{now.cold:,}", change(now.cold, before.cold)),
    ]
    if figures.has_prices:
        found.append(("Cost", money(figures, now.cost), change(now.cost, before.cost)))
    return found
