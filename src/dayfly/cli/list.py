"""`dayfly list`: the functions of a namespace, in faas-cli's columns with the state beside them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dayfly.cli import live_list
from dayfly.cli.faas_json import function_of, json_option, show_json
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.selection import stack_gateway, yaml_option
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, warn
from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.model.status import FunctionStatus

_WIDTHS = (30, 15, 5)
_VERBOSE_WIDTHS = (30, 40, 15, 8, 20)


@click.command("list")
@yaml_option
@gateway_option
@namespace_option
@click.option("-v", "--verbose", is_flag=True, help="Image, time of deployment and revision too.")
@click.option("-q", "--quiet", is_flag=True, help="Names only, as --output name.")
@click.option(
    "--sort",
    type=click.Choice(["name", "invocations", "creation"]),
    default="name",
    show_default=True,
    help="The order.",
)
@click.option("--follow", is_flag=True, help="Go on as they change, until Ctrl-C.")
@json_option
@output_option
def command(
    stack_file: str | None,
    gateway: str,
    namespace: str,
    verbose: bool,
    quiet: bool,
    sort: str,
    follow: bool,
    is_json: bool,
    output: str,
) -> None:
    """List the functions.

    \b
    Examples:
      dayfly list
      dayfly list --sort invocations -v
      dayfly list --follow
      dayfly list --json | jq '.[].invocationCount'
      dayfly list -o json | jq '.[].url'
    """
    if follow:
        if verbose or quiet or is_json or output not in ("table", "json"):
            raise InvalidRequest("--follow goes with the table and with --output json only.")
        with connect(gateway, stack=stack_gateway(stack_file)) as client:
            live_list.follow(client, namespace, sort, output)
        return
    with connect(gateway, stack=stack_gateway(stack_file)) as client, Progress("asking the gateway"):
        functions, own = client.list_functions(namespace), client.namespace
    if sort == "invocations":
        functions.sort(key=lambda one: -one.invocations)
    elif sort == "creation":
        functions.sort(key=lambda one: one.created_unix_ms)
    if is_json:
        show_json([function_of(one) for one in functions])
        return
    if not functions and output == "table" and not quiet:
        warn(f"No functions are deployed in {namespace or own}. `dayfly new hello` writes a first one.")
        return
    show(
        functions,
        "name" if quiet else output,
        table=lambda: _table(functions, verbose=verbose),
        names=lambda: [one.spec.name for one in functions],
    )


def _table(functions: "list[FunctionStatus]", *, verbose: bool) -> str:
    if not verbose:
        rows = [["Function", "Invocations", "Replicas", "State"]]
        rows += [[one.spec.name, str(one.invocations), str(one.desired_replicas), one.state] for one in functions]
        return columns(rows, (*_WIDTHS, 8))
    rows = [["Function", "Image", "Invocations", "Replicas", "CreatedAt", "State", "Revision"]]
    for one in functions:
        at = datetime.fromtimestamp(one.created_unix_ms / 1000, UTC)
        row = [one.spec.name, one.spec.image or one.spec.bundle, str(one.invocations), str(one.desired_replicas)]
        rows.append([*row, at.strftime("%Y-%m-%dT%H:%M:%SZ"), one.state, str(one.revision)])
    return columns(rows, (*_VERBOSE_WIDTHS, 8, 8))
