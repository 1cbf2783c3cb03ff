"""`dayfly logout`: forgets a saved login."""

import os

import click

from dayfly.cli.options import address_option
from dayfly.cli.terminal import warn
from dayfly.model.errors import NotFound


@click.command("logout")
@address_option
def command(gateway: str) -> None:
    """Forget the login for a gateway.

    \b
    Examples:
      dayfly logout --gateway https://faas.example.org
    """
    from dayfly.client.credentials import CredentialFile
    from dayfly.client.faas_cli_login import config_file
    from dayfly.client.gateway import choose_target

    url = choose_target(gateway).url
    is_removed = CredentialFile.default().remove(url)
    left = choose_target(url)
    theirs = f"faas-cli keeps one in {config_file(os.environ)}, which goes on to be used until `faas-cli logout`."
    has_theirs = left.credential is not None and left.credential.authorization.startswith("Basic")
    if not is_removed:
        raise NotFound(f"There is no login of ours for {url}.", hint=theirs if has_theirs else "")
    click.echo(f"credentials removed for {url}")
    if has_theirs:
        warn(theirs)
