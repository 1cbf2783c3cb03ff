"""`dayfly replay`: recorded calls made once more, and how the answers differ."""

from typing import TYPE_CHECKING

import click

from dayfly.cli.calls import took
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.payload_edit import edited
from dayfly.cli.replay_text import differs, replay_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, for_stdout
from dayfly.model.errors import (
    BuildFailed,
    Conflict,
    FunctionFailed,
    InvalidRequest,
    NotFound,
    NotSupported,
    QuotaExceeded,
    Unavailable,
)
from dayfly.model.function import MAX_TIMEOUT_S

if TYPE_CHECKING:
    from dayfly.client import Client
    from dayfly.model.invocation import Invocation
    from dayfly.model.payload import CallPayload
    from dayfly.model.replay import Replay

_WIDTHS = (36, 15, 10, 15)
_OF_ONE = (Conflict, InvalidRequest, NotFound, NotSupported, Unavailable, FunctionFailed, BuildFailed, QuotaExceeded)
"""Refusals of one call after which the next may well be made."""


@click.command("replay")
@click.argument("call", metavar="[ID]", default="")
@click.option("--failed", is_flag=True, help="Replay calls that failed, instead of one by its id.")
@click.option("--since", default="", metavar="SPAN|TIME", help="With --failed: since 1h ago, or an RFC 3339 time.")
@click.option("--function", default="", metavar="NAME", help="With --failed: only calls of this function.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="With --failed: so many.")
@click.option(
    "--revision", type=click.IntRange(1), default=None, help="To this revision, any that is kept; else to what serves."
)
@click.option("--edit", is_flag=True, help="Edit the request first, in $EDITOR.")
@namespace_option
@gateway_option
@output_option
@click.pass_context
def command(
    context: click.Context,
    call: str,
    failed: bool,
    since: str,
    function: str,
    limit: int,
    revision: int | None,
    edit: bool,
    namespace: str,
    gateway: str,
    output: str,
) -> None:
    """Make recorded calls once more, and show how the answers differ.

    Calls can be replayed whose payload is kept: see com.dayfly.record.payloads. A call is made for good: what the
    function does, it does once more. The exit code is 1 where an answer differs or a call could not be replayed.

    \b
    Examples:
      dayfly replay 6fe767f2-aab4-4fed-9ec1-cf14653a0057
      dayfly replay 6fe767f2-aab4-4fed-9ec1-cf14653a0057 --edit
      dayfly replay --failed --since 1h --function bill --revision 3
    """
    if bool(call) == failed:
        raise InvalidRequest("Give the ID of a call, or --failed.")
    if not failed and (since or function):
        raise InvalidRequest("--since and --function go with --failed.")
    if failed and edit:
        raise InvalidRequest("--edit goes with the ID of one call.")
    with connect(gateway, timeout_s=MAX_TIMEOUT_S + 60.0) as client:
        if failed:
            with Progress("asking the gateway"):
                found = client.list_records(namespace, function=function, failed=True, since=since, limit=limit)
            is_same = _replay_all(client, list(reversed(found)), revision or 0, output)
        else:
            is_same = _replay_one(client, call, namespace, revision or 0, edit, output)
    context.exit(0 if is_same else 1)


def _replay_one(client: "Client", call: str, namespace: str, revision: int, edit: bool, output: str) -> bool:
    request, number = None, 0
    if edit:
        payload = _payload(client, call)
        request, number = edited(payload), payload.number
    with Progress("calling the function"):
        replay = client.replay_call(call, namespace, number=number, revision=revision, request=request)
    show(replay, output, table=lambda: replay_text(replay), names=lambda: [replay.new.call_id])
    return not differs(replay)


def _payload(client: "Client", call: str) -> "CallPayload":
    with Progress("asking the gateway"):
        kept = client.get_payloads(call)
    if not kept:
        raise Conflict("Nothing is kept of what the call was sent.")
    return kept[-1]


def _replay_all(client: "Client", found: "list[Invocation]", revision: int, output: str) -> bool:
    replays: list[Replay] = []
    refused = 0
    if output == "table":
        click.echo(columns([["ID", "FUNCTION", "STATUS", "TIME", "ANSWER"]], (*_WIDTHS, 6)))
    for each in found:
        if each.trigger.startswith("replay "):
            continue
        try:
            replay = client.replay_call(each.id, each.namespace, number=each.number, revision=revision)
        except _OF_ONE as refusal:
            refused += 1
            if output == "table":
                row = [each.id, each.function, str(each.status), took(each.total_ms), f"not replayed: {refusal}"]
                click.echo(for_stdout(columns([row], (*_WIDTHS, 6))), color=True)
            continue
        replays.append(replay)
        if output == "table":
            click.echo(for_stdout(columns([_row(each, replay)], (*_WIDTHS, 6))), color=True)
    changed = sum(map(differs, replays))
    if output == "table":
        click.echo(f"{len(replays)} replayed: {len(replays) - changed} the same, {changed} different; {refused} not.")
    else:
        show(replays, output, table=str, names=lambda: [each.new.call_id for each in replays])
    return not changed and not refused


def _row(call: "Invocation", replay: "Replay") -> list[str]:
    return [
        call.id, call.function, f"{replay.old.status} → {replay.new.status}",
        f"{took(replay.old.milliseconds)} → {took(replay.new.milliseconds)}",
        "different" if differs(replay) else "the same",
    ]  # fmt: skip
