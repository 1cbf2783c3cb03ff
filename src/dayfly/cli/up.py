"""`dayfly up`: build, push and deploy in one, with the options of all three.

Code needs no image to be deployed here. So images are built and pushed only for functions whose image names a place to
push it to (`REGISTRY/NAME` or `ACCOUNT/NAME`), and for none with --skip-push. What a builder elsewhere has built is
deployed by its image's name.
"""

from collections.abc import Iterable, Iterator
from copy import copy
from importlib import import_module
from typing import Any

import click
from click.core import ParameterSource

from dayfly.cli.main import COMMANDS
from dayfly.cli.selection import Selection
from dayfly.model.errors import InvalidRequest, NotSupported


def _part(name: str) -> click.Command | None:
    if name not in COMMANDS:
        return None
    command: click.Command = import_module(f"dayfly.cli.{name}").command
    return command


def _apart(params: Iterable[click.Parameter]) -> Iterator[click.Parameter]:
    """Yield the options with each spelling left to the first that has it, and without those that have none left.

    `-o` is an option of the template here, as with faas-cli.
    """
    taken: dict[str, str | None] = {"-o": "build_option"}
    for param in params:
        kept = copy(param)
        kept.opts = [opt for opt in param.opts if taken.setdefault(opt, param.name) == param.name]
        if kept.opts:
            yield kept


class _Up(click.Command):
    """Takes what its parts take; of options that several have the first one's words are shown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        parts = [part for part in map(_part, ("deploy", "build", "push", "publish")) if part is not None]
        own = {param.name for param in self.params}
        shared: dict[str | None, click.Parameter] = {}
        for param in (param for part in parts for param in part.params if param.name not in own):
            shared.setdefault(param.name, param)
        self.params += _apart(shared.values())


@click.command("up", cls=_Up)
@click.option("--skip-push", is_flag=True, help="Build and push no images.")
@click.option("--skip-deploy", is_flag=True, help="Deploy nothing.")
@click.option("--publish", "is_published", is_flag=True, help="Publish for --platforms instead of build and push.")
@click.option("--watch", is_flag=True, help="Deploy again whenever something is saved, until Ctrl-C.")
@click.pass_context
def command(
    context: click.Context, /, skip_push: bool, skip_deploy: bool, is_published: bool, watch: bool, **given: Any
) -> None:
    """Build, push and deploy functions.

    Images are built and pushed for functions whose image names a registry or an account; the others are deployed as
    code, which needs neither an image nor a registry.

    \b
    Examples:
      dayfly up
      dayfly up -f stack.yaml --filter 'mail-*' --skip-push
      dayfly up --watch
      dayfly up --publish --remote-builder https://builder.example.com --payload-secret payload-secret
    """
    if watch:
        _watch(context, given)
        return
    is_typed = context.get_parameter_source("remote_builder") is ParameterSource.COMMANDLINE
    if is_published or is_typed:
        given["by_image"] |= bool(given.get("remote_builder")) and not given["shrinkwrap"]
        _run(context, "publish", given)
    elif not skip_push and _can_push():
        image = given.get("image") or ""
        names = ("stack_file", "glob", "regex", "envsubst", "tag")
        images = [image] if image else _images(Selection(**{name: given[name] for name in names}), given["name"])
        if any("/" in image for image in images):
            _run(context, "build", given)
            _run(context, "push", given)
        elif skip_deploy:
            _run(context, "build", given)
    elif skip_deploy:
        _run(context, "build", given)
    if not skip_deploy:
        _run(context, "deploy", given)


def _can_push() -> bool:
    return {"build", "push"} <= COMMANDS.keys()


def _images(selection: Selection, name: str) -> list[str]:
    """The images of the functions that have code here."""
    stack = selection.load()
    found = selection.functions(stack, name) if stack is not None else []
    return [one.spec.image for one in found if not one.has_image]


def _run(context: click.Context, name: str, given: dict[str, Any]) -> None:
    """Let a part do its work with its own options. Raises NotSupported for one that this version lacks."""
    part = _part(name)
    if part is None:
        raise NotSupported(f"This version has no `dayfly {name}`.", hint="--skip-push deploys without an image.")
    # With `up`, --output says how the deployment is printed.
    names = {str(param.name) for param in part.params} - ({"output"} if name != "deploy" else set())
    context.invoke(part, **{each: given[each] for each in names if each in given})


def _watch(context: click.Context, given: dict[str, Any]) -> None:
    """Raises InvalidRequest for what is not written in a stack file."""
    from dayfly.cli.dev import command as dev

    if given.get("handler") or given.get("image"):
        raise InvalidRequest("--watch is about the functions of a stack file.", hint="`dayfly dev DIR` takes a folder.")
    named = {name: given[name] for name in ("stack_file", "envsubst", "env", "namespace", "gateway") if name in given}
    context.invoke(dev, targets=(given["name"],) if given.get("name") else (), has_triggers=True, **named)
