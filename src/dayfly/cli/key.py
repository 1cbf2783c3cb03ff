"""`dayfly key`: the keys that images are signed with."""

from pathlib import Path

import click

from dayfly.cli.group import Group
from dayfly.cli.terminal import warn

_FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group("key", cls=Group)
def command() -> None:
    """Make and show keys that images are signed with.

    \b
    Examples:
      dayfly key generate release.key
      dayfly deploy hello --image registry.example.com/team/hello:1 --verify-key release.key.pub
    """


@command.command("generate")
@_FILE
def generate(file: Path) -> None:
    """Make a key: FILE for whoever signs, FILE.pub for whoever checks.

    FILE is for its owner alone and is never overwritten.

    \b
    Examples:
      dayfly key generate release.key
    """
    from dayfly.oci.signing_key import generate as make
    from dayfly.oci.signing_key import public_path

    made = make(file)
    click.echo(made.public.pem, nl=False)
    warn(f"Key {made.public.name}: {file} signs, {public_path(file)} checks.")


@command.command("show")
@_FILE
def show(file: Path) -> None:
    """Print the public half of the key in FILE, whichever half that is.

    \b
    Examples:
      dayfly key show release.key > release.key.pub
    """
    from dayfly.model.errors import ConfigError
    from dayfly.oci.signing_key import load_signing_key, load_verify_key

    try:
        public = load_verify_key(file)
    except ConfigError:
        public = load_signing_key(file).public
    click.echo(public.pem, nl=False)
    warn(f"Key {public.name}.")
