"""What becomes of a function that is there already when one of its name is deployed: --update, --replace, --timeout."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dayfly.model.errors import Conflict, InvalidRequest, NotFound

if TYPE_CHECKING:
    from dayfly.client.blocking import Client
    from dayfly.model.function import FunctionSpec

F = TypeVar("F", bound=Callable[..., Any])


def update_options(command: F) -> F:
    """Add --update, --replace and --timeout."""
    for option in (
        click.option(
            "--timeout",
            default="60s",
            show_default=True,
            metavar="SPAN",
            help="How long the gateway may take to answer.",
        ),
        click.option("--replace", is_flag=True, help="Remove them first; needs --update=false. Calls fail meanwhile."),
        click.option(
            "--update/--no-update",
            default=True,
            show_default=True,
            help="Also deploy functions that are there already.",
        ),
    ):
        command = option(command)
    return command


def check_update(*, update: bool, replace: bool) -> None:
    """Refuse both at once, as faas-cli does. Raises InvalidRequest."""
    if update and replace:
        raise InvalidRequest(
            "cannot specify --update and --replace at the same time",
            hint="--update keeps serving while it rolls out; for --replace say --update=false too.",
        )


def make_way(client: "Client", spec: "FunctionSpec", *, replace: bool) -> bool:
    """See that there is no function of this name; return whether one was removed for that.

    Raises Conflict where there is one and it is not to be replaced.
    """
    try:
        client.get_function(spec.name, namespace=spec.namespace)
    except NotFound:
        return False
    if not replace:
        raise Conflict(
            f"Function {spec.name} already exists.", hint="--update rolls it over, --replace removes it first."
        )
    client.remove(spec.name, namespace=spec.namespace)
    return True
