"""The day as a picture: replicas needed and replicas there were, a panel for each policy.

Written as SVG by hand, so that the picture needs nothing but this file. Each point of a line is the mean of the
seconds it stands for, so that what is drawn is what was paid.
"""

import math
from collections.abc import Sequence
from html import escape

WIDTH, PANEL, GAP, LEFT, RIGHT, TOP = 960, 150, 46, 50, 24, 40
INK, NEED, PAID, GRID = "#24292f", "#8c959f", "#0969da", "#d8dee4"
_STYLE = f"""<style>
text {{ font: 12px system-ui, sans-serif; fill: {INK} }} .title {{ font-weight: 600 }}
.need {{ fill: {NEED}; fill-opacity: .45 }} .paid {{ fill: none; stroke: {PAID}; stroke-width: 1.3 }}
.grid {{ stroke: {GRID}; stroke-width: 1 }}
</style>"""


class Panel:
    """One pair of lines over a stretch of the day."""

    def __init__(self, title: str, needed: Sequence[float], paid: Sequence[float], begin_s: int, end_s: int) -> None:
        self.title = title
        self.begin_s, self.end_s = begin_s, end_s
        step = max(1, (end_s - begin_s) // 900)
        self.needed = _means(needed[begin_s:end_s], step)
        self.paid = _means(paid[begin_s:end_s], step)

    def svg(self, top: float) -> str:
        """Return the panel, its upper edge at `top`."""
        low, highest = top + PANEL, math.ceil(max(4.0, *self.needed, *self.paid) / 4) * 4.0
        marks = "".join(self._mark(part / 6, top) for part in range(7))
        levels = "".join(_level(highest * part / 4, low - PANEL * part / 4) for part in range(5))
        need = self._line(self.needed, low, highest)
        paid = self._line(self.paid, low, highest)
        return (
            f'<text class="title" x="{LEFT}" y="{top - 8:g}">{escape(self.title)}</text>{levels}{marks}'
            f'<path class="need" d="M{LEFT},{low:g} L{need} L{WIDTH - RIGHT},{low:g} Z"/>'
            f'<path class="paid" d="M{paid}"/>'
        )

    def _line(self, values: Sequence[float], low: float, highest: float) -> str:
        across = (WIDTH - LEFT - RIGHT) / max(1, len(values) - 1)
        return " ".join(
            f"{LEFT + index * across:.1f},{low - min(value, highest) / highest * PANEL:.1f}"
            for index, value in enumerate(values)
        )

    def _mark(self, part: float, top: float) -> str:
        minute = round((self.begin_s + part * (self.end_s - self.begin_s)) / 60)
        across = LEFT + part * (WIDTH - LEFT - RIGHT)
        text = f"{minute // 60:02}:{minute % 60:02}"
        return f'<text x="{across:.1f}" y="{top + PANEL + 15:g}" text-anchor="middle">{text}</text>'


def draw(panels: Sequence[Panel]) -> str:
    """Return the picture; mind that each panel has a scale of its own."""
    height = TOP + len(panels) * (PANEL + GAP)
    body = "\n".join(panel.svg(TOP + 24 + index * (PANEL + GAP)) for index, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 24}" role="img">\n'
        f"<title>Replicas needed and replicas there were</title>{_STYLE}\n"
        f'<rect width="{WIDTH}" height="{height + 24}" fill="#fff"/>\n'
        f'<text x="{LEFT}" y="22">Grey: replicas needed. Blue: replicas there were. The scales differ.</text>\n'
        f"{body}\n</svg>\n"
    )


def _means(values: Sequence[float], step: int) -> list[float]:
    return [sum(values[at : at + step]) / len(values[at : at + step]) for at in range(0, len(values), step)]


def _level(value: float, height: float) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{value:.0f}</text>'
    )
