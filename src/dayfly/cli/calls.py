"""`dayfly calls`: the calls that were made, the newest first."""

import time
from functools import partial
from typing import TYPE_CHECKING

import click

from dayfly.cli.options import gateway_option, namespace_option, output_or_csv_option
from dayfly.cli.output import columns, show, show_csv
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, for_stdout, warn
from dayfly.model.errors import InvalidRequest
from dayfly.model.quantities import format_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from dayfly.model.invocation import Invocation
    from dayfly.model.rollup import Rollup, Span

_HEAD = ["STARTED", "ID", "FUNCTION", "TRIGGER", "STATUS", "TOOK", "COLD", "ERROR"]
_WIDTHS = (20, 36, 15, 8, 6, 8, 4, 5)
_EVERY_S = 1.0


@click.command("calls")
@click.option("--function", default="", metavar="NAME", help="Only calls of this function.")
@click.option("--failed", is_flag=True, help="Only calls that failed.")
@click.option("--since", default="", metavar="SPAN|TIME", help="Only calls since 10m ago, or since an RFC 3339 time.")
@click.option("--until", default="", metavar="SPAN|TIME", help="Only calls that started before that.")
@click.option("--slow", default="", metavar="SPAN", help="Only calls that took so long or longer, as 500ms.")
@click.option("--status", default="", metavar="CODE", help="Only calls answered with it: 404, 5xx.")
@click.option("--trigger", default="", metavar="KIND", help="Only calls made by it: http, queue, cron, route …")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@click.option("--by", type=click.Choice(["minute", "hour"]), default=None, help="What calls came to in each, instead.")
@click.option("--follow", is_flag=True, help="Go on as calls end, until Ctrl-C.")
@namespace_option
@gateway_option
@output_or_csv_option
def command(
    function: str,
    failed: bool,
    since: str,
    until: str,
    slow: str,
    status: str,
    trigger: str,
    limit: int,
    by: "Span | None",
    follow: bool,
    namespace: str,
    gateway: str,
    output: str,
) -> None:
    """List the calls that were made, the newest first.

    \b
    Examples:
      dayfly calls
      dayfly calls --failed --since 1h
      dayfly calls --since 2026-05-01T08:00:00Z --until 2026-05-01T09:00:00Z
      dayfly calls --function bill --slow 500ms --status 5xx
      dayfly calls --trigger cron -o json | jq '.[].run_ms'
      dayfly calls --since 24h --limit 1000 -o csv > calls.csv
      dayfly calls --by hour --since 24h
    """
    if by is not None:
        if failed or until or slow or status or trigger or follow:
            raise InvalidRequest("--by goes with --function, --since and --limit: it counts all calls.")
        _show_rollups(by, function, since, limit, namespace, gateway, output)
        return
    if follow and until:
        raise InvalidRequest("--follow goes on as calls end; leave --until out.")
    if follow and output != "table":
        raise InvalidRequest("--follow goes with the table only.", hint="Ask again with --since for other forms.")
    with connect(gateway) as client:
        ask = partial(
            client.list_records, namespace, function=function, failed=failed, slow=slow, status=status, trigger=trigger
        )
        with Progress("asking the gateway"):
            found = ask(since=since, until=until, limit=limit)
        if follow:
            _follow(ask, found)
            return
        if not found and output == "table":
            warn(f"No such calls are recorded in {namespace or client.namespace}.")
            return
    if output == "csv":
        show_csv(*_sheet(found))
        return
    show(found, output, table=lambda: _table(found), names=lambda: [each.id for each in found])


def _show_rollups(by: "Span", function: str, since: str, limit: int, namespace: str, gateway: str, output: str) -> None:
    with connect(gateway) as client, Progress("asking the gateway"):
        found = client.list_rollups(namespace, by=by, function=function, since=since, limit=limit)
    if not found and output == "table":
        warn("No calls were counted.")
        return
    if output == "csv":
        show_csv(*_rollup_sheet(found))
        return
    show(found, output, table=lambda: _rollups(found), names=lambda: [each.function for each in found])


def _rollups(found: "list[Rollup]") -> str:
    rows = [["FROM", "FUNCTION", "CALLS", "FAILED", "COLD", "MEAN", "P95", "RUN", "IN", "OUT"]]
    for each in found:
        p95_s = each.quantile_s(0.95)
        rows.append([
            time_text(each.at_unix_s * 1000), each.function, str(each.calls), str(each.failed), str(each.cold),
            took(each.seconds / max(each.calls, 1) * 1000), f"<{took(p95_s * 1000)}" if p95_s < 60 else ">10s",
            took(each.run_s * 1000), format_memory(each.request_bytes), format_memory(each.response_bytes),
        ])  # fmt: skip
    return columns(rows, (20, 15, 5, 6, 4, 7, 7, 7, 5, 5))


def took(milliseconds: float) -> str:
    """Return a time for people: `0.8ms`, `42ms`, `1.24s`."""
    if milliseconds < 10:
        return f"{milliseconds:.1f}ms"
    return f"{milliseconds:.0f}ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f}s"


def _follow(ask: "Callable[..., list[Invocation]]", found: "list[Invocation]") -> None:
    newest = max((each.number for each in found), default=0)
    click.echo(for_stdout(columns([_HEAD, *map(_row, reversed(found))], _WIDTHS)), color=True)
    while True:
        time.sleep(_EVERY_S)
        for each in reversed(ask(limit=1000, after=newest)):
            newest = each.number
            click.echo(for_stdout(columns([_row(each)], _WIDTHS)), color=True)


def _table(found: "list[Invocation]") -> str:
    return columns([_HEAD, *map(_row, found)], _WIDTHS)


def _row(call: "Invocation") -> list[str]:
    return [
        time_text(call.started_unix_ms), call.id, call.function, call.trigger, str(call.status), took(call.total_ms),
        "cold" if call.cold else "", call.error,
    ]  # fmt: skip


def _sheet(found: "list[Invocation]") -> tuple[list[str], list[list[object]]]:
    """Return what the table has, times in milliseconds, and then what else a record holds."""
    from dayfly.model.invocation import Invocation

    shown = ("id", "function", "trigger", "status", "total_ms", "cold", "error")
    names = [*shown, *(name for name in Invocation.__struct_fields__ if name not in shown)]
    rows = [[time_text(each.started_unix_ms), *(getattr(each, name) for name in names)] for each in found]
    return ["started", *names], rows


def _rollup_sheet(found: "list[Rollup]") -> tuple[list[str], list[list[object]]]:
    """Return what sums hold, and how many calls took up to each bound of time."""
    from dayfly.model.rollup import Rollup
    from dayfly.model.table import LATENCY_BUCKETS_S

    names = [name for name in Rollup.__struct_fields__ if name != "latencies"]
    bounds = [*(f"up_to_{bound:g}s" for bound in LATENCY_BUCKETS_S), "longer"]
    rows = [
        [time_text(each.at_unix_s * 1000), *(getattr(each, name) for name in names), *each.latencies]
        for each in found
    ]  # fmt: skip
    return ["from", *names, *bounds], rows
