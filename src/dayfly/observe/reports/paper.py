"""A report as PDF, made by fpdf2, which is imported when it is needed.

The fonts that every reader of PDF has know Western letters only; another stands as `?`.
"""

import importlib.util
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dayfly.model.errors import NotSupported
from dayfly.model.report import ReportFigures
from dayfly.observe.reports import words
from dayfly.observe.reports.charts import Chart

if TYPE_CHECKING:
    from fpdf import FPDF

MISSING = "The library fpdf2 is not installed, which reports as PDF need: pip install 'dayfly[reports]'"
_FONT = "Helvetica"


def check_paper() -> None:
    """Refuse where the library is not here. Raises NotSupported."""
    if importlib.util.find_spec("fpdf") is None:
        raise NotSupported(MISSING, hint="HTML and text need nothing: --output report.html")


def paper(figures: ReportFigures, charts: Iterable[Chart], now_ms: int) -> bytes:
    """Return the PDF. It takes a moment, and blocks. Raises NotSupported."""
    check_paper()
    from fpdf import FPDF

    pdf = FPDF(format="A4")
    pdf.set_creation_date(datetime.fromtimestamp(now_ms / 1000, UTC))
    pdf.set_title(_western(figures.title))
    pdf.set_creator("Dayfly")
    pdf.add_page()
    whose = f"namespace {figures.namespace}" if figures.namespace else "all namespaces"
    _line(pdf, figures.title, 16)
    _line(pdf, f"{words.period(figures)}, {whose}", 10)
    _table(pdf, ("", "", "Change"), words.headline(figures))
    for chart in charts:
        pdf.ln(3)
        pdf.image(io.BytesIO(chart.png), w=pdf.epw, alt_text=chart.text)
    for title, rows in (("Function", figures.functions), ("Namespace", figures.namespaces)):
        if rows:
            _line(pdf, f"{title}s", 12)
            _table(pdf, words.columns(figures, title), [words.cells(figures, row) for row in rows])
    if figures.more_functions:
        _line(pdf, f"and {figures.more_functions} more functions", 10)
    if figures.errors:
        _line(pdf, "Most frequent errors", 12)
        errors = [(each.function, str(each.status), each.error, f"{each.calls:,}") for each in figures.errors]
        _table(pdf, ("Function", "Status", "Why", "Calls"), errors)
    _line(pdf, "Alerts" if figures.alerts else "No alerts.", 12)
    if figures.alerts:
        alerts = [
            (words.moment(figures, each.fired_unix_ms), each.severity, each.rule, each.text) for each in figures.alerts
        ]
        _table(pdf, ("Since", "Severity", "Rule", "What"), alerts)
    return bytes(pdf.output())


def _line(pdf: "FPDF", text: str, size: int) -> None:
    pdf.set_font(_FONT, size=size)
    pdf.multi_cell(0, size * 0.6, _western(text), new_x="LMARGIN", new_y="NEXT")


def _table(pdf: "FPDF", heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    pdf.set_font(_FONT, size=8)
    with pdf.table(first_row_as_headings=True, line_height=4.5) as table:
        for row in (heads, *rows):
            line = table.row()
            for cell in row:
                line.cell(_western(cell))
    pdf.ln(2)


def _western(text: str) -> str:
    shown = "".join(each if each.isprintable() else " " for each in text)
    return shown.encode("latin-1", "replace").decode("latin-1")
