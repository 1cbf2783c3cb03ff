"""`dayfly doctor`: what this machine gives to hold functions in their box and to run them, and what it lacks."""

from typing import TYPE_CHECKING, get_args

import click

from dayfly.cli.options import data_dir_option, output_option
from dayfly.cli.output import sheet, show
from dayfly.model.engine import EngineState
from dayfly.model.errors import InvalidRequest, NotSupported
from dayfly.model.sandbox import TIERS, Sandbox, Tier, is_enough

if TYPE_CHECKING:
    from pathlib import Path


class Found(Sandbox, frozen=True, kw_only=True):
    """What this machine gives."""

    engine: EngineState
    node: str
    """Which Node.js there is, or why none."""
    queue: str
    """Which nats-server keeps queued calls, or why none."""


@click.command("doctor")
@click.option(
    "--accept-tier",
    type=click.Choice(get_args(Tier)),
    help="Let functions run in this tier from now on, though it was better before.",
)
@click.option("--kubernetes", is_flag=True, help="Look at the installation in a cluster instead, by your own kubectl.")
@click.option("-n", "--namespace", default="dayfly", metavar="NAME", help="Where that is.  [default: dayfly]")
@click.option("--context", default="", metavar="NAME", help="kubectl's context.  [default: its own]")
@data_dir_option
@output_option
def command(
    accept_tier: Tier | None, kubernetes: bool, namespace: str, context: str, data_dir: str | None, output: str
) -> None:
    """Show what holds functions in their box on this machine, and which Node.js runs those in Node.

    And whether there is a container engine, which functions that are images run on, and a nats-server, which keeps
    queued calls. Each layer of the sandbox is tried out, in processes that are thrown away. When a tier is lost after
    an upgrade, the functions stay stopped until the new one is accepted here; they start within a minute then.

    With --kubernetes it looks at a cluster: its version, our kinds, each part, rights, the certificate, and APIs that
    will go. It ends with 1 when something there is bad.

    \b
    Examples:
      dayfly doctor
      dayfly doctor --kubernetes
      dayfly doctor --accept-tier B
    """
    import os

    if kubernetes:
        _examine(namespace, context, output)
        return

    from dayfly.runtimes.jail.detect import detect
    from dayfly.runtimes.python import cells
    from dayfly.server import sandbox
    from dayfly.server.engine import look_for_engine
    from dayfly.server.settings import data_dir as find

    folder = find(data_dir, os.environ)
    layers = detect(cells.refusal)
    if accept_tier is not None:
        _accept(folder, accept_tier, layers.tier)
    required = sandbox.required(folder) if folder.is_dir() else None
    found = Found(
        tier=layers.tier,
        required=required or layers.tier,
        missing=tuple(layers.missing()),
        engine=look_for_engine(os.environ),
        node=_node(),
        queue=_queue(),
    )
    show(found, output, table=lambda: _table(found), names=lambda: [found.tier])


def _examine(namespace: str, context: str, output: str) -> None:
    from dayfly.server.cluster.install import removing
    from dayfly.server.cluster.install.examining import examine
    from dayfly.server.cluster.install.kubectl import Kubectl

    kubectl = Kubectl.find(context)
    found = examine(kubectl, namespace, removing.look(kubectl, namespace).pods)
    lines = [(finding.part, f"{finding.mark}: {finding.text}") for finding in found]
    bad = [finding.part for finding in found if finding.mark == "bad"]
    show(found, output, table=lambda: sheet(lines), names=lambda: bad)
    if bad:
        raise click.exceptions.Exit(1)


def _accept(folder: "Path", tier: Tier, found: Tier) -> None:
    from dayfly.server import sandbox

    if not folder.is_dir():
        raise InvalidRequest(f"There is no data folder {folder}: nothing was required yet.")
    if not is_enough(found, tier):
        raise InvalidRequest(f"This machine has tier {found}, so requiring {tier} would stop every function.")
    sandbox.accept(folder, tier)


def _node() -> str:
    import asyncio

    from dayfly.build.node import Nodes

    try:
        node = asyncio.run(Nodes().find())
    except NotSupported as error:
        return f"{error.message} {error.hint}"
    return f"{node.version} at {node.path}"


def _queue() -> str:
    import os

    from dayfly.queue.binary import find_server

    server = find_server(os.environ)
    return f"nats-server {server.version} at {server.path}" if server.path else f"<none>: {server.missing}"


def _table(found: Found) -> str:
    fields = [("Tier", f"{found.tier}: {TIERS[found.tier]}"), ("Required", found.required)]
    if not found.is_enough:
        fields.append(("Functions", f"stopped; `dayfly doctor --accept-tier {found.tier}` lets them run"))
    fields += [("Missing", text) for text in found.missing]
    fields.append(("Node.js", found.node))
    fields.append(("Queue", found.queue))
    engine = found.engine.engine
    if engine is None:
        return sheet([*fields, ("Container Engine", f"<none>: {found.engine.reason}")])
    rootless = ", rootless" if engine.rootless else ""
    fields.append(("Container Engine", f"{engine.name} {engine.version} at {engine.socket}{rootless}"))
    return sheet([*fields, *(("Missing", text) for text in engine.missing)])
