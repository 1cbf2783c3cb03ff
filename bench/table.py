"""The report for people: a table on the terminal, the same as Markdown for the documentation.

Both have the same rows. Figures without a budget stand among the others, because a ratio that nobody promised is still
what a reader chooses by.
"""

from collections.abc import Iterable, Sequence

from bench.book import Report
from bench.figures import Figure, Spread

_HEADINGS = ("what", "measured (lowest to highest)", "budget", "", "note")
_DIGITS = {"×": 2, "ms": 2, "s": 2, "MiB": 1, "KiB": 1, "req/s": 0}


def text_report(report: Report) -> str:
    """Return the report for a terminal."""
    parts = [_about(report)]
    for group in _groups(report):
        rows = [_row(figure) for figure in report.figures if figure.group == group]
        parts.append(f"{group}\n" + (_aligned([_HEADINGS, *rows]) if rows else "  nothing measured"))
        parts += [f"  left out: {gap.what}: {gap.why}" for gap in report.gaps if gap.group == group]
    for profile in report.profiles:
        parts.append(f"profile of {profile.what} ({profile.tool})")
        parts += [f"  {line}" for line in profile.lines]
    parts.append(verdicts(report.figures))
    return "\n\n".join(parts[:1]) + "\n\n" + "\n".join(parts[1:])


def markdown_report(report: Report) -> str:
    """Return the report's figures section for docs/benchmarks.md."""
    parts = [_about(report), ""]
    for group in _groups(report):
        rows = [_row(figure) for figure in report.figures if figure.group == group]
        parts += [f"### {group}", ""]
        if rows:
            parts += _markdown_table(rows)
        parts += [f"- Left out: {gap.what}: {gap.why}" for gap in report.gaps if gap.group == group]
        parts.append("")
    if report.profiles:
        parts += ["### Where the time goes in what missed", ""]
    for profile in report.profiles:
        parts += [f"{profile.what} ({profile.tool}):", "", "```", *profile.lines, "```", ""]
    parts.append(verdicts(report.figures))
    return "\n".join(parts) + "\n"


def verdicts(figures: Iterable[Figure]) -> str:
    """Return one sentence that counts the budgets kept and names those missed."""
    judged = [figure for figure in figures if figure.verdict]
    missed = [figure.what for figure in judged if figure.verdict == "MISS"]
    kept = f"{len(judged) - len(missed)} of {len(judged)} budgets kept"
    return kept + (f"; missed: {'; '.join(missed)}" if missed else "") + "."


def formatted(spread: Spread, unit: str) -> str:
    """Return a spread as `0.55 × (0.51 to 0.58)`; a single value has no range."""
    digits = _DIGITS.get(unit, 2)
    middle = f"{spread.median:,.{digits}f} {unit}"
    if len(spread.values) == 1:
        return middle
    return f"{middle} ({spread.lowest:,.{digits}f} to {spread.highest:,.{digits}f})"


def _row(figure: Figure) -> tuple[str, ...]:
    budget = ""
    if figure.budget is not None:
        budget = f"{'≥' if figure.budget.at_least else '≤'} {figure.budget.limit:g} {figure.unit}"
    return figure.what, formatted(figure.spread, figure.unit), budget, figure.verdict, figure.note


def _about(report: Report) -> str:
    machine = report.machine
    return (
        f"{'Quick' if report.quick else 'Full'} run of {report.started} UTC, {report.seconds / 60:.0f} min: "
        f"{machine.cores} cores of {machine.processor}, {machine.memory_mib:,} MiB, Linux {machine.kernel}, "
        f"Python {machine.python}; load average {machine.load_before:g} before the run."
    )


def _groups(report: Report) -> list[str]:
    named = [*(figure.group for figure in report.figures), *(gap.group for gap in report.gaps)]
    return [group for group in report.groups if group in named]


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append(("  " + "  ".join([*cells, row[-1]])).rstrip())
    return "\n".join(lines)


def _markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    table = [_HEADINGS, ("---",) * len(_HEADINGS), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table] + [""]
