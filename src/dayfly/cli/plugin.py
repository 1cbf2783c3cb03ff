"""`dayfly plugin`: the programs of one's own that are commands here too."""

import os

import click

from dayfly.cli.group import Group
from dayfly.cli.output import columns
from dayfly.cli.plugins import folders, plugins
from dayfly.cli.terminal import for_stdout, warn
from dayfly.model.errors import NotSupported


@click.group("plugin", cls=Group)
def command() -> None:
    """List the plugins, programs of your own that are commands here too.

    `dayfly NAME …` runs the program NAME of ~/.dayfly/plugins, or of ~/.openfaas/plugins, where faas-cli keeps its own.

    \b
    Examples:
      dayfly plugin list
      install -D greet ~/.dayfly/plugins/greet && dayfly greet
    """


@command.command("list")
def list_() -> None:
    """List the plugins.

    \b
    Examples:
      dayfly plugin list
    """
    found = plugins(os.environ)
    if not found:
        warn(f"No plugins are in {' or '.join(map(str, folders(os.environ)))}.")
        return
    click.echo(for_stdout(columns([["NAME", "PATH"], *([name, str(path)] for name, path in found.items())], (20, 5))))


@command.command("get")
@click.argument("name")
@click.option("--registry", default="ghcr.io/openfaasltd", show_default=True, metavar="NAME", help="Where it is.")
@click.option("--version", default="latest", show_default=True, metavar="TAG", help="Which one.")
@click.option("--arch", default="", metavar="NAME", help="The processor it is for.")
@click.option("--os", "system", default="", metavar="NAME", help="The system it is for.")
@click.option("--path", default="", metavar="DIR", help="Where it is to go.")
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
def get(name: str, registry: str, version: str, arch: str, system: str, path: str, verbose: bool) -> None:
    """Say how to get a plugin from a registry; this version does not fetch programs itself.

    Those that faas-cli fetches from ghcr.io/openfaasltd are closed programs for OpenFaaS's paid editions: what `pro`
    adds (logging in by OpenID Connect) has nothing to talk to here.

    \b
    Examples:
      dayfly plugin get greet --registry registry.example.org/plugins
    """
    del arch, system, verbose
    folder = path or folders(os.environ)[0]
    raise NotSupported(
        f"Plugins are not fetched from a registry: {registry}/{name}:{version} would be a program run as you.",
        hint=f"Get it by a way you trust, and put the program into {folder}.",
    )
