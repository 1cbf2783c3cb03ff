"""A report as PDF, made by fpdf2, which is imported when it is needed.

Western letters are drawn by the fonts that every reader of PDF has; where there are others, all are drawn by fonts of
this machine, which become part of the file. A letter that none of them knows stands as its number, `[U+4E2D]`, and a
line at the end says so: nothing is lost.
"""

import importlib.util
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from dayfly.model.errors import NotSupported
from dayfly.model.report import ReportFigures
from dayfly.observe.reports import words
from dayfly.observe.reports.charts import Chart
from dayfly.observe.reports.fonts import bold_of, choose, stands_alone

if TYPE_CHECKING:
    from fpdf import FPDF

MISSING = "The library fpdf2 is not installed, which reports as PDF need: pip install 'dayfly[reports]'"
_WESTERN, _LAST_WESTERN = "Helvetica", 255
_JOINERS = "\u200c\u200d"
"""Not drawn, and yet say how letters beside them are."""
_UNDRAWN = (
    "No font of the machine that made this knows {letters}, so these stand as their numbers. The report as HTML or "
    "text has them. Fonts that are installed there, such as Noto's, are used."
)


class _Line(NamedTuple):
    text: str
    size: int


class _Table(NamedTuple):
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


_Part = _Line | _Table | Chart


def check_paper() -> None:
    """Refuse where the library is not here. Raises NotSupported."""
    if importlib.util.find_spec("fpdf") is None:
        raise NotSupported(MISSING, hint="HTML and text need nothing: --output report.html")


def paper(figures: ReportFigures, charts: Iterable[Chart], now_ms: int) -> bytes:
    """Return the PDF. It takes a moment, and blocks. Raises NotSupported."""
    check_paper()
    from fpdf import FPDF

    parts = _parts(figures, charts)
    pdf = FPDF(format="A4")
    pdf.set_creation_date(datetime.fromtimestamp(now_ms / 1000, UTC))
    pdf.set_title(_clean(figures.title))
    pdf.set_creator("Dayfly")
    pen = _Pen(pdf, frozenset("".join(map(_clean, _texts(parts)))))
    pdf.add_page()
    for part in parts:
        pen.draw(part)
    pen.tell()
    return bytes(pdf.output())


def _parts(figures: ReportFigures, charts: Iterable[Chart]) -> list[_Part]:
    whose = f"namespace {figures.namespace}" if figures.namespace else "all namespaces"
    parts: list[_Part] = [
        _Line(figures.title, 16), _Line(f"{words.period(figures)}, {whose}", 10),
        _Table(("", "", "Change"), words.headline(figures)), *charts,
    ]  # fmt: skip
    for title, rows in (("Function", figures.functions), ("Namespace", figures.namespaces)):
        if rows:
            parts.append(_Line(f"{title}s", 12))
            parts.append(_Table(words.columns(figures, title), [words.cells(figures, row) for row in rows]))
    if figures.more_functions:
        parts.append(_Line(f"and {figures.more_functions} more functions", 10))
    if figures.errors:
        errors = [(each.function, str(each.status), each.error, f"{each.calls:,}") for each in figures.errors]
        parts += [_Line("Most frequent errors", 12), _Table(("Function", "Status", "Why", "Calls"), errors)]
    parts.append(_Line("Alerts" if figures.alerts else "No alerts.", 12))
    if figures.alerts:
        alerts = [
            (words.moment(figures, each.fired_unix_ms), each.severity, each.rule, each.text) for each in figures.alerts
        ]
        parts.append(_Table(("Since", "Severity", "Rule", "What"), alerts))
    return parts


def _texts(parts: Iterable[_Part]) -> Iterable[str]:
    for part in parts:
        match part:
            case _Line():
                yield part.text
            case _Table():
                yield from part.heads
                yield from (cell for row in part.rows for cell in row)


class _Pen:
    """Draws a report that has these letters."""

    def __init__(self, pdf: "FPDF", letters: frozenset[str]) -> None:
        self._pdf = pdf
        self._missing = frozenset[str]()
        self._font = _WESTERN
        others = frozenset(each for each in letters if ord(each) > _LAST_WESTERN and each not in _JOINERS)
        if others:
            self._take(letters.difference(_JOINERS), others)

    def draw(self, part: _Part) -> None:
        """Draw one thing below the last."""
        pdf = self._pdf
        match part:
            case _Line():
                pdf.set_font(self._font, size=part.size)
                pdf.multi_cell(0, part.size * 0.6, self._shown(part.text), new_x="LMARGIN", new_y="NEXT")
            case _Table():
                pdf.set_font(self._font, size=8)
                with pdf.table(first_row_as_headings=True, line_height=4.5) as table:
                    for row in (part.heads, *part.rows):
                        line = table.row()
                        for cell in row:
                            line.cell(self._shown(cell))
                pdf.ln(2)
            case Chart():
                pdf.ln(3)
                pdf.image(io.BytesIO(part.png), w=pdf.epw, alt_text=part.text)

    def tell(self) -> None:
        """Say which letters were not drawn, if any."""
        if self._missing:
            shown = ", ".join(_number(each) for each in sorted(self._missing)[:10])
            more = f" and {len(self._missing) - 10} others" if len(self._missing) > 10 else ""
            self.draw(_Line(_UNDRAWN.format(letters=shown + more), 8))

    def _take(self, letters: frozenset[str], others: frozenset[str]) -> None:
        """Have fonts of this machine draw all letters, where it has any that know the plain ones."""
        shapes = importlib.util.find_spec("uharfbuzz") is not None
        odd = frozenset[str]() if shapes else frozenset(each for each in others if not stands_alone(each))
        choice = choose(letters - odd)
        if not choice.faces:
            self._missing = others
            return
        for at, face in enumerate(choice.faces):
            self._pdf.add_font(f"own{at}", "", face.path)
            self._pdf.add_font(f"own{at}", "B", bold_of(face.path))
        self._pdf.set_fallback_fonts([f"own{at}" for at in range(1, len(choice.faces))], exact_match=False)
        self._pdf.set_text_shaping(shapes)
        self._font, self._missing = "own0", choice.missing | odd

    def _shown(self, text: str) -> str:
        clean = _clean(text)
        if self._font == _WESTERN:
            clean = "".join(each for each in clean if each not in _JOINERS)
        return "".join(_number(each) if each in self._missing else each for each in clean)


def _clean(text: str) -> str:
    return "".join(each if each.isprintable() or each in _JOINERS else " " for each in text)


def _number(letter: str) -> str:
    return f"[U+{ord(letter):04X}]"
