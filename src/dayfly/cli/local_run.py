"""`dayfly local-run`: one function at a port of this machine, until Ctrl-C.

Code runs in the sandbox of a private platform, as with `dayfly dev`, and needs no container engine. An image is run by
the engine that is here.
"""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
import msgspec

from dayfly.cli.changes import Changes
from dayfly.cli.dev import as_ctrl_c
from dayfly.cli.options import Pair, Written
from dayfly.cli.selection import envsubst_option, tag_option, yaml_option
from dayfly.cli.sources import Sources, Wanted, only
from dayfly.cli.terminal import Progress
from dayfly.model.errors import FunctionFailed, Unavailable

if TYPE_CHECKING:
    from dayfly.cli.loop.screen import Screen
    from dayfly.client.gateway import Target
    from dayfly.client.stack_function import StackFunction


@click.command("local-run")
@click.argument("target", default="", type=Written(), metavar="[NAME|FOLDER]")
@yaml_option
@envsubst_option
@tag_option
@click.option("--lang", default="", metavar="LANG", help="The language of a folder that no stack file knows.")
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 is any free one.")
@click.option("-e", "--env", type=Pair(), multiple=True, help="An environment variable; may be repeated.")
@click.option("--network", default="", metavar="NAME", help="Images: a network of the container engine.")
@click.option("--print", "is_printed", is_flag=True, help="Print the container engine's command instead of running it.")
@click.option("--build/--no-build", default=True, show_default=True, help="Images: build it first.")
@click.option("--watch", is_flag=True, help="Deploy it again whenever it is saved.")
def command(
    target: str,
    tag: str,
    port: int,
    env: tuple[tuple[str, str], ...],
    network: str,
    is_printed: bool,
    build: bool,
    watch: bool,
    **given: Any,
) -> None:
    """Run a function at a port of this machine.

    Code runs in a platform of its own, in its box and without a container engine; an image takes Docker or Podman. It
    listens on 127.0.0.1 alone. Secrets are read from .secrets/NAME. Ctrl-C ends it.

    \b
    Examples:
      dayfly local-run hello
      dayfly local-run hello --port 0 --env STAGE=test --watch
      dayfly local-run figlet --print
    """
    from dayfly.client.image_tag import tagged

    wanted = msgspec.convert({**given, "targets": (target,) if target else ()}, Wanted)

    def find(_: str = "") -> Sources:
        found = wanted.find()
        one = only(found.functions)
        named = (("OPENFAAS_NAME", one.spec.name), ("OPENFAAS_NAMESPACE", one.spec.namespace))
        spec = Changes(env=(*named, *env)).apply(one.spec, "")
        spec.check()
        return msgspec.structs.replace(found, functions=(msgspec.structs.replace(one, spec=spec),))

    one = only(find().functions)
    one = one.with_image(tagged(one.spec.image, tag, one.folder))
    if is_printed or one.spec.runtime == "image":
        _run_image(one, port, network, is_printed=is_printed, is_built=build)
    else:
        _run_code(find, port, watches=watch)


def _run_image(one: "StackFunction", port: int, network: str, *, is_printed: bool, is_built: bool) -> None:
    from dayfly.cli.engine_run import engine_argv, name_of, shown
    from dayfly.client.building import build
    from dayfly.client.images import find_engine

    engine = find_engine() or "docker"
    argv = engine_argv(engine, one, port, network, Path.cwd())
    if is_printed:
        click.echo(shown(argv))
        return
    if is_built and not one.has_image:
        with Progress() as progress:
            build(one.source, one.spec.image, lambda what: progress.show(f"{one.spec.name}: {what}"))
    click.echo(f"Image: {one.spec.image}\nStarting local-run for: {one.spec.name} on: http://127.0.0.1:{port}\n")
    try:
        # One of ours that outlived its command, for whatever reason, has the name.
        subprocess.run((engine, "rm", "--force", name_of(one)), capture_output=True, check=False)
        code = subprocess.run(argv, check=False).returncode
    except OSError as error:
        raise Unavailable(f"{engine} cannot be run: {error.strerror}.") from error
    if code:
        raise FunctionFailed(f"The container of {one.spec.name} ended with exit code {code}.")


def _run_code(find: Callable[..., Sources], port: int, *, watches: bool) -> None:
    from dayfly.cli.loop.platform import PrivatePlatform
    from dayfly.cli.loop.screen import Screen

    with as_ctrl_c(signal.SIGTERM, signal.SIGHUP), Progress() as progress, contextlib.ExitStack() as stack:
        screen = Screen(progress)
        progress.show("starting a private platform")
        platform = stack.enter_context(PrivatePlatform(port=0))
        progress.clear()
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(find, platform.target, screen, port, watches=watches))
        screen.say("\nThe private platform ends, and its function with it.")


async def _serve(find: Callable[..., Sources], target: "Target", screen: "Screen", port: int, *, watches: bool) -> None:
    from dayfly.cli.loop.front import front
    from dayfly.cli.loop.session import Writing
    from dayfly.client.asynchronous import AsyncClient

    spec = only(find().functions).spec
    gateway = urlsplit(target.url)
    place = gateway.hostname or "", gateway.port or 80
    async with contextlib.AsyncExitStack() as stack:
        try:
            bound = await stack.enter_async_context(
                front(port, place, f"/function/{spec.key.name}.{spec.key.namespace}")
            )
        except OSError as error:
            hint = "Name another with --port; 0 is any free one."
            raise Unavailable(f"Port {port} of this machine cannot be used: {error.strerror}.", hint=hint) from error
        client = await stack.enter_async_context(AsyncClient(target=target))
        screen.say(f"Starting local-run for: {spec.name} on: http://127.0.0.1:{bound}\n")
        await Writing(find, client, screen, stays=False, watches=watches).run()
