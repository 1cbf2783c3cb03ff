"""`dayfly diff`: what a stack file asks for beside what is deployed. Nothing is changed."""

from typing import TYPE_CHECKING, Any

import click
import msgspec

from dayfly.cli.options import gateway_option, namespace_option
from dayfly.cli.selection import Selection, stack_options, tag_option
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, for_stdout, warn

if TYPE_CHECKING:
    from dayfly.client.differences import Difference, EnvMode

_LEAST_WIDTH = 40
_MODES = ("local", "remote", "all")


@click.command("diff")
@stack_options
@tag_option
@click.option(
    "--env", "mode", type=click.Choice(_MODES), default="local", show_default=True,
    help="Which variables count: those of the file, those deployed, or both.",
)  # fmt: skip
@gateway_option
@namespace_option
@click.pass_context
def command(context: click.Context, /, mode: "EnvMode", gateway: str, namespace: str, **given: Any) -> None:
    """Show how a stack file differs from what is deployed.

    The exit code is 1 where it does. Functions that only the gateway has are none of the file's, and do not count.

    \b
    Examples:
      dayfly diff
      dayfly diff -f stack.yaml --env all --gateway https://faas.example.org
    """
    from dayfly.client.differences import differences

    selection = msgspec.convert(given, Selection)
    stack = selection.require()
    functions = selection.functions(stack)
    with connect(gateway, stack=stack.gateway) as client, Progress("asking the gateway"):
        places = [namespace or one.namespace or client.namespace for one in functions]
        deployed = {one.spec.key: one.spec for place in dict.fromkeys(places) for one in client.list_functions(place)}
    tables = []
    for one, place in zip(functions, places, strict=True):
        key = msgspec.structs.replace(one.spec, namespace=place).key
        found = differences(one, deployed.get(key), mode)
        if found:
            tables.append(f"{key.name}.{key.namespace}\n{_table(found)}\n")
    if not tables:
        click.echo("YAML matches deployment, no differences found.")
        return
    click.echo(for_stdout("\n".join(tables)), color=True)
    warn("Differences found")
    context.exit(1)


def _table(rows: "list[Difference]") -> str:
    wide = max(len(row.field) for row in rows) + 1
    cells = [
        tuple(
            f"{mark} {row.field + ':':<{wide}} {value}" if value is not None else ""
            for mark, value in (("-", row.here), ("+", row.there))
        )
        for row in rows
    ]
    left, right = (max(_LEAST_WIDTH, *(len(cell[side]) for cell in cells)) for side in (0, 1))
    lines = [("stack.yaml".ljust(left), " | ", "deployed"), ("-" * left, "-+-", "-" * right)]
    lines += [(here.ljust(left), " | ", there) for here, there in cells]
    return "\n".join(f"  {''.join(line)}".rstrip() for line in lines)
