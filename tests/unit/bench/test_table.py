"""The report: verdicts counted, misses named, gaps shown, the same rows as text and as Markdown."""

import msgspec
from bench.book import Machine, Report
from bench.figures import Budget, Figure, Gap, Profile, Spread
from bench.table import formatted, markdown_report, text_report, verdicts

_MACHINE = Machine(processor="P", cores=2, memory_mib=2048, kernel="6.1", python="3.11.7", load_before=0.1)
_KEPT = Figure(group="warm", what="ratio", unit="×", spread=Spread((0.5, 0.6, 0.4)), budget=Budget(0.4, at_least=True))
_MISSED = Figure(group="help", what="dayfly --help", unit="ms", spread=Spread((200.0,)), budget=Budget(150))
_FREE = Figure(group="warm", what="rate", unit="req/s", spread=Spread((62_000.4,)), note="p50 | 0.4 ms")
_GAP = Gap(group="bodies", what="Envoy", why="not installed")


def test_formatted_shows_the_range_of_several_rounds_only() -> None:
    assert formatted(Spread((0.5, 0.6, 0.4)), "×") == "0.50 × (0.40 to 0.60)"
    assert formatted(Spread((62_000.4,)), "req/s") == "62,000 req/s"


def test_verdicts_count_the_judged_and_name_the_missed() -> None:
    assert verdicts([_KEPT, _MISSED, _FREE]) == "1 of 2 budgets kept; missed: dayfly --help."


def test_text_report_has_every_figure_gap_and_profile_in_the_order_of_the_groups() -> None:
    text = text_report(_report())
    assert text.index("ratio") < text.index("left out: Envoy") < text.index("MISS")
    assert "≥ 0.4 ×" in text
    assert "≤ 150 ms" in text
    assert "  12.0  module" in text


def test_markdown_report_escapes_what_would_break_its_table() -> None:
    lines = markdown_report(_report()).splitlines()
    assert "| rate | 62,000 req/s |  |  | p50 \\| 0.4 ms |" in lines
    assert "- Left out: Envoy: not installed" in lines
    assert "  12.0  module" in lines


def test_report_survives_its_json() -> None:
    report = _report()
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def _report() -> Report:
    return Report(
        started="2026-01-01T00:00:00",
        quick=False,
        groups=["warm", "bodies", "help"],
        machine=_MACHINE,
        seconds=600,
        figures=[_MISSED, _KEPT, _FREE],
        gaps=[_GAP],
        profiles=[Profile(group="help", what="dayfly --help", tool="importtime", lines=("  12.0  module",))],
    )
