"""`dayfly call`: one call, how its time went, and what was printed meanwhile."""

from typing import TYPE_CHECKING

import click

from dayfly.cli.calls import took
from dayfly.cli.options import gateway_option, output_option
from dayfly.cli.output import sheet, show
from dayfly.cli.payload_text import payload_text
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, for_stdout, warn
from dayfly.model.errors import NotFound, NotSupported
from dayfly.model.quantities import format_memory

if TYPE_CHECKING:
    from dayfly.client import Client
    from dayfly.model.invocation import Invocation
    from dayfly.model.queued import CallStatus

_WIDE = 40
_PARTS = (("wait", "."), ("init", ":"), ("run", "#"))


@click.command("call")
@click.argument("call", metavar="ID")
@click.option("--no-logs", is_flag=True, help="Leave out what was printed.")
@click.option("--payload", is_flag=True, help="Show what it was sent and answered, where that is kept.")
@gateway_option
@output_option
def command(call: str, no_logs: bool, payload: bool, gateway: str, output: str) -> None:
    """Show how a call went: its time, its attempts, its log lines.

    \b
    Examples:
      dayfly call 6fe767f2-aab4-4fed-9ec1-cf14653a0057
      dayfly call 6fe767f2-aab4-4fed-9ec1-cf14653a0057 --payload
      dayfly call 6fe767f2-aab4-4fed-9ec1-cf14653a0057 -o json
    """
    if payload:
        _show_payloads(call, gateway, output)
        return
    with connect(gateway) as client, Progress("asking the gateway"):
        status = _queued(client, call)
        try:
            attempts = client.get_records(call)
        except NotFound:
            if status is None:
                raise
            attempts = []
        lines = client.get_call_log(call) if attempts and not no_logs and output == "table" else []
    show(attempts, output, table=lambda: _text(status, attempts), names=lambda: [call])
    if output == "table" and lines:
        click.echo("\nLog:")
        for line in lines:
            click.echo("  " + for_stdout(line.text), color=True)


def _show_payloads(call: str, gateway: str, output: str) -> None:
    with connect(gateway) as client, Progress("asking the gateway"):
        kept = client.get_payloads(call)
    if not kept and output == "table":
        warn("Nothing is kept of what it was sent and answered: com.dayfly.record.payloads of its function said so.")
        return
    show(kept, output, table=lambda: "\n\n".join(map(payload_text, kept)), names=lambda: [call])


def _queued(client: "Client", call_id: str) -> "CallStatus | None":
    """Return how the call stands in the queue, or ended there; None for one that is in no queue."""
    try:
        return client.get_call(call_id)
    except (NotFound, NotSupported):
        return None


def _text(status: "CallStatus | None", attempts: "list[Invocation]") -> str:
    parts = []
    if status is not None and (not attempts or status.state != "done" or len(attempts) > 1):
        fields = [("Call", status.id), ("Function", status.function), ("State", status.state)]
        fields.append(("Attempts", str(status.attempts)))
        parts.append(sheet([*fields, ("Reason", status.reason)] if status.reason else fields))
    for number, each in enumerate(attempts, 1):
        title = f"Attempt {number} of {len(attempts)}\n" if len(attempts) > 1 else ""
        parts.append(title + sheet(_fields(each)) + "\n" + _timeline(each))
    return "\n\n".join(parts)


def _fields(call: "Invocation") -> list[tuple[str, str]]:
    where = f"{call.function}.{call.namespace}"
    fields = [
        ("Call", call.id),
        ("Function", f"{where}, revision {call.revision}, replica {call.replica}" if call.replica else where),
        ("Request", f"{call.method} {call.path}, {call.request_bytes} bytes"),
        ("Caller", " at ".join(filter(None, (call.caller or "anybody", call.address)))),
        ("Trigger", call.trigger),
        ("Started", time_text(call.started_unix_ms)),
        ("Status", f"{call.status}, {call.response_bytes} bytes"),
    ]
    if call.error:
        fields.append(("Error", call.error))
    if call.cpu_ms is not None:
        fields.append(("CPU", took(call.cpu_ms)))
    if call.memory_bytes is not None:
        fields.append(("Memory", format_memory(call.memory_bytes)))
    if call.trace:
        fields.append(("Trace", call.trace))
    return fields


def _timeline(call: "Invocation") -> str:
    """Return the call's time as one bar and its parts: waiting for a replica, its start, the function's work."""
    spans = (call.wait_ms, call.init_ms, call.run_ms)
    total = call.total_ms or 1.0
    bar = "".join(
        sign * max(round(_WIDE * span / total), span > 0) for span, (_, sign) in zip(spans, _PARTS, strict=True)
    )
    told = [f"{name} {took(span)}" for span, (name, _) in zip(spans, _PARTS, strict=True) if span or name == "run"]
    return f"Time:     |{bar}| {took(call.total_ms)}: {', '.join(told)}{', cold' if call.cold else ', warm'}"
