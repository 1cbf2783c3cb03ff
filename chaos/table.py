"""The report for people: a line a scenario, its figures, and every broken promise by name; for a terminal and docs."""

from collections.abc import Sequence

from chaos.outcome import Outcome

_HEADINGS = ("scenario", "calls", "failed", "without excuse", "state lost", "orphans", "seconds", "")


def text_report(outcomes: Sequence[Outcome]) -> str:
    """Return the whole report for a terminal."""
    rows = [_HEADINGS, *(_row(outcome) for outcome in outcomes), _sum(outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    details = ("\n".join([each.scenario, *(f"  {line}" for line in _details(each))]) for each in outcomes)
    return "\n\n".join(["\n".join(lines), *details])


def markdown_report(outcomes: Sequence[Outcome]) -> str:
    """Return the figures section of docs/reliability.md."""
    rows = [_HEADINGS, ("---",) * len(_HEADINGS), *(_row(outcome) for outcome in outcomes), _sum(outcomes)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    for outcome in outcomes:
        lines += ["", f"**{outcome.scenario}**", "", *(f"- {line}" for line in _details(outcome))]
    return "\n".join(lines) + "\n"


def _row(outcome: Outcome) -> tuple[str, ...]:
    return (
        outcome.scenario,
        f"{outcome.calls:,}",
        f"{sum(outcome.failed.values()):,}",
        f"{outcome.forbidden:,}",
        f"{outcome.state_lost}",
        f"{outcome.orphans}",
        f"{outcome.seconds:.0f}",
        "kept" if outcome.kept else "BROKEN",
    )


def _sum(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    return (
        "all",
        f"{sum(each.calls for each in outcomes):,}",
        f"{sum(sum(each.failed.values()) for each in outcomes):,}",
        f"{sum(each.forbidden for each in outcomes):,}",
        f"{sum(each.state_lost for each in outcomes)}",
        f"{sum(each.orphans for each in outcomes)}",
        f"{sum(each.seconds for each in outcomes):.0f}",
        "kept" if all(each.kept for each in outcomes) else "BROKEN",
    )


def _details(outcome: Outcome) -> list[str]:
    lines = [f"{what}: {value}" for what, value in outcome.figures.items()]
    lines += [f"calls failed: {count:,} × {reason}" for reason, count in outcome.failed.items()]
    # A scenario that goes in rounds makes the same promise in each.
    lines += dict.fromkeys(f"kept: {promise.what}" for promise in outcome.promises if promise.kept)
    lines += [f"BROKEN: {promise.what}: {promise.detail}" for promise in outcome.broken]
    return lines
