"""`dayfly report`: what functions did, by a schedule or now."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, sheet, show, write_file
from dayfly.cli.removal import remove_each
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, for_stdout

if TYPE_CHECKING:
    from dayfly.model.report import Every, ReportStatus

FORMS = {".html": "html", ".htm": "html", ".pdf": "pdf", ".txt": "text"}


@click.group("report", cls=Group, aliases={"inspect": "describe"})
def command() -> None:
    """Make, list, read and send reports: what functions did in a day, a week or a month.

    A report has calls, errors, latencies, cold starts, cost and alerts. It goes to receivers, which `dayfly alert
    receiver` makes, by its schedule, and can be read at any time, as a page, a PDF or text.

    \b
    Examples:
      dayfly report create weekly --every week --zone Europe/Paris --receiver ops
      dayfly report show weekly --output weekly.pdf
    """


@command.command("create")
@click.argument("name")
@click.option("--every", required=True, type=click.Choice(("day", "week", "month")), help="What it is about.")
@click.option("--at", default="07:00", show_default=True, metavar="HH:MM", help="When it is sent.")
@click.option("--zone", default="UTC", show_default=True, metavar="ZONE", help="The time zone, as Europe/Paris.")
@click.option("--receiver", "receivers", multiple=True, metavar="NAME", help="Who is sent it.")
@click.option("--paused", is_flag=True, help="Send nothing for now.")
@gateway_option
@namespace_option
def create(
    name: str, every: str, at: str, zone: str, receivers: tuple[str, ...], paused: bool, gateway: str, namespace: str
) -> None:  # fmt: skip
    """Make a report, or let it be this from now on. Without --namespace it is about all, for who may.

    A week's is sent on Monday, a month's on its first day.

    \b
    Examples:
      dayfly report create daily --every day --at 06:30 --receiver ops
      dayfly report create bill --every month --namespace team --receiver team-mail
    """
    from dayfly.model.report import ReportSpec

    wanted = ReportSpec(
        name=name, namespace=namespace, every=cast("Every", every), at=at, zone=zone, receivers=receivers, paused=paused
    )
    with connect(gateway) as client, Progress("writing the report"):
        status = client.put_report(wanted)
    when = f"next on {time_text(status.next_unix_ms)}" if status.next_unix_ms else "paused"
    click.echo(f"Report created: {name}, {when}")


@command.command("list")
@gateway_option
@namespace_option
@output_option
def list_(gateway: str, namespace: str, output: str) -> None:
    """List the reports, and how each does.

    \b
    Examples:
      dayfly report list
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        reports = client.list_reports(namespace)
    show(
        reports,
        output,
        table=lambda: _table(reports),
        names=lambda: [each.report.name for each in reports],
        none="No reports.",
    )


@command.command("describe")
@click.argument("name")
@gateway_option
@namespace_option
@output_option
def describe(name: str, gateway: str, namespace: str, output: str) -> None:
    """Show everything about a report but what is in it.

    \b
    Examples:
      dayfly report describe weekly
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        status = client.get_report(name, namespace=namespace)
    show(status, output, table=lambda: sheet(_fields(status)), names=lambda: [status.report.name])


@command.command("show")
@click.argument("name")
@click.option("--output", "-o", "output", default="-", metavar="FILE", help="A .pdf, .html or .txt.  [default: text]")
@gateway_option
@namespace_option
def show_(name: str, output: str, gateway: str, namespace: str) -> None:
    """Read a report of the last whole day, week or month, as it would be sent now.

    \b
    Examples:
      dayfly report show weekly
      dayfly report show weekly --output weekly.pdf
      dayfly report show weekly --output weekly.html
    """
    from dayfly.model.errors import InvalidRequest

    form = "text" if output == "-" else FORMS.get(Path(output).suffix.lower(), "")
    if not form:
        raise InvalidRequest(f"--output: {output[:80]!r} must end with .pdf, .html or .txt")
    with connect(gateway) as client, Progress("making the report"):
        content = client.show_report(name, form=form, namespace=namespace)
    if output == "-":
        sys.stdout.write(for_stdout(content.decode()))
        return
    write_file(Path(output), content)
    click.echo(f"Report written: {output}")


@command.command("send")
@click.argument("name")
@gateway_option
@namespace_option
def send(name: str, gateway: str, namespace: str) -> None:
    """Send a report to its receivers now.

    \b
    Examples:
      dayfly report send weekly
    """
    with connect(gateway) as client, Progress("sending the report"):
        receivers = client.send_report(name, namespace=namespace)
    click.echo(f"Report sent: {name}, to {', '.join(receivers)}")


@command.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@gateway_option
@namespace_option
def remove(names: tuple[str, ...], gateway: str, namespace: str) -> None:
    """Remove reports.

    \b
    Examples:
      dayfly report remove weekly
    """
    remove_each(gateway, "report", names, lambda client, name: client.remove_report(name, namespace=namespace))


def _table(reports: "list[ReportStatus]") -> str:
    rows = [["NAME", "NAMESPACE", "EVERY", "NEXT", "RECEIVERS", "TROUBLE"]]
    for each in reports:
        named = each.report
        when = time_text(each.next_unix_ms) if each.next_unix_ms else "paused"
        told = ",".join(named.receivers) or "-"
        rows.append([named.name, named.namespace or "-", named.every, when, told, each.trouble or "-"])
    return columns(rows, (16, 12, 6, 20, 16, 10))


def _fields(status: "ReportStatus") -> list[tuple[str, str]]:
    report = status.report
    return [
        ("Name", report.name),
        ("Namespace", report.namespace or "<all>"),
        ("Every", f"{report.every}, at {report.at} in {report.zone}"),
        ("Receivers", ", ".join(report.receivers) or "<none>"),
        ("Next", time_text(status.next_unix_ms) if status.next_unix_ms else "<paused>"),
        ("Last Sent", time_text(status.sent_unix_ms) if status.sent_unix_ms else "<none>"),
        ("Trouble", status.trouble or "<none>"),
    ]
