"""`dayfly queue`: calls that wait, what they came to, and dead letters."""

import sys
from typing import TYPE_CHECKING

import click

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, sheet, show
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, warn
from dayfly.model.errors import FunctionFailed, InvalidRequest, NotFound

if TYPE_CHECKING:
    from dayfly.client import Client
    from dayfly.model.queued import CallStatus

_FUNCTION = click.option("--function", default="", metavar="NAME", help="Only calls of this function.")
_LIMIT = click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many.")
_IDS = click.argument("ids", metavar="[ID ...]", nargs=-1)
_ALL = click.option("--all", "everything", is_flag=True, help="All of the namespace.")
_WAITING = ("queued", "running", "retrying", "answering", "dead")
_OVER = ("done", "dead", "cancelled")
_WAIT_S = 30.0


@click.group("queue", cls=Group, aliases={"ls": "list", "dead-letters": "dead", "describe": "get"})
def command() -> None:
    """List, read and cancel queued calls; list, redrive and purge dead letters.

    \b
    Examples:
      dayfly invoke bill --async < order.json
      dayfly queue get 6fe767f2-aab4-4fed-9ec1-cf14653a0057
      dayfly queue dead --function bill
      dayfly queue redrive --function bill
    """


@command.command("list")
@_FUNCTION
@click.option("--state", type=click.Choice(_WAITING), default=None, help="Only those.")
@_LIMIT
@namespace_option
@gateway_option
@output_option
def list_(function: str, state: str | None, limit: int, namespace: str, gateway: str, output: str) -> None:
    """List the calls in the queue, the oldest first.

    \b
    Examples:
      dayfly queue list
      dayfly queue list --state retrying --function bill
    """
    _list(function, state or "", limit, namespace, gateway, output)


@command.command("dead")
@_FUNCTION
@_LIMIT
@namespace_option
@gateway_option
@output_option
def dead(function: str, limit: int, namespace: str, gateway: str, output: str) -> None:
    """List the dead letters: calls that failed for good.

    \b
    Examples:
      dayfly queue dead
      dayfly queue dead --function bill --output json
    """
    _list(function, "dead", limit, namespace, gateway, output)


@command.command("get")
@click.argument("call", metavar="ID")
@click.option("--wait", is_flag=True, help="Wait until it is over.")
@gateway_option
@output_option
def get(call: str, wait: bool, gateway: str, output: str) -> None:
    """Show how a call stands and what it came to.

    \b
    Examples:
      dayfly queue get 6fe767f2-aab4-4fed-9ec1-cf14653a0057
      dayfly queue get 6fe767f2-aab4-4fed-9ec1-cf14653a0057 --wait --output json
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        status = waited(client, call) if wait else client.get_call(call)
    show(status, output, table=lambda: _sheet(status), names=lambda: [status.id])


@command.command("cancel")
@click.argument("call", metavar="ID")
@gateway_option
def cancel(call: str, gateway: str) -> None:
    """Cancel a call that waits or runs.

    \b
    Examples:
      dayfly queue cancel 6fe767f2-aab4-4fed-9ec1-cf14653a0057
    """
    with connect(gateway) as client, Progress("cancelling the call"):
        client.cancel_call(call)
    click.echo(f"Call Cancelled: {call}")


@command.command("redrive")
@_IDS
@_FUNCTION
@_ALL
@namespace_option
@gateway_option
def redrive(ids: tuple[str, ...], function: str, everything: bool, namespace: str, gateway: str) -> None:
    """Try dead letters again, with all their attempts.

    \b
    Examples:
      dayfly queue redrive 6fe767f2-aab4-4fed-9ec1-cf14653a0057
      dayfly queue redrive --function bill
      dayfly queue redrive --all
    """
    _check(ids, function, everything)
    with connect(gateway) as client, Progress("redriving"):
        count = client.redrive_dead_letters(ids, namespace=namespace, function=function)
    _tell("Redriven", count, ids)


@command.command("purge")
@_IDS
@_FUNCTION
@_ALL
@namespace_option
@gateway_option
def purge(ids: tuple[str, ...], function: str, everything: bool, namespace: str, gateway: str) -> None:
    """Let go of dead letters.

    \b
    Examples:
      dayfly queue purge 6fe767f2-aab4-4fed-9ec1-cf14653a0057
      dayfly queue purge --all
    """
    _check(ids, function, everything)
    with connect(gateway) as client, Progress("purging"):
        count = client.purge_dead_letters(ids, namespace=namespace, function=function)
    _tell("Purged", count, ids)


def waited(client: "Client", call_id: str) -> "CallStatus":
    """Return how a call stands that is over."""
    while True:
        status = client.get_call(call_id, wait_s=_WAIT_S)
        if status.state in _OVER:
            return status


def write_result(status: "CallStatus") -> None:
    """Write a call's answer to standard output. Raises FunctionFailed for one that did not succeed."""
    if status.state != "done":
        said = status.body[:2000].decode("utf-8", "replace").strip()
        raise FunctionFailed(f"The call {status.id} is {status.state}: {status.reason}" + (f" {said}" if said else ""))
    if status.dropped_bytes:
        warn(f"The answer's {status.dropped_bytes} bytes were too many to be kept.")
    sys.stdout.buffer.write(status.body)
    sys.stdout.buffer.flush()


def _list(function: str, state: str, limit: int, namespace: str, gateway: str, output: str) -> None:
    with connect(gateway) as client, Progress("asking the gateway"):
        calls = client.list_calls(namespace, state=state, function=function, limit=limit)
    show(calls, output, table=lambda: _table(calls), names=lambda: [each.id for each in calls], none="No calls found.")


def _check(ids: tuple[str, ...], function: str, everything: bool) -> None:
    if sum((bool(ids), bool(function), everything)) != 1:
        raise InvalidRequest("Say which dead letters: their ids, --function NAME, or --all.")


def _tell(what: str, count: int, ids: tuple[str, ...]) -> None:
    if ids and not count:
        raise NotFound(f"No dead letter has the id {', '.join(ids)}.", hint="`dayfly queue dead` lists them.")
    click.echo(f"{what}: {count}")


def _table(calls: "list[CallStatus]") -> str:
    rows = [["ID", "FUNCTION", "STATE", "ATTEMPTS", "ACCEPTED", "REASON"]]
    for each in calls:
        name = each.function.rpartition(".")[0]
        accepted = time_text(each.accepted_unix_ms)
        rows.append([each.id, name, each.state, str(each.attempts), accepted, each.reason[:60]])
    return columns(rows, (36, 15, 9, 8, 20, 10))


def _sheet(status: "CallStatus") -> str:
    fields = [
        ("Call", status.id),
        ("Function", status.function),
        ("State", status.state),
        ("Attempts", str(status.attempts)),
        ("Accepted", time_text(status.accepted_unix_ms)),
    ]
    if status.finished_unix_ms:
        fields += [("Finished", time_text(status.finished_unix_ms)), ("Took", f"{status.seconds:.3f}s")]
    elif status.due_unix_ms:
        fields.append(("Due", time_text(status.due_unix_ms)))
    if status.status:
        fields.append(("Status", str(status.status)))
    if status.reason:
        fields.append(("Reason", status.reason))
    if status.body:
        fields.append(("Answer", status.body[:2000].decode("utf-8", "replace")))
    return sheet(fields)
