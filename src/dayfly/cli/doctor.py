"""`dayfly doctor`: what this machine gives to hold functions in their box, and what it lacks."""

from typing import TYPE_CHECKING, get_args

import click

from dayfly.cli.options import data_dir_option, output_option
from dayfly.cli.output import sheet, show
from dayfly.model.errors import InvalidRequest
from dayfly.model.sandbox import TIERS, Sandbox, Tier, is_enough

if TYPE_CHECKING:
    from pathlib import Path


@click.command("doctor")
@click.option(
    "--accept-tier",
    type=click.Choice(get_args(Tier)),
    help="Let functions run in this tier from now on, though it was better before.",
)
@data_dir_option
@output_option
def command(accept_tier: Tier | None, data_dir: str | None, output: str) -> None:
    """Show what holds functions in their box on this machine.

    Each layer of the sandbox is tried out, in processes that are thrown away. When a tier is lost after an upgrade, the
    functions stay stopped until the new one is accepted here; they start within a minute then.

    \b
    Examples:
      dayfly doctor
      dayfly doctor --accept-tier B
    """
    import os

    from dayfly.runtimes.jail.detect import detect
    from dayfly.runtimes.python import cells
    from dayfly.server import sandbox
    from dayfly.server.settings import data_dir as find

    folder = find(data_dir, os.environ)
    layers = detect(cells.refusal)
    if accept_tier is not None:
        _accept(folder, accept_tier, layers.tier)
    required = sandbox.required(folder) if folder.is_dir() else None
    found = Sandbox(tier=layers.tier, required=required or layers.tier, missing=tuple(layers.missing()))
    show(found, output, table=lambda: _table(found), names=lambda: [found.tier])


def _accept(folder: "Path", tier: Tier, found: Tier) -> None:
    from dayfly.server import sandbox

    if not folder.is_dir():
        raise InvalidRequest(f"There is no data folder {folder}: nothing was required yet.")
    if not is_enough(found, tier):
        raise InvalidRequest(f"This machine has tier {found}, so requiring {tier} would stop every function.")
    sandbox.accept(folder, tier)


def _table(found: Sandbox) -> str:
    fields = [("Tier", f"{found.tier}: {TIERS[found.tier]}"), ("Required", found.required)]
    if not found.is_enough:
        fields.append(("Functions", f"stopped; `dayfly doctor --accept-tier {found.tier}` lets them run"))
    return sheet([*fields, *(("Missing", text) for text in found.missing)])
