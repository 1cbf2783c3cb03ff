"""`dayfly login`: tries a name and a password at a gateway, and keeps them when they are right."""

import sys

import click

from dayfly.cli.options import gateway_option
from dayfly.cli.session import EXPOSED, current_session
from dayfly.cli.terminal import neutralise, warn
from dayfly.model.errors import InvalidRequest, Unauthenticated
from dayfly.model.quantities import parse_duration


@click.command("login")
@gateway_option
@click.option("-u", "--username", default="admin", show_default=True, help="The account's name.")
@click.option("-p", "--password", help="Its password. Others on this machine may see it; better use standard input.")
@click.option("-s", "--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--timeout", default="5s", show_default=True, metavar="SPAN", help="How long to wait for the gateway.")
def command(gateway: str, username: str, password: str | None, password_stdin: bool, timeout: str) -> None:
    """Save a login for a gateway.

    The account that started the platform on this machine needs none. Logins are kept, readable only by you, in
    ~/.config/dayfly/credentials.json.

    \b
    Examples:
      dayfly login --gateway https://faas.example.org
      cat password.txt | dayfly login -g https://faas.example.org --password-stdin
    """
    from dayfly.client.blocking import Client
    from dayfly.client.credentials import Credential, CredentialFile
    from dayfly.client.gateway import Target, choose_target

    secret = _password(password, from_stdin=password_stdin)
    url = choose_target(gateway).url
    target = Target(url, Credential.basic(username, secret))
    if target.is_exposed:
        warn(EXPOSED)
    warn("Calling the gateway to validate the credentials...")
    with Client(target=target, timeout_s=parse_duration(timeout), transport=current_session().transport) as client:
        try:
            client.info()
        except Unauthenticated as error:
            raise Unauthenticated("Unable to login, either username or password is incorrect.") from error
    CredentialFile.default().save(url, username, secret)
    click.echo(f"credentials saved for {neutralise(username)} {url}")


def _password(given: str | None, *, from_stdin: bool) -> str:
    if given is not None and from_stdin:
        raise InvalidRequest("Use --password or --password-stdin, not both.")
    if given is not None:
        warn("WARNING! Using --password is insecure, consider using: cat password.txt | dayfly login --password-stdin")
        secret = given
    elif from_stdin:
        secret = sys.stdin.read().strip()
    elif sys.stdin.isatty():
        secret = click.prompt("Password", hide_input=True, err=True)
    else:
        raise InvalidRequest("There is no terminal to ask for the password on.", hint="Use --password-stdin.")
    if not secret:
        raise InvalidRequest("The password must not be empty.")
    return secret
