"""`dayfly dev`: write a function and see every save at work."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dayfly.cli.changes import Changes
from dayfly.cli.options import Pair, Written, gateway_option, namespace_option
from dayfly.cli.selection import envsubst_option, yaml_option
from dayfly.cli.session import current_session
from dayfly.cli.sources import Sources, Wanted, only
from dayfly.cli.terminal import Progress
from dayfly.model.errors import NotSupported

if TYPE_CHECKING:
    from dayfly.cli.loop.debugging import Adapter
    from dayfly.cli.loop.screen import Screen
    from dayfly.client.gateway import Target

DEBUG_PORT = 5678


@click.command("dev")
@click.argument("targets", nargs=-1, type=Written(), metavar="[NAME|FOLDER]...")
@yaml_option
@envsubst_option
@click.option("--lang", default="", metavar="LANG", help="The language of a folder that no stack file knows.")
@click.option("--entrypoint", default="", metavar="MODULE[:NAME]", help="The handler in such a folder.")
@click.option("-e", "--env", type=Pair(), multiple=True, help="An environment variable; may be repeated.")
@click.option("--debug", is_flag=True, help="Let an editor stop the function; needs dayfly[debug].")
@click.option(
    "--debug-port",
    type=click.IntRange(1, 65535),
    default=DEBUG_PORT,
    show_default=True,
    help="Where the editor connects.",
)
@namespace_option
@gateway_option
def command(
    env: tuple[tuple[str, str], ...], debug: bool, debug_port: int, namespace: str, gateway: str,
    has_triggers: bool = False, **given: Any
) -> None:  # fmt: skip
    """Deploy functions again whenever they are saved.

    With no argument, the functions of stack.yaml in this folder, or the function in this folder; else those named, or
    those in the folders named. What they print is shown as it comes, an exception's traceback is in the answer too, and
    a revision that does not start leaves the one before it at work. Ctrl-C ends it.

    Without a platform that runs here or a gateway named, a private one is started and removed in the end; it gets the
    functions' secrets from .secrets/NAME. On another platform the functions stay deployed, without tracebacks in their
    answers.

    \b
    Examples:
      dayfly dev
      dayfly dev ./hello
      dayfly dev hello --debug
    """
    from dayfly.cli.loop.platform import PrivatePlatform
    from dayfly.cli.loop.screen import Screen
    from dayfly.client.gateway import find_target

    wanted = msgspec.convert(given, Wanted)
    changes = Changes(env=env)
    adapter = _adapter(debug_port) if debug else None

    def find(own: str = "") -> Sources:
        found, functions = wanted.find(), []
        for one in found.functions:
            spec = changes.apply(one.spec, namespace or one.namespace or own)
            spec.check()
            functions.append(msgspec.structs.replace(one, spec=spec))
        if debug and only(functions).spec.runtime != "python":
            raise NotSupported(f"--debug is for Python functions; {functions[0].spec.name} is none.")
        return msgspec.structs.replace(found, functions=tuple(functions))

    with as_ctrl_c(signal.SIGTERM, signal.SIGHUP), Progress() as progress, contextlib.ExitStack() as stack:
        screen = Screen(progress)
        target = find_target(gateway, stack=find().gateway)
        target = current_session().prepare(target) if target is not None else None
        stays = target is not None
        if debug and target is not None and not target.is_loopback:
            raise NotSupported(f"--debug needs a platform on this machine, which {target.url} is not.")
        if target is None:
            progress.show("starting a private platform")
            target = stack.enter_context(PrivatePlatform()).target
            progress.clear()
        if adapter is not None:
            stack.callback(adapter.stop)
        screen.say(_greeting(target, stays=stays, adapter=adapter))
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(
                _write(
                    partial(find, target.own_namespace), target, screen, adapter, stays=stays, has_triggers=has_triggers
                )
            )
        screen.say("" if stays else "\nThe private platform ends, and its functions with it.")


def _adapter(port: int) -> "Adapter":
    from dayfly.cli.loop.debugging import Adapter

    return Adapter(port)


def _greeting(target: "Target", *, stays: bool, adapter: "Adapter | None") -> str:
    where = f"Writing on the platform at {target.url}" if stays else f"A private platform serves at {target.url}"
    debugger = f"\nAn editor can attach to 127.0.0.1:{adapter.port} (debugpy)." if adapter is not None else ""
    return f"{where}. Ctrl-C ends it.{debugger}"


async def _write(
    find: Callable[[], Sources], target: "Target", screen: "Screen", adapter: "Adapter | None", *, stays: bool,
    has_triggers: bool
) -> None:  # fmt: skip
    from dayfly.cli.loop.session import Writing
    from dayfly.client.asynchronous import AsyncClient

    async with AsyncClient(target=target, transport=current_session().async_transport) as client:
        await Writing(find, client, screen, stays=stays, adapter=adapter, has_triggers=has_triggers).run()


@contextlib.contextmanager
def as_ctrl_c(*numbers: signal.Signals) -> Iterator[None]:
    """Take these signals for Ctrl-C, so that whoever ends us leaves nothing behind."""
    # A shell that starts us in the background has Ctrl-C ignored, which the others must not be.
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    before |= {number: signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
