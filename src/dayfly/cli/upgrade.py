"""`dayfly upgrade`: this version takes over from the one that runs, and the way back for the state."""

import click

from dayfly.cli.options import data_dir_option


@click.command("upgrade")
@data_dir_option
@click.option("--again", is_flag=True, help="Replace every process even if this version runs already.")
@click.option(
    "--back-to", metavar="VERSION", help="Bring a stopped platform's state back to this version's layout, and no more."
)
def command(data_dir: str | None, again: bool, back_to: str | None) -> None:
    """Take over from the version that runs.

    Install the new version first, in place or in another environment, and give this command with it. No call fails
    meanwhile. If the new version does not come up, the one before takes over again.

    An older version takes over in the same way. When nothing runs, --back-to prepares the state for it: give it with
    the newer version, which alone knows the way back.

    \b
    Examples:
      pip install -U dayfly && dayfly upgrade
      /opt/dayfly-0.1/bin/dayfly upgrade
      dayfly stop && dayfly upgrade --back-to 0.1.0
    """
    from dayfly.cli.terminal import Progress
    from dayfly.server import upgrade

    if back_to is not None:
        click.echo(upgrade.back_to(back_to, data_dir))
        return
    with Progress("Changing the version") as progress:

        def say(text: str) -> None:
            progress.clear()
            click.echo(text)

        done = upgrade.upgrade(data_dir, again=again, say=say)
        progress.clear()
    click.echo(done)
