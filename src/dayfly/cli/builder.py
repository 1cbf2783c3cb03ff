"""`dayfly builder`: what `faas-cli --remote-builder` needs to have functions built here."""

import click

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option
from dayfly.cli.session import connect


@click.group("builder", cls=Group)
def command() -> None:
    """Let faas-cli have functions built by the platform.

    The sources that faas-cli sends are signed with a namespace's secret; what is built of them is for that namespace.

    \b
    Examples:
      dayfly builder secret > payload-secret
      faas-cli up --publish --remote-builder http://127.0.0.1:8080 --payload-secret payload-secret
    """


@command.command("secret")
@namespace_option
@gateway_option
def secret(namespace: str, gateway: str) -> None:
    """Print a namespace's secret for signing sources.

    Who has it may say what an image's name means to the namespace. It takes the role admin to see it.

    \b
    Examples:
      dayfly builder secret --namespace team-a > payload-secret
    """
    with connect(gateway) as client:
        click.echo(client.builder_secret(namespace).secret)
