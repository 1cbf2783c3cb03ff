"""`dayfly machine`: what the machine or cluster has and uses, what runs there, and what the platform's parts say."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, output_option
from dayfly.cli.output import columns, sheet, show
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, for_stdout, warn
from dayfly.model.quantities import format_memory

if TYPE_CHECKING:
    from dayfly.model.machine import Machine, MachineUsage, PartLine

_BETWEEN_S = 0.5


@click.group("machine", cls=Group, invoke_without_command=True)
@gateway_option
@output_option
@click.pass_context
def command(context: click.Context, gateway: str, output: str) -> None:
    """Show the machine or cluster and what runs there.

    Processors, memory, disk and network of the machine that the control plane runs on; nodes; the platform's processes
    and those of functions; replicas, containers or pods, and images. It is for the administrator.

    \b
    Examples:
      dayfly machine
      dayfly machine -o json | jq '.processes[] | select(.function != "")'
      dayfly machine logs control --follow
    """
    if context.invoked_subcommand is not None:
        return
    with connect(gateway) as client, Progress("looking"):
        before = client.get_machine()
        if output == "table":
            time.sleep(_BETWEEN_S)
        found = client.get_machine() if output == "table" else before
    names = [each.name for each in found.nodes]
    show(found, output, table=lambda: _table(before.usage, found), names=lambda: names)


@command.command("logs")
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on as lines are written, until Ctrl-C.")
@click.option("--tail", default=200, show_default=True, metavar="N", help="The newest N lines; -1 is all that is kept.")
@click.option(
    "-o", "--output", type=click.Choice(["plain", "json"]), default="plain", show_default=True,
    help="How to print it: json is one object a line.",
)  # fmt: skip
@gateway_option
def logs(name: str, follow: bool, tail: int, output: str, gateway: str) -> None:
    """Print what a process, container or pod of the platform says.

    A process is named as in the column LOG of `dayfly machine` (control, gw0, queue, nats-server, zygote, egress,
    supervisor), a container or pod by its name. What functions print is in `dayfly logs`. It is for the administrator.

    \b
    Examples:
      dayfly machine logs nats-server
      dayfly machine logs gw0 --follow --tail 20
      dayfly machine logs dayfly-control-7d9c5b8f6-x2v4k -o json | jq -r 'select(.level == "error") | .text'
    """
    has_line = False
    with connect(gateway) as client:
        for line in client.machine_log(name, tail=tail, follow=follow):
            has_line = True
            click.echo(_shown(line, output), color=True)
    if not has_line:
        warn(f"{name} has said nothing.")


def _shown(line: "PartLine", output: str) -> str:
    if output == "json":
        return msgspec.json.encode(line).decode()
    at = f"{datetime.fromtimestamp(line.unix_ns / 1e9, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    return for_stdout(" ".join(part for part in (at, line.level, line.part, line.text) if part))


def _table(before: "MachineUsage", found: "Machine") -> str:
    usage = found.usage
    memory, disk = usage.memory, usage.disk
    about = [
        ("Processors", f"{usage.cpu.cores}, {busy(before, usage):.0f}% busy, load {usage.cpu.load[0]:.2f}"),
        ("Memory", f"{format_memory(memory.used)} of {format_memory(memory.total)}"),
        ("Disk", f"{format_memory(disk.used)} of {format_memory(disk.total)} at {disk.path}" if disk else "<unknown>"),
        ("Network", f"{_rate(before.network.received, usage.network.received, before, usage)} in, "
                    f"{_rate(before.network.sent, usage.network.sent, before, usage)} out"),
    ]  # fmt: skip
    parts = [sheet(about)]
    parts.append(_part(("NODE", "READY", "PODS", "CORES", "MEMORY"), [
        (each.name, "yes" if each.ready else "no", str(each.pods) if found.kind == "cluster" else "",
         _cores(each.cores_used, each.cores), _memory(each.memory_used_bytes, each.memory_bytes))
        for each in found.nodes
    ]))  # fmt: skip
    parts.append(_part(("PROCESS", "PART", "LOG", "FUNCTION", "CPU-SECONDS", "MEMORY", "SINCE"), [
        (str(each.pid), each.role, each.log, each.function, f"{each.cpu_s:.2f}", format_memory(each.memory_bytes),
         _time(each.started_unix_ms))
        for each in found.processes
    ]))  # fmt: skip
    parts.append(_part(("REPLICA", "FUNCTION", "REVISION", "PHASE", "NODE", "MEMORY"), [
        (each.id, f"{each.function}.{each.namespace}", str(each.revision), each.phase, each.node,
         format_memory(each.memory_bytes))
        for each in found.replicas
    ]))  # fmt: skip
    parts.append(_part(("CONTAINER", "IMAGE", "STATE", "REPLICA", "NODE", "CORES", "MEMORY"), [
        (each.name, each.image, each.state, each.replica, each.node, _cores(each.cores_used),
         _memory(each.memory_bytes))
        for each in found.containers
    ]))  # fmt: skip
    parts.append(_part(("IMAGE", "SIZE", "FUNCTIONS"), [
        (each.name, format_memory(each.size_bytes) if each.size_bytes else "", ", ".join(each.functions))
        for each in found.images
    ]))  # fmt: skip
    return "\n\n".join(part for part in (*parts, *found.notes) if part)


def _cores(used: float | None, of: float = 0.0) -> str:
    return " of ".join(each for each in (f"{used:.2f}" if used is not None else "", f"{of:g}" if of else "") if each)


def _memory(used: int | None, of: int = 0) -> str:
    return " of ".join(format_memory(each) for each in (used, of) if each)


def _part(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return columns([head, *rows], (0,) * len(head)) if rows else ""


def busy(before: "MachineUsage", after: "MachineUsage") -> float:
    """Return how much of the processors' time was used between two looks, in hundredths of all of it."""
    spent = {mode: seconds - before.cpu.seconds.get(mode, 0.0) for mode, seconds in after.cpu.seconds.items()}
    total = sum(spent.values())
    return 100 * (1 - (spent.get("idle", 0.0) + spent.get("iowait", 0.0)) / total) if total > 0 else 0.0


def _rate(before: int, after: int, first: "MachineUsage", last: "MachineUsage") -> str:
    span_s = (last.at_unix_ms - first.at_unix_ms) / 1000
    return f"{format_memory(round((after - before) / span_s))}/s" if span_s > 0 and after >= before else "<unknown>"


def _time(unix_ms: int) -> str:
    return f"{datetime.fromtimestamp(unix_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
