"""A report as plain text, for terminals, and for mail programs that show no pages."""

from collections.abc import Sequence

from dayfly.model.report import ReportFigures
from dayfly.observe.alerts.text import one_line
from dayfly.observe.reports import words


def plain(figures: ReportFigures) -> str:
    """Return the text."""
    whose = f"namespace {figures.namespace}" if figures.namespace else "all namespaces"
    parts = [f"{figures.title}\n{words.period(figures)}, {whose}\n"]
    parts.append(_table([("", "", "Change"), *words.headline(figures)]))
    for title, rows in (("Function", figures.functions), ("Namespace", figures.namespaces)):
        if rows:
            parts.append(_table([words.columns(figures, title), *(words.cells(figures, row) for row in rows)]))
    if figures.more_functions:
        parts.append(f"and {figures.more_functions} more functions\n")
    if figures.errors:
        errors = [(each.function, str(each.status), each.error, f"{each.calls:,}") for each in figures.errors]
        parts.append(_table([("Errors", "Status", "Why", "Calls"), *errors]))
    if figures.alerts:
        alerts = [
            (words.moment(figures, each.fired_unix_ms), each.severity, each.rule, one_line(each.text))
            for each in figures.alerts
        ]
        parts.append(_table([("Alerts", "", "Rule", "What"), *alerts]))
    return "\n".join(parts)


def _table(rows: Sequence[Sequence[str]]) -> str:
    wide = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(size) for cell, size in zip(row, wide, strict=True)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"
