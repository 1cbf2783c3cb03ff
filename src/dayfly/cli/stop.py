"""`dayfly stop`: ends the platform on this machine, calls in flight first."""

import click

from dayfly.cli.options import data_dir_option
from dayfly.cli.terminal import Progress
from dayfly.model.errors import NotFound


@click.command("stop")
@data_dir_option
def command(data_dir: str | None) -> None:
    """Stop the platform on this machine.

    Calls in flight may finish; functions and their settings are there again at the next start.

    \b
    Examples:
      dayfly stop
      dayfly stop --data-dir /srv/dayfly
    """
    from dayfly.server.commands import stop

    with Progress("waiting for calls in flight"):
        stopped = stop(data_dir)
    if not stopped:
        raise NotFound("No platform runs on this data folder.")
    click.echo("Stopped.")
