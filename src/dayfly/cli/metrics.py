"""`dayfly metrics`: ask the history in PromQL, with nothing installed."""

import math
import time
from typing import TYPE_CHECKING

import click

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress
from dayfly.model.errors import InvalidRequest
from dayfly.model.quantities import parse_duration

if TYPE_CHECKING:
    from dayfly.model.metric import MetricAnswer

_BARS = "▁▂▃▄▅▆▇█"
_WIDE = 60
"""Values over a span, where no step is given; and the bars of a line."""
_LEAST_STEP_S = 10


@click.group("metrics", cls=Group)
def command() -> None:
    """Ask what figures were over time, and list them.

    \b
    Examples:
      dayfly metrics list
      dayfly metrics query 'sum(rate(gateway_function_invocation_total[5m]))'
    """


@command.command("query")
@click.argument("promql")
@click.option("--at", default="", metavar="TIME", help="At a time, as 2026-11-01T00:00:00Z; now without it.")
@click.option("--since", default="", metavar="SPAN", help="From so long ago until now, as 1h.")
@click.option("--step", default="", metavar="SPAN", help="With --since: how far values are from each other.")
@gateway_option
@output_option
def query(promql: str, at: str, since: str, step: str, gateway: str, output: str) -> None:
    """Answer a PromQL query from the history.

    The functions and operators of Prometheus that there are, and the metrics, are in docs/history.md. With --since
    each series is a line of bars, from its lowest value to its highest.

    \b
    Examples:
      dayfly metrics query gateway_function_invocation_total
      dayfly metrics query 'sum by (function_name) (rate(gateway_function_invocation_total[5m]))' --since 1h
      dayfly metrics query 'histogram_quantile(0.99, sum by (le) (rate(gateway_functions_seconds_bucket[5m])))' -o json
    """
    if since and at:
        raise InvalidRequest("--at and --since do not go together", hint="Leave one of them out.")
    if step and not since:
        raise InvalidRequest("--step is for values over a span, and there is no span", hint="Add --since.")
    with connect(gateway) as client, Progress("asking the gateway"):
        if since:
            span_s = parse_duration(since)
            apart_s = parse_duration(step) if step else max(_LEAST_STEP_S, math.ceil(span_s / _WIDE))
            end = time.time()
            found = client.query_metrics_range(
                promql, start=f"{end - span_s:.3f}", end=f"{end:.3f}", step=f"{apart_s:g}"
            )
        else:
            found = client.query_metrics(promql, at=at)
    show(found, output, table=lambda: _table(found), names=lambda: [series.name for series in found.series])


@command.command("list")
@gateway_option
@output_option
def list_command(gateway: str, output: str) -> None:
    """List the metrics that there are.

    \b
    Examples:
      dayfly metrics list
      dayfly metrics list -o name
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        found = client.list_metrics()
    rows = [("METRIC", "TYPE", "MEANING"), *((each.name, each.type, each.help) for each in found)]
    show(found, output, table=lambda: columns(rows, (0, 0, 0)), names=lambda: [each.name for each in found])


def _table(found: "MetricAnswer") -> str:
    series = found.series
    if found.single is not None:
        return found.single[1]
    if not series:
        return "Nothing was found: no series fits, or none has values then."
    if found.kind == "vector":
        rows = [(each.name, each.value[1] if each.value is not None else "") for each in series]
        return columns([("SERIES", "VALUE"), *rows], (0, 0))
    lines = [("SERIES", "OVER TIME", "LEAST", "MOST", "LAST")]
    for each in series:
        there = [number for number in each.numbers if math.isfinite(number)]
        ends = (_short(min(there)), _short(max(there)), each.values[-1][1]) if there else ("", "", "NaN")
        lines.append((each.name, bars(each.numbers), ends[0], ends[1], _short(float(ends[2]))))
    return columns(lines, (0,) * 5)


def bars(numbers: "list[float]") -> str:
    """Return a bar for each number, or for the highest of several where there are too many; a blank for one that is
    none."""
    size = math.ceil(len(numbers) / _WIDE) or 1
    parts = [numbers[at : at + size] for at in range(0, len(numbers), size)]
    peaks = [max((one for one in part if math.isfinite(one)), default=math.nan) for part in parts]
    there = [peak for peak in peaks if peak == peak]
    if not there:
        return " " * len(peaks)
    low, high = min(there), max(there)
    reach = (high - low) or 1.0
    return "".join(
        _BARS[min(len(_BARS) - 1, int((peak - low) / reach * len(_BARS)))] if peak == peak else " " for peak in peaks
    )


def _short(number: float) -> str:
    return f"{number:.4g}" if abs(number) < 1e6 or not math.isfinite(number) else f"{number:.0f}"
