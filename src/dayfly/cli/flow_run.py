"""`dayfly flow`'s commands about runs."""

import contextlib
import sys
from typing import TYPE_CHECKING

import click

from dayfly.cli.options import data_of, data_option, gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress
from dayfly.model.errors import FunctionFailed

if TYPE_CHECKING:
    from dayfly.client import Client
    from dayfly.model.flow_status import RunReport, RunSummary

_WAIT_S = 30.0
_ENDS = {"cancelled": "was cancelled"}
_JSON, _TEXT, _BYTES = "application/json", "text/plain; charset=utf-8", "application/octet-stream"
_TYPE = click.option("--content-type", metavar="TYPE", help="Its type.  [default: found by looking]")
_RUN = click.argument("run")


@click.command("run")
@click.argument("name")
@data_option
@_TYPE
@click.option("--key", default="", metavar="TEXT", help="An idempotency key: runs of a flow begin once for each.")
@click.option("--wait", is_flag=True, help="Wait until it is over, and print what it came to.")
@gateway_option
@namespace_option
def run(
    name: str, data: str | None, content_type: str | None, key: str, wait: bool, gateway: str, namespace: str
) -> None:
    """Begin a run of a flow and print its id; with --wait, what it came to.

    \b
    Examples:
      dayfly flow run order -d '{"id": 7}'
      dayfly flow run order --wait < order.json
      dayfly flow run thumbnails --content-type image/png --wait < cat.png > small.png
    """
    body = _body(data)
    kind = content_type or _kind_of(body)
    with connect(gateway) as client:
        with Progress("beginning the run"):
            report = client.start_run(name, body, namespace=namespace, content_type=kind, key=key)
        if not wait:
            click.echo(report.run.id)
            return
        with Progress(f"waiting for the run {report.run.id}"):
            report = _waited(client, report.run.id, namespace)
    _write_result(report)


@click.command("runs")
@click.argument("flow", default="")
@click.option(
    "--state", type=click.Choice(("running", "done", "failed", "cancelled")), default=None, help="Only those."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many.")
@gateway_option
@namespace_option
@output_option
def runs(flow: str, state: str | None, limit: int, gateway: str, namespace: str, output: str) -> None:
    """List runs, the newest first: of one flow, or of all.

    \b
    Examples:
      dayfly flow runs
      dayfly flow runs order --state failed
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        found = client.list_runs(namespace, flow=flow, state=state, limit=limit)  # type: ignore[arg-type] # a choice
    show(found, output, table=lambda: _table(found), names=lambda: [each.id for each in found], none="No runs found.")


@click.command("cancel")
@_RUN
@gateway_option
@namespace_option
def cancel(run: str, gateway: str, namespace: str) -> None:
    """Cancel a run, and the calls it has under way.

    \b
    Examples:
      dayfly flow cancel 4f0k2m9x1c7b8a3d
    """
    with connect(gateway) as client, Progress("cancelling the run"):
        client.cancel_run(run, namespace=namespace)
    click.echo(f"Run cancelled: {run}")


@click.command("approve")
@_RUN
@click.argument("step")
@click.option("--reject", is_flag=True, help="Say no: the step fails.")
@click.option("--comment", default="", metavar="TEXT", help="Why; kept with the run.")
@gateway_option
@namespace_option
def approve(run: str, step: str, reject: bool, comment: str, gateway: str, namespace: str) -> None:
    """Approve or reject a step that waits for it.

    \b
    Examples:
      dayfly flow approve 4f0k2m9x1c7b8a3d check
      dayfly flow approve 4f0k2m9x1c7b8a3d check --reject --comment 'wrong address'
      dayfly flow approve 4f0k2m9x1c7b8a3d each.3.check
    """
    with connect(gateway) as client, Progress("telling the run"):
        client.judge_step(run, step, approve=not reject, comment=comment, namespace=namespace)
    click.echo(f"{'Rejected' if reject else 'Approved'}: {step}")


@click.command("send")
@_RUN
@click.argument("event")
@data_option
@_TYPE
@gateway_option
@namespace_option
def send(run: str, event: str, data: str | None, content_type: str | None, gateway: str, namespace: str) -> None:
    """Send an event to a run. One that no step waits for is kept until one does.

    \b
    Examples:
      dayfly flow send 4f0k2m9x1c7b8a3d paid -d '{"amount": 120}'
    """
    body = _body(data)
    with connect(gateway) as client, Progress("sending the event"):
        client.send_event(run, event, body, namespace=namespace, content_type=content_type or _kind_of(body))
    click.echo(f"Sent: {event}")


@click.command("rerun")
@_RUN
@click.option("--from", "step", required=True, metavar="STEP", help="The step to begin at, by its name or path.")
@click.option("--current", is_flag=True, help="Take the flow as it is now, instead of as it was.")
@click.option("--wait", is_flag=True, help="Wait until it is over, and print what it came to.")
@gateway_option
@namespace_option
def rerun(run: str, step: str, current: bool, wait: bool, gateway: str, namespace: str) -> None:
    """Begin a new run that keeps what came before a step of another, and takes it and the rest anew.

    \b
    Examples:
      dayfly flow rerun 4f0k2m9x1c7b8a3d --from charge
      dayfly flow rerun 4f0k2m9x1c7b8a3d --from each.3.resize --wait
    """
    with connect(gateway) as client:
        with Progress("beginning the run"):
            report = client.rerun(run, step, current=current, namespace=namespace)
        if not wait:
            click.echo(report.run.id)
            return
        with Progress(f"waiting for the run {report.run.id}"):
            report = _waited(client, report.run.id, namespace)
    _write_result(report)


def _waited(client: "Client", run_id: str, namespace: str) -> "RunReport":
    while True:
        report = client.get_run(run_id, namespace=namespace, wait_s=_WAIT_S)
        if report.run.state != "running":
            return report


def _write_result(report: "RunReport") -> None:
    """Write a run's result to standard output. Raises FunctionFailed for one that is not done."""
    from dayfly.model.flow_data import to_body

    run = report.run
    if run.state != "done":
        error = run.error
        why = f": {f'{error.step}: ' if error.step else ''}{error.message}" if error is not None else ""
        raise FunctionFailed(
            f"The run {run.id} {_ENDS.get(run.state, run.state)}{why}",
            hint=f"`dayfly flow describe {run.id}` shows what it did.",
        )
    body, kind = to_body(run.result)
    sys.stdout.buffer.write(body + (b"\n" if kind == _JSON else b""))
    sys.stdout.buffer.flush()


def _body(data: str | None) -> bytes:
    if data is None:
        return b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
    return data_of(data)


def _kind_of(body: bytes) -> str:
    """Return the type of a body about which nobody said anything."""
    import msgspec

    if body[:1] in (b"{", b"["):
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            msgspec.json.decode(body)
            return _JSON
    try:
        body.decode()
    except UnicodeDecodeError:
        return _BYTES
    return _TEXT


def _table(found: "list[RunSummary]") -> str:
    rows = [["RUN", "FLOW", "STATE", "STARTED", "TOOK", "REASON"]]
    for each in found:
        took = f"{(each.finished_unix_ms - each.started_unix_ms) / 1000:.1f}s" if each.finished_unix_ms else ""
        reason = each.error.message[:60] if each.error is not None else ""
        rows.append([each.id, each.flow, each.state, time_text(each.started_unix_ms), took, reason])
    return columns(rows, (16, 15, 9, 20, 6, 10))
