"""Where `dayfly deploy` takes its functions from: a stack file, a folder, or an image."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from dayfly.cli.selection import Selection, stack_options, tag_option
from dayfly.cli.terminal import warn
from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.client.stack_function import StackFunction

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    stack_options,
    tag_option,
    click.option("--handler", metavar="DIR", help="The folder of the function's code, instead of a stack file."),
    click.option("--lang", default="", metavar="LANG", help="The language, as in a stack file.  [default: python]"),
    click.option(
        "--entrypoint", default="", metavar="MODULE[:NAME]", help="The handler in the folder.  [default: handler]"
    ),
    click.option("--name", "named", default="", help="The same as NAME, as faas-cli has it."),
    click.option("--image", default="", help="The image to run; with --handler the name that OpenFaaS's tools show."),
    click.option(
        "--read-template/--no-read-template",
        default=True,
        show_default=True,
        help="Take an image's process from its template, where the stack file has none.",
    ),
    click.option("--by-image", is_flag=True, help="Deploy the images that functions name, not the code that is here."),
    click.option("--skip-missing", is_flag=True, help="Leave out functions whose language this machine lacks."),
)


class Source(Selection, frozen=True, kw_only=True):
    """What was typed."""

    name: str
    named: str
    handler: str | None
    lang: str
    entrypoint: str
    image: str
    read_template: bool
    by_image: bool
    skip_missing: bool

    @property
    def is_one(self) -> bool:
        """Whether it is about one function that no stack file speaks of."""
        return bool(self.handler or self.image)

    def find(self) -> "tuple[str, list[StackFunction]]":
        """Return the stack's gateway and the functions that are meant.

        Raises InvalidRequest for what does not go together or is not there, InvalidSpec for what cannot be deployed.
        """
        source = _named(self)
        gateway, functions = _functions(source)
        if source.by_image:
            functions = [_by_image(one, source.tag) for one in functions]
        if source.skip_missing:
            functions = _possible(functions)
        return gateway, functions if source.read_template else [_unread(one) for one in functions]


def source_options(command: F) -> F:
    """Add the options whose values `Source` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _named(source: Source) -> Source:
    if source.name and source.named not in ("", source.name):
        raise InvalidRequest(f"NAME is {source.name} and --name {source.named}; give one of them.")
    return msgspec.structs.replace(source, name=source.name or source.named)


def _functions(source: Source) -> "tuple[str, list[StackFunction]]":
    """The stack's gateway and the functions that are meant."""
    from dayfly.client.image_tag import tagged
    from dayfly.client.stack_function import function_in, image_function

    if source.handler is not None:
        if not source.name or source.stack_file:
            raise InvalidRequest("--handler deploys one function: give its NAME, and no stack file.")
        one = function_in(
            Path(source.handler),
            source.name,
            lang=source.lang,
            entrypoint=source.entrypoint,
            image=tagged(source.image, source.tag, Path(source.handler)),
        )
        return "", [one]
    if source.image and source.name and not source.stack_file:
        return "", [image_function(source.name, source.image)]
    for option, value in (("--lang", source.lang), ("--entrypoint", source.entrypoint), ("--image", source.image)):
        if value:
            raise InvalidRequest(f"{option} goes with a NAME of one function; a stack file says it for each.")
    stack = source.load()
    if stack is None:
        hint = "Name one with -f, deploy a folder with --handler DIR, or begin with `dayfly new hello`."
        raise InvalidRequest("There is no stack.yaml in this folder.", hint=hint)
    return stack.gateway, source.functions(stack, source.name)


def _possible(functions: "list[StackFunction]") -> "list[StackFunction]":
    """Those whose language is here; of the others it is told what they need."""
    from dayfly.client.building import is_there

    found = [one for one in functions if is_there(one.template)]
    for one in functions:
        if one not in found:
            warn(f"{one.spec.name} is left out: it needs {one.template.needs}.")
    return found


def _by_image(one: "StackFunction", tag: str) -> "StackFunction":
    """The same function as what its image holds, whose name is the one that `dayfly build` gives it."""
    from dayfly.client.image_tag import tagged
    from dayfly.client.templates import plain_template
    from dayfly.model.function import FunctionSpec

    spec = one.spec
    if not one.has_image and spec.runtime != "image":
        plain = FunctionSpec(name=spec.name)
        # What the code is called by is the image's to say; a process that the author names counts.
        process = spec.process if spec.process != one.template.process else ""
        spec = msgspec.structs.replace(
            spec, runtime="image", lang="image", dialect=plain.dialect, handler=plain.handler, process=process,
            image=spec.image or tagged(f"{spec.name}:latest", tag, one.folder),
        )  # fmt: skip
    return msgspec.structs.replace(one, spec=spec, template=plain_template("image"), has_image=True)


def _unread(one: "StackFunction") -> "StackFunction":
    """The same function without a process that only its template names; code without an image has to have one."""
    if one.spec.runtime != "image" or one.spec.process != one.template.process:
        return one
    return msgspec.structs.replace(one, spec=msgspec.structs.replace(one.spec, process=""))
