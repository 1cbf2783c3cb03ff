"""`dayfly cost`: what functions used, and what that comes to."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dayfly.cli.options import gateway_option, namespace_option
from dayfly.cli.output import columns
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress

if TYPE_CHECKING:
    from dayfly.model.cost import CostReport, FunctionCost

_FIELDS = ("namespace", "name", "calls", "cpu_seconds", "gib_seconds", "cost")


@click.command("cost")
@click.option("--period", type=click.Choice(("day", "month")), default="month", show_default=True, help="The present.")
@click.option("--since", default="", metavar="TIME", help="From a time on, as 2026-11-01T00:00:00Z, or 36h ago.")
@click.option("--until", default="", metavar="TIME", help="Up to a time; now without it.")
@click.option("-A", "--all-namespaces", is_flag=True, help="All that the login is good for.")
@namespace_option
@gateway_option
@click.option("-o", "--output", type=click.Choice(("table", "json", "csv")), default="table", show_default=True)
def command(
    period: str, since: str, until: str, all_namespaces: bool, namespace: str, gateway: str, output: str
) -> None:
    """Show what functions used and cost.

    Calls, seconds of processor time, and memory over time (a GiB of resident memory for a second), for whole hours in
    UTC; also of functions that are gone. Money is shown where the operator has set prices (DAYFLY_PRICES).

    \b
    Examples:
      dayfly cost
      dayfly cost --period day --all-namespaces
      dayfly cost --since 2026-11-01T00:00:00Z --until 2026-11-15T00:00:00Z -o csv
    """
    import msgspec

    with connect(gateway) as client, Progress("asking the gateway"):
        names = client.list_namespaces() if all_namespaces else [namespace]
        reports = [client.get_costs(name, period=period, since=since, until=until) for name in names]
    functions = [each for report in reports for each in report.functions]
    if output == "json":
        click.echo(json.dumps(msgspec.to_builtins(reports), indent=2))
    elif output == "csv":
        click.echo(_csv(functions, reports[0]), nl=False)
    else:
        click.echo(_table(functions, reports[0]))


def _csv(functions: "list[FunctionCost]", report: "CostReport") -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*_FIELDS, "currency"))
    writer.writerows([(*(getattr(each, name) for name in _FIELDS), report.prices.currency) for each in functions])
    return text.getvalue()


def _table(functions: "list[FunctionCost]", report: "CostReport") -> str:
    since, until = (datetime.fromtimestamp(at / 1000, UTC) for at in (report.since_unix_ms, report.until_unix_ms))
    time = f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"
    if not functions:
        return f"Nothing was used from {time}."
    priced = report.prices.are_set
    rows = [
        (
            f"{each.name}.{each.namespace}",
            str(each.calls),
            f"{each.cpu_seconds:.2f}",
            f"{each.gib_seconds:.2f}",
            *([f"{each.cost:.6f}"] if priced else []),
        )
        for each in functions
    ]
    total = ["TOTAL", str(sum(each.calls for each in functions))]
    total += [f"{sum(getattr(each, name) for each in functions):.2f}" for name in ("cpu_seconds", "gib_seconds")]
    total += [f"{sum(each.cost for each in functions):.6f}"] if priced else []
    money = (f"COST {report.prices.currency}".strip(),) if priced else ()
    head = ("FUNCTION", "CALLS", "CPU-SECONDS", "GIB-SECONDS", *money)
    shown = columns([head, *rows, tuple(total)], (0,) * len(head))
    note = "" if priced else "\nNo prices are set (DAYFLY_PRICES), so that nothing is said of money."
    return f"{time}\n{shown}{note}"
