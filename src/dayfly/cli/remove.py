"""`dayfly remove`: functions by name, or those of a stack file."""

import click

from dayfly.cli.options import FunctionName, gateway_option, namespace_option, stack_options
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
    no_envsubst: bool,
    gateway: str,
    namespace: str,
) -> None:
    """Remove functions.

    Names that do not exist are told, the others removed, and the exit code is 66.

    \b
    Examples:
      dayfly remove hello
      dayfly remove -f stack.yaml --filter 'old-*'
    """
    stack_gateway, wanted = "", [(name, namespace) for name in names]
    if stack_file:
        if names:
            raise InvalidRequest("Give names or a stack file, not both.")
        from dayfly.client.stack import load_stack

        stack = load_stack(stack_file, envsubst=not no_envsubst)
        stack_gateway = stack.gateway
        wanted = [(one.spec.name, namespace or one.spec.namespace) for one in stack.functions(glob=glob, regex=regex)]
    if not wanted:
        raise InvalidRequest("Nothing to remove.", hint="Give a function's name, or a stack file with -f.")
    missing = []
    with connect(gateway, stack=stack_gateway) as client:
        for name, where in wanted:
            click.echo(f"Deleting: {name}.")
            try:
                with Progress(f"removing {name}"):
                    client.remove(name, namespace=where)
            except NotFound:
                warn(f"{name}: no existing function to remove")
                missing.append(name)
    if missing:
        raise NotFound(f"{len(missing)} of {len(wanted)} functions did not exist: {', '.join(missing)}")
