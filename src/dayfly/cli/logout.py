"""`dayfly logout`: forgets a saved login."""

import click

from dayfly.cli.options import gateway_option
from dayfly.model.errors import NotFound


@click.command("logout")
@gateway_option
def command(gateway: str) -> None:
    """Forget the login for a gateway.

    \b
    Examples:
      dayfly logout --gateway https://faas.example.org
    """
    from dayfly.client.credentials import CredentialFile
    from dayfly.client.gateway import choose_target

    url = choose_target(gateway).url
    if not CredentialFile.default().remove(url):
        raise NotFound(f"There is no login for {url}.")
    click.echo(f"credentials removed for {url}")
