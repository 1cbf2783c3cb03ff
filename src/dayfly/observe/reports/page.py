"""A report as one page of HTML that stands alone: it asks nobody for anything, and works in programs that read mail.

Those know tables and styles written on each element, and not much else. Pictures are given as data, or in a mail by the
name of the part that they are.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from dayfly.model.report import ReportFigures
from dayfly.observe.reports import words
from dayfly.observe.reports.charts import Chart

_FONT = "font-family:Helvetica,Arial,sans-serif;color:#1f2328"
_CELL = "padding:6px 10px;border-bottom:1px solid #d8dee4"
_SEVERE = {"critical": "#b3261e", "warning": "#9a6700", "info": "#0b57d0"}


def page(figures: ReportFigures, charts: Iterable[Chart], *, in_mail: bool) -> str:
    """Return the page."""
    whose = f"namespace {figures.namespace}" if figures.namespace else "all namespaces"
    body = [
        f'<h1 style="font-size:20px;margin:0">{escape(figures.title)}</h1>',
        f'<p style="color:#59636e;margin:4px 0 16px">{escape(words.period(figures))} · {escape(whose)}</p>',
        _headline(figures),
        *(_picture(chart, in_mail=in_mail) for chart in charts),
    ]
    for title, rows in (("Function", figures.functions), ("Namespace", figures.namespaces)):
        if rows:
            body.append(_table(words.columns(figures, title), [words.cells(figures, row) for row in rows], title + "s"))
    if figures.more_functions:
        body.append(f"<p>and {figures.more_functions} more functions</p>")
    if figures.errors:
        errors = [
            (each.function, str(each.status), each.error, f"{each.calls:,}", each.example) for each in figures.errors
        ]
        body.append(_table(("Function", "Status", "Why", "Calls", "A call"), errors, "Most frequent errors"))
    alerts = [
        (words.moment(figures, each.fired_unix_ms), each.severity, each.rule, each.text,
         words.moment(figures, each.resolved_unix_ms) if each.resolved_unix_ms else "fires still")
        for each in figures.alerts
    ]  # fmt: skip
    if alerts:
        body.append(_table(("Since", "Severity", "Rule", "What", "Until"), alerts, "Alerts", _SEVERE))
    else:
        body.append('<p style="color:#59636e">No alerts.</p>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(figures.title)}</title></head>"
        f'<body style="{_FONT};font-size:14px;max-width:920px;margin:24px auto">{"".join(body)}</body></html>'
    )


def _headline(figures: ReportFigures) -> str:
    cells = "".join(
        f'<td style="padding:10px 24px 10px 0"><div style="color:#59636e;font-size:12px">{escape(name)}</div>'
        f'<div style="font-size:22px">{escape(value)}</div><div style="font-size:12px">{escape(change)}</div></td>'
        for name, value, change in words.headline(figures)
    )
    return f'<table role="presentation" style="border-collapse:collapse"><tr>{cells}</tr></table>'


def _picture(chart: Chart, *, in_mail: bool) -> str:
    source = f"cid:{chart.name}" if in_mail else f"data:image/png;base64,{base64.b64encode(chart.png).decode()}"
    return (
        f'<p style="margin:16px 0"><img src="{source}" width="{chart.width}" height="{chart.height}" '
        f'alt="{escape(chart.text)}" style="max-width:100%;height:auto"></p>'
    )


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str, colours: Mapping[str, str] | None = None
) -> str:  # fmt: skip
    head = "".join(f'<th scope="col" style="{_CELL};text-align:left">{escape(each)}</th>' for each in heads)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}{_colour(cell, colours)}">{escape(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<h2 style="font-size:15px;margin:24px 0 6px">{escape(caption)}</h2>'
        f'<table style="border-collapse:collapse;width:100%"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _colour(cell: str, colours: Mapping[str, str] | None) -> str:
    return f";color:{colours[cell]}" if colours and cell in colours else ""
