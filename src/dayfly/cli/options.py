"""Options that several commands share, the types of their values, and the completion of live names."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dayfly.model.errors import DayflyError, InvalidRequest

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])
_COMPLETION_TIMEOUT_S = 0.5

FORMATS = ("table", "json", "yaml", "name")


class FunctionName(click.ParamType[str]):
    """A function's name, completed from those that are deployed."""

    name = "name"

    def shell_complete(self, ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        """The deployed names that begin like this; none when the gateway does not say so quickly."""
        from click.shell_completion import CompletionItem

        from dayfly.cli.session import connect

        given = ctx.params
        try:
            with connect(given.get("gateway") or "", timeout_s=_COMPLETION_TIMEOUT_S, context=ctx) as client:
                functions = client.list_functions(given.get("namespace") or "")
        except DayflyError:
            # A completion that fails completes nothing; a message would land in the middle of somebody's line.
            return []
        return [CompletionItem(one.spec.name) for one in functions if one.spec.name.startswith(incomplete)]


class RevisionNumber(click.ParamType[int]):
    """A revision's number, completed from those of the function named before it."""

    name = "revision"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        return click.INT.convert(value, param, ctx)

    def shell_complete(self, ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        """The numbers that begin like this, newest first; none when the gateway does not say so quickly."""
        from click.shell_completion import CompletionItem

        from dayfly.cli.session import connect

        given = ctx.params
        # An option that still lacks its value keeps click from giving the arguments their names.
        name = given.get("name") or next(iter(ctx.args), "")
        try:
            with connect(given.get("gateway") or "", timeout_s=_COMPLETION_TIMEOUT_S, context=ctx) as client:
                revisions = client.list_revisions(name, namespace=given.get("namespace") or "")
        except DayflyError:
            # As above: a completion that fails completes nothing.
            return []
        numbers = [str(one.number) for one in reversed(revisions)]
        return [CompletionItem(number) for number in numbers if number.startswith(incomplete)]


class Pair(click.ParamType[tuple[str, str]]):
    """`KEY=VALUE`, split at the first `=`; the key must not be empty."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The key, without blanks around it, and the value as it is."""
        if isinstance(value, tuple):
            return value
        key, equals, rest = str(value).partition("=")
        if not key.strip() or not equals:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        return key.strip(), rest


def gateway_option(command: F) -> F:
    """Add --gateway."""
    option = click.option("-g", "--gateway", default="", metavar="URL", help="The gateway to talk to.")
    return option(command)


def namespace_option(command: F) -> F:
    """Add --namespace."""
    option = click.option("-n", "--namespace", default="", help="The functions' namespace.  [default: openfaas-fn]")
    return option(command)


def output_option(command: F) -> F:
    """Add --output."""
    option = click.option(
        "-o", "--output", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print it."
    )
    return option(command)


def wait_options(command: F) -> F:
    """Add --wait and --wait-timeout."""
    for option in (
        click.option(
            "--wait-timeout", default="10m", metavar="SPAN", show_default=True, help="How long to wait at most."
        ),
        click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until the revision serves."),
    ):
        command = option(command)
    return command


def data_dir_option(command: F) -> F:
    """Add --data-dir."""
    option = click.option(
        "--data-dir",
        type=click.Path(file_okay=False),
        metavar="DIR",
        help="The platform's data folder.  [default: DAYFLY_DATA_DIR; /var/lib/dayfly; ~/.local/share/dayfly]",
    )
    return option(command)


def stack_options(command: F) -> F:
    """Add --yaml, --filter, --regex and --no-envsubst."""
    for option in (
        click.option("--no-envsubst", is_flag=True, help="Leave ${VAR} in the stack file as it is."),
        click.option("--regex", default="", metavar="REGEX", help="Only functions in whose name this is found."),
        click.option(
            "--filter", "glob", default="", metavar="GLOB", help="Only functions whose name matches; * is any text."
        ),
        click.option(
            "-f",
            "--yaml",
            "stack_file",
            metavar="FILE",
            help="The stack file.  [default: stack.yaml or stack.yml here]",
        ),
    ):
        command = option(command)
    return command


def function_argument(command: F) -> F:
    """Add the argument NAME."""
    return click.argument("name", type=FunctionName())(command)


def check_span(text: str, option: str) -> str:
    """Return a span of time as it was given, or empty. Raises InvalidRequest naming the option."""
    from dayfly.model.quantities import parse_duration

    if text:
        try:
            parse_duration(text)
        except InvalidRequest as error:
            raise InvalidRequest(f"{option}: {error.message}") from error
    return text
