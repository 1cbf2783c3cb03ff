"""Which functions of a stack file a command is about: --yaml, --filter, --regex and --envsubst, for all commands alike.

Where no file is named, stack.yaml or stack.yml of this folder is meant, as with faas-cli. The options may also stand
before the command's name.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from dayfly.model.errors import DayflyError, InvalidRequest

if TYPE_CHECKING:
    from dayfly.client.stack import Stack
    from dayfly.client.stack_function import StackFunction

F = TypeVar("F", bound=Callable[..., Any])


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed."""

    stack_file: str | None = None
    """A file, or an http(s) URL."""
    glob: str = ""
    regex: str = ""
    envsubst: bool = True
    tag: str = "latest"
    """One of `client.image_tag.MODES`."""

    def load(self) -> "Stack | None":
        """Return the stack file that is meant; None where none is named and none is here.

        Raises InvalidRequest, Unavailable or InvalidSpec when it cannot be read.
        """
        from dayfly.client.stack_text import find_stack

        source = self.stack_file or find_stack()
        if not source:
            return None
        from dayfly.client.stack import load_stack  # here, because it costs a command that has no such file too much

        return load_stack(source, envsubst=self.envsubst)

    def require(self) -> "Stack":
        """Return the stack file that is meant. Raises InvalidRequest where there is none, and what `load` raises."""
        stack = self.load()
        if stack is None:
            hint = "Name one with -f, or begin with `dayfly new hello`."
            raise InvalidRequest("There is no stack.yaml in this folder.", hint=hint)
        return stack

    def functions(self, stack: "Stack", name: str = "") -> "list[StackFunction]":
        """Return the functions that are meant, sorted by name; with `name`, that one.

        Raises InvalidRequest when none is, or its image cannot be tagged; InvalidSpec for one that cannot be deployed.
        """
        from dayfly.client.image_tag import tagged

        if name and (self.glob or self.regex):
            raise InvalidRequest("Give a function's NAME, or --filter or --regex, not both.")
        if name and name not in stack.entries:
            known = ", ".join(sorted(stack.entries)) or "nothing"
            raise InvalidRequest(f"{name} is not in {stack.origin}; it has {known}.")
        found = stack.functions(glob=self.glob or name, regex=self.regex)
        return [one.with_image(tagged(one.spec.image, self.tag, one.folder)) for one in found]


def stack_gateway(stack_file: str | None) -> str:
    """Return `provider.gateway` of the stack file that is meant, or empty.

    A stack.yaml that merely lies in this folder may be somebody else's: one that cannot be read names no gateway.
    Raises InvalidRequest, Unavailable or InvalidSpec for one that was named.
    """
    stack = _read(stack_file)
    return stack.gateway if stack is not None else ""


def stack_place(stack_file: str | None, name: str) -> tuple[str, str]:
    """Return what the stack file says of where a function is: its gateway and its namespace, empty for not at all.

    As `stack_gateway`.
    """
    stack = _read(stack_file)
    if stack is None:
        return "", ""
    entry = stack.entries.get(name)
    return stack.gateway, entry.text("namespace") if entry is not None else ""


def _read(stack_file: str | None) -> "Stack | None":
    try:
        return Selection(stack_file=stack_file).load()
    except DayflyError:
        if stack_file:
            raise
        return None


def yaml_option(command: F) -> F:
    """Add --yaml, for a command that takes only the gateway from it."""
    option = click.option(
        "-f",
        "--yaml",
        "stack_file",
        metavar="FILE|URL",
        help="The stack file.  [default: stack.yaml or stack.yml here]",
    )
    return option(command)


def envsubst_option(command: F) -> F:
    """Add --envsubst."""
    option = click.option(
        "--envsubst/--no-envsubst", default=True, show_default=True, help="Put variables into ${VAR} in the stack file."
    )
    return option(command)


def tag_option(command: F) -> F:
    """Add --tag."""
    option = click.option(
        "--tag",
        type=click.Choice(("latest", "sha", "branch", "describe", "digest"), case_sensitive=False),
        default="latest",
        show_default=True,
        help="What the image's tag says of the source.",
    )
    return option(command)


def stack_options(command: F) -> F:
    """Add the options whose values `Selection` takes."""
    for option in (
        envsubst_option,
        click.option("--regex", default="", metavar="REGEX", help="Only functions in whose name this is found."),
        click.option(
            "--filter", "glob", default="", metavar="GLOB", help="Only functions whose name matches; * is any text."
        ),
        yaml_option,
    ):
        command = option(command)
    return command
