"""`dayfly remove`: functions by name, or those of a stack file."""

import click

from dayfly.cli.options import FunctionName, gateway_option, namespace_option
from dayfly.cli.selection import Selection, stack_gateway, stack_options
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, warn
from dayfly.model.errors import InvalidRequest, NotFound


@click.command("remove")
@click.argument("names", nargs=-1, type=FunctionName(), metavar="[NAME]...")
@stack_options
@gateway_option
@namespace_option
def command(
    names: tuple[str, ...],
    stack_file: str | None,
    glob: str,
    regex: str,
    envsubst: bool,
    gateway: str,
    namespace: str,
) -> None:
    """Remove functions.

    With no argument, the functions of stack.yaml in this folder. Names that do not exist are told, the others removed,
    and the exit code is 66.

    \b
    Examples:
      dayfly remove hello
      dayfly remove -f stack.yaml --filter 'old-*'
    """
    selection = Selection(stack_file=stack_file, glob=glob, regex=regex, envsubst=envsubst)
    if names:
        if stack_file or glob or regex:
            raise InvalidRequest("Give names or a stack file, not both.")
        where, wanted = stack_gateway(None), [(name, namespace) for name in names]
    else:
        stack = selection.load()
        if stack is None:
            raise InvalidRequest("Nothing to remove.", hint="Give a function's name, or a stack file with -f.")
        where = stack.gateway
        wanted = [(one.spec.name, namespace or one.namespace) for one in selection.functions(stack)]
    missing = []
    with connect(gateway, stack=where) as client:
        for name, its_namespace in wanted:
            click.echo(f"Deleting: {name}.{its_namespace}")
            try:
                with Progress(f"removing {name}"):
                    client.remove(name, namespace=its_namespace)
            except NotFound:
                warn(f"{name}: No existing function to remove")
                missing.append(name)
            else:
                click.echo("Removing old function.")
    if missing:
        raise NotFound(f"{len(missing)} of {len(wanted)} functions did not exist: {', '.join(missing)}")
