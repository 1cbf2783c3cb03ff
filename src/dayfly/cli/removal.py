"""Removing several things of a kind, one after another."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress

if TYPE_CHECKING:
    from dayfly.client import Client


def remove_each(gateway: str, kind: str, names: Iterable[str], remove: "Callable[[Client, str], None]") -> None:
    """Remove each of the names, and say so. Raises what `remove` does; those before it are gone then."""
    with connect(gateway) as client:
        for name in names:
            with Progress(f"removing the {kind}"):
                remove(client, name)
            click.echo(f"{kind.capitalize()} removed: {name}")
