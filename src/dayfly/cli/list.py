"""`dayfly list`: the functions of a namespace, in faas-cli's columns with the state beside them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, warn

if TYPE_CHECKING:
    from dayfly.model.status import FunctionStatus

_WIDTHS = (30, 15, 5, 8)


@click.command("list")
@gateway_option
@namespace_option
@click.option("-v", "--verbose", is_flag=True, help="Revision, time of deployment and image too.")
@click.option("-q", "--quiet", is_flag=True, help="Names only, as --output name.")
@click.option(
    "--sort",
    type=click.Choice(["name", "invocations", "creation"]),
    default="name",
    show_default=True,
    help="The order.",
)
@output_option
def command(gateway: str, namespace: str, verbose: bool, quiet: bool, sort: str, output: str) -> None:
    """List the functions.

    \b
    Examples:
      dayfly list
      dayfly list --sort invocations -v
      dayfly list -o json | jq '.[].url'
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        functions = client.list_functions(namespace)
    if sort == "invocations":
        functions.sort(key=lambda one: -one.invocations)
    elif sort == "creation":
        functions.sort(key=lambda one: one.created_unix_ms)
    if not functions and output == "table" and not quiet:
        warn(f"No functions are deployed in {namespace or 'openfaas-fn'}. `dayfly new hello` writes a first one.")
        return
    show(
        functions,
        "name" if quiet else output,
        table=lambda: _table(functions, verbose=verbose),
        names=lambda: [one.spec.name for one in functions],
    )


def _table(functions: "list[FunctionStatus]", *, verbose: bool) -> str:
    head = ["Function", "Invocations", "Replicas", "State"] + (["Revision", "Deployed", "Image"] if verbose else [])
    rows = [head]
    for one in functions:
        row = [one.spec.name, str(one.invocations), str(one.desired_replicas), one.state]
        if verbose:
            at = datetime.fromtimestamp(one.updated_unix_ms / 1000, UTC)
            row += [str(one.revision), at.strftime("%Y-%m-%dT%H:%M:%SZ"), one.spec.image or one.spec.bundle]
        rows.append(row)
    return columns(rows, (*_WIDTHS, *((8, 20, 5) if verbose else ())))
