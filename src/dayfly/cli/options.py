"""Options that several commands share, the types of their values, and the completion of live names."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dayfly.cli.session import Session, connect
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

        given = ctx.params
        try:
            with connect(given.get("gateway") or "", timeout_s=_COMPLETION_TIMEOUT_S, context=ctx) as client:
                functions = client.list_functions(given.get("namespace") or "")
        except DayflyError:
            # A completion that fails completes nothing; a message would land in the middle of somebody's line.
            return []
        return [CompletionItem(one.spec.name) for one in functions if one.spec.name.startswith(incomplete)]


class Written(click.ParamType[str]):
    """A function that is being written: a name of the stack file, or a folder."""

    name = "name|folder"

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        """The stack file's names that begin like this, and whatever folders the shell finds."""
        from click.shell_completion import CompletionItem

        from dayfly.client.stack import load_stack
        from dayfly.client.stack_text import find_stack

        path = find_stack()
        try:
            names = load_stack(path).entries if path is not None else {}
        except DayflyError:
            # As above: a completion that fails completes nothing.
            names = {}
        found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*found, CompletionItem(incomplete, type="dir")]


class RevisionNumber(click.ParamType[int]):
    """A revision's number, completed from those of the function named before it."""

    name = "revision"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        return click.INT.convert(value, param, ctx)

    def shell_complete(self, ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        """The numbers that begin like this, newest first; none when the gateway does not say so quickly."""
        from click.shell_completion import CompletionItem

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


class NamespaceName(click.ParamType[str]):
    """A namespace's name, completed from those that the credential is good for."""

    name = "namespace"

    def shell_complete(self, ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        """The namespaces that begin like this; none when the gateway does not say so quickly."""
        from click.shell_completion import CompletionItem

        try:
            with connect(ctx.params.get("gateway") or "", timeout_s=_COMPLETION_TIMEOUT_S, context=ctx) as client:
                names = client.list_namespaces()
        except DayflyError:
            # As above: a completion that fails completes nothing.
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class Language(click.ParamType[str]):
    """A template's name, completed from those that are here."""

    name = "lang"

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        """The templates that begin like this."""
        from click.shell_completion import CompletionItem

        from dayfly.client.templates import templates

        try:
            found = templates(Path(), lambda _bad: None)
        except OSError:
            # As above: a completion that fails completes nothing.
            return []
        return [CompletionItem(each.name) for each in found if each.name.startswith(incomplete)]


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


def language_option(command: F) -> F:
    """Add --lang."""
    option = click.option("--lang", type=Language(), default="python", show_default=True, help="The language.")
    return option(command)


def gateway_option(command: F) -> F:
    """Add --gateway, --tls-no-verify and --token."""
    option = click.option(
        "-k",
        "--token",
        "bearer",
        metavar="TOKEN",
        expose_value=False,
        callback=_keep_token,
        help="A token to use instead of a login. Others on this machine may see it.",
    )
    return address_option(option(command))


def address_option(command: F) -> F:
    """Add --gateway and --tls-no-verify, for a command that says itself how it is let in."""
    for option in (
        click.option(
            "--tls-no-verify",
            is_flag=True,
            expose_value=False,
            callback=_keep_unverified,
            help="Take any certificate for the gateway's.",
        ),
        click.option("-g", "--gateway", default="", metavar="URL", help="The gateway to talk to."),
    ):
        command = option(command)
    return command


def _keep_token(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Session).token = value


def _keep_unverified(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Session).is_verified = False


def namespace_option(command: F) -> F:
    """Add --namespace."""
    option = click.option(
        "-n",
        "--namespace",
        type=NamespaceName(),
        default="",
        metavar="NAME",
        help="The namespace.  [default: the login's own; openfaas-fn]",
    )
    return option(command)


def output_option(command: F) -> F:
    """Add --output."""
    option = click.option(
        "-o", "--output", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print it."
    )
    return option(command)


def output_or_csv_option(command: F) -> F:
    """Add --output for what is a list that spreadsheets want too."""
    text = "How to print it; csv has all fields of a row."
    option = click.option(
        "-o", "--output", type=click.Choice((*FORMATS, "csv")), default="table", show_default=True, help=text
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


def data_option(command: F) -> F:
    """Add --data, which `data_of` reads."""
    text = "What to send; @FILE for what is in a file.  [default: standard input]"
    return click.option("-d", "--data", metavar="TEXT", help=text)(command)


def data_of(text: str) -> bytes:
    """Return what --data means: its text, or what is in the file after @. Raises InvalidRequest."""
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{text[1:]} cannot be read: {error.strerror}") from error


def data_dir_option(command: F) -> F:
    """Add --data-dir."""
    option = click.option(
        "--data-dir",
        type=click.Path(file_okay=False),
        metavar="DIR",
        help="The platform's data folder.  [default: DAYFLY_DATA_DIR; /var/lib/dayfly; ~/.local/share/dayfly]",
    )
    return option(command)


def allow_secret_option(command: F) -> F:
    """Add --allow-secret, whose texts `oci.scan` understands."""
    return click.option(
        "--allow-secret", multiple=True, metavar="RULE:PATH",
        help="Accept a credential that was found and is meant to be there; the function's description keeps a note.",
    )(command)  # fmt: skip


def verify_key_option(command: F) -> F:
    """Add --verify-key."""
    return click.option(
        "--verify-key", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
        help="Deploy an image only if this public key, or another given, has signed it; the digest is deployed.",
    )(command)  # fmt: skip


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
