"""`dayfly top`: what functions and their replicas do and use, now and now again."""

import contextlib
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dayfly.cli.options import FunctionName, gateway_option, namespace_option, output_option
from dayfly.cli.output import show
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress
from dayfly.model.errors import NotFound, Unavailable
from dayfly.model.quantities import format_duration, format_memory, parse_duration
from dayfly.model.table import LATENCY_BUCKETS_S

if TYPE_CHECKING:
    from dayfly.cli.rates import FunctionRate, ReplicaRate
    from dayfly.client.blocking import Client
    from dayfly.model.usage import Usage

_SORTS = ("cpu", "memory", "calls", "name")
_HEAD = ("FUNCTION", "STATE", "READY", "CPU", "MEMORY", "CALLS/S", "5XX/S", "FLIGHT", "WAIT", "P50", "P99", "EXITS")
_ONCE_S = 1.0


@click.command("top")
@click.argument("name", default="", type=FunctionName())
@click.option("--sort", type=click.Choice(_SORTS), default="cpu", show_default=True, help="The order.")
@click.option("--interval", default="2s", metavar="SPAN", show_default=True, help="How often to look.")
@click.option("--once", is_flag=True, help="Look twice, a second apart, and print what was between.")
@namespace_option
@gateway_option
@output_option
def command(name: str, sort: str, interval: str, once: bool, namespace: str, gateway: str, output: str) -> None:
    """Show what functions and their replicas do and use.

    Calls a second, calls in flight and waiting, the bounds that half and 99 in a hundred of the calls stayed within,
    processor time in hundredths of one processor, and resident memory, by function and by replica. In a terminal it is
    shown until q or Ctrl-C is pressed; anywhere else, or with --once or an --output, it is printed once.

    \b
    Examples:
      dayfly top
      dayfly top hello --interval 500ms
      dayfly top --once --sort memory
      dayfly top -o json | jq '.[] | {name, cpu_percent}'
    """
    pause_s = parse_duration(interval)
    with connect(gateway) as client:
        if once or output != "table" or not sys.stdout.isatty():
            with Progress("looking"):
                first = _look(client, namespace, name)
                time.sleep(_ONCE_S)
                found = _rates(first, _look(client, namespace, name), sort)
            show(found, output, table=lambda: "\n".join(_table(found)), names=lambda: [one.name for one in found])
        else:
            with contextlib.suppress(KeyboardInterrupt):
                _watch(client, namespace, name, sort, pause_s)


def _watch(client: "Client", namespace: str, name: str, sort: str, pause_s: float) -> None:
    from dayfly.cli.live import Live

    before, now, found, trouble = None, _look(client, namespace, name), [], ""
    found = _rates(None, now, sort)
    where = (
        f"{client.url}  {client.key(name, namespace=namespace).namespace if name else namespace or client.namespace}"
    )
    with Live() as live:
        while True:
            live.draw([_summary(where, found, pause_s), trouble, *_table(found)])
            match live.wait(pause_s):
                case "quit":
                    return
                case "size":
                    continue
            try:
                before, now, trouble = now, _look(client, namespace, name), ""
            except Unavailable as error:
                trouble = f"What follows is old: {error.message}"
            else:
                found = _rates(before, now, sort)


def _look(client: "Client", namespace: str, name: str) -> "Usage":
    """Look at the namespace, or at one function of it. Raises NotFound when that is not there."""
    import msgspec

    if not name:
        return client.get_usage(namespace)
    key = client.key(name, namespace=namespace)
    found = client.get_usage(key.namespace)
    functions = tuple(one for one in found.functions if one.name == key.name)
    if not functions:
        raise NotFound(f"there is no function {key.name} in the namespace {key.namespace}")
    return msgspec.structs.replace(found, functions=functions)


def _rates(before: "Usage | None", after: "Usage", sort: str) -> "list[FunctionRate]":
    from dayfly.cli.rates import rates

    found = rates(before, after)
    if sort == "cpu":
        found.sort(key=lambda one: -(one.cpu_percent or 0.0))
    elif sort == "memory":
        found.sort(key=lambda one: -one.memory_bytes)
    elif sort == "calls":
        found.sort(key=lambda one: -(one.calls_per_s or 0.0))
    return found


def _summary(where: str, found: "list[FunctionRate]", pause_s: float) -> str:
    replicas = sum(len(one.replicas) for one in found)
    cpu, memory = sum(one.cpu_percent or 0.0 for one in found), sum(one.memory_bytes for one in found)
    used = f"CPU {cpu:.0f}%, {format_memory(memory)}"
    return f"{where}  {len(found)} functions, {replicas} replicas, {used}  every {format_duration(pause_s)}, q ends it"


def _table(found: "list[FunctionRate]") -> list[str]:
    rows: list[tuple[str, ...]] = [_HEAD]
    for one in found:
        rows.append(_function(one))
        rows.extend(_replica(replica) for replica in one.replicas)
    wide = [max(len(row[at]) for row in rows if at < len(row)) for at in range(len(_HEAD))]
    # The name and the state are words, all else is numbers, read from the right.
    return [
        "  ".join(f"{text:{'<' if at < 2 else '>'}{wide[at]}}" for at, text in enumerate(row)).rstrip() for row in rows
    ]


def _function(one: "FunctionRate") -> tuple[str, ...]:
    ready = f"{one.ready_replicas}/{one.desired_replicas}"
    calls = _number(one.calls_per_s), _number(one.failed_per_s), str(one.inflight), str(one.waiting)
    used = _percent(one.cpu_percent), format_memory(one.memory_bytes)
    return (one.name, one.state, ready, *used, *calls, _bound(one.p50_s), _bound(one.p99_s), str(one.exits))


def _replica(one: "ReplicaRate") -> tuple[str, ...]:
    age_s = datetime.now(UTC).timestamp() - one.started_unix_ms / 1000
    state = f"{one.phase}, revision {one.revision}, {format_duration(max(0, int(age_s)))}"
    return (f"  {one.id}", state, "", _percent(one.cpu_percent), format_memory(one.memory_bytes))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}%"


def _bound(value: float | None) -> str:
    if value is None:
        return "-"
    longest = f">{format_duration(LATENCY_BUCKETS_S[-1])}"
    return longest if value == float("inf") else f"<{format_duration(value)}"
