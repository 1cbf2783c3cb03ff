"""Charts of reports as pictures, drawn here: programs that read mail run no scripts, and fetch nothing.

Pillow draws them, and is imported when it is needed. Without it a report has its tables alone.
"""

import importlib.util
import io
from collections.abc import Sequence
from typing import NamedTuple

from dayfly.model.report import ReportFigures, Step
from dayfly.model.table import LATENCY_BUCKETS_S
from dayfly.observe.reports import words

WIDTH, HEIGHT = 880, 220
_SCALE = 2
"""Pictures are twice as fine as they are shown."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 10, 30, 28
_TICKS = 8
_INK, _GRID, _GOOD, _BAD, _LINE = "#1f2328", "#d8dee4", "#3b82c4", "#b3261e", "#8250df"


class Chart(NamedTuple):
    """A picture."""

    name: str
    text: str
    """What it shows, for who does not see it."""
    png: bytes
    width: int = WIDTH
    height: int = HEIGHT


def can_draw() -> bool:
    """Whether the library is here."""
    return importlib.util.find_spec("PIL") is not None


def draw(figures: ReportFigures) -> list[Chart]:
    """Return the pictures of a report; none where nothing was called. It takes a moment, and blocks."""
    if not figures.total.now.calls or not can_draw():
        return []
    most = max(step.calls for step in figures.steps)
    slowest = max(_bounded(step.p95_s) for step in figures.steps)
    calls = Chart(
        "calls.png", f"Calls over time, {figures.total.now.calls:,} in all, {figures.total.now.failed:,} failed",
        _bars(figures, "Calls (failed in red)", [(step.calls, step.failed) for step in figures.steps], most),
    )  # fmt: skip
    times = Chart(
        "latency.png", f"95 % of calls answered within so many seconds, {slowest:.3g} at most",
        _curve(figures, "p95, seconds", [_bounded(step.p95_s) for step in figures.steps], slowest),
    )  # fmt: skip
    return [calls, times]


def _bars(figures: ReportFigures, title: str, values: Sequence[tuple[int, int]], most: float) -> bytes:
    canvas = _Canvas(figures, title, most)
    wide = canvas.span / len(values)
    for number, (calls, failed) in enumerate(values):
        left = _LEFT + number * wide
        box = left + wide * 0.15, left + wide * 0.85
        canvas.box(box[0], canvas.height_of(calls), box[1], _GOOD)
        canvas.box(box[0], canvas.height_of(failed), box[1], _BAD)
    return canvas.png()


def _curve(figures: ReportFigures, title: str, values: Sequence[float], most: float) -> bytes:
    canvas = _Canvas(figures, title, most)
    wide = canvas.span / len(values)
    points = [(_LEFT + (number + 0.5) * wide, canvas.height_of(value)) for number, value in enumerate(values)]
    canvas.line(points, _LINE)
    return canvas.png()


class _Canvas:
    """Axes, a title and what is drawn between."""

    def __init__(self, figures: ReportFigures, title: str, most: float) -> None:
        from PIL import Image, ImageDraw, ImageFont

        self._image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), "white")
        self._draw: ImageDraw.ImageDraw = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default(12 * _SCALE)
        self._most = _round_up(most)
        self.span = WIDTH - _LEFT - _RIGHT
        self._text(_LEFT, 6, title)
        for part in range(5):
            value = self._most * part / 4
            at = self.height_of(value)
            self.line([(_LEFT, at), (WIDTH - _RIGHT, at)], _GRID, 1)
            self._text(4, at - 7, f"{value:,.4g}")
        self._ticks(figures, figures.steps)

    def height_of(self, value: float) -> float:
        """Return at which height a value is, from the top."""
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value / self._most)

    def box(self, left: float, top: float, right: float, colour: str) -> None:
        """Draw a bar down to the axis, if it has any height."""
        if top < HEIGHT - _BOTTOM:
            corners = [round(each * _SCALE) for each in (left, top, right, HEIGHT - _BOTTOM)]
            corners[1] = min(corners[1], corners[3])
            corners[2] = max(corners[2], corners[0])
            self._draw.rectangle(corners, fill=colour)

    def line(self, points: Sequence[tuple[float, float]], colour: str, wide: int = 2) -> None:
        """Draw a line through points."""
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._draw.line(scaled, fill=colour, width=wide * _SCALE, joint="curve")

    def png(self) -> bytes:
        """Return the picture."""
        out = io.BytesIO()
        self._image.save(out, "PNG", optimize=True)
        return out.getvalue()

    def _ticks(self, figures: ReportFigures, steps: Sequence[Step]) -> None:
        form = "%H:%M" if len(steps) > 1 and steps[1].at_unix_ms - steps[0].at_unix_ms < 86_000_000 // 2 else "%m-%d"
        every = max(1, len(steps) // _TICKS)
        for number in range(0, len(steps), every):
            at = _LEFT + number * self.span / len(steps)
            self._text(at, HEIGHT - _BOTTOM + 6, words.moment(figures, steps[number].at_unix_ms, form))

    def _text(self, left: float, top: float, text: str) -> None:
        self._draw.text((left * _SCALE, top * _SCALE), text, fill=_INK, font=self._font)


def _round_up(value: float) -> float:
    """Return a round number that is not less, as axes have them."""
    unit = 1e-3
    while unit * 10 < value:
        unit *= 10
    return next((unit * step for step in (1, 2, 4, 5, 8, 10) if unit * step >= value), value)


def _bounded(value: float | None) -> float:
    """A bucket without a bound is drawn as the greatest that has one."""
    return LATENCY_BUCKETS_S[-1] if value is None else value
