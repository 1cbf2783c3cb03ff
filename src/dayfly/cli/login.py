"""`dayfly login`: tries a name and a password, or a token, at a gateway, and keeps them when they are right."""

import click

from dayfly.cli.options import address_option
from dayfly.cli.password import read_password
from dayfly.cli.session import current_session
from dayfly.cli.terminal import neutralise, warn
from dayfly.model.errors import InvalidRequest, Unauthenticated
from dayfly.model.quantities import parse_duration

_ANY_NAME = "token"
"""What a token is kept under: it goes in a password's place, and the name beside it counts for nothing."""


@click.command("login")
@address_option
@click.option("-u", "--username", default="admin", show_default=True, help="The account's name.")
@click.option("-p", "--password", help="Its password. Others on this machine may see it; better use standard input.")
@click.option("-s", "--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--token", help="A token instead. Others on this machine may see it; better use standard input.")
@click.option("--token-stdin", is_flag=True, help="Read the token from standard input.")
@click.option("--timeout", default="5s", show_default=True, metavar="SPAN", help="How long to wait for the gateway.")
def command(
    gateway: str,
    username: str,
    password: str | None,
    password_stdin: bool,
    token: str | None,
    token_stdin: bool,
    timeout: str,
) -> None:
    """Save a login for a gateway.

    The account that started the platform on this machine needs none. Logins are kept, readable only by you, in
    ~/.config/dayfly/credentials.json. With one that is for a single namespace, that is the one which commands mean
    where none is named.

    \b
    Examples:
      dayfly login --gateway https://faas.example.org
      cat password.txt | dayfly login -g https://faas.example.org --password-stdin
      cat token.txt | dayfly login -g https://faas.example.org --token-stdin
    """
    from dayfly.client.blocking import Client
    from dayfly.client.credentials import Credential, CredentialFile
    from dayfly.client.gateway import Target, choose_target

    if sum((password is not None, password_stdin, token is not None, token_stdin)) > 1:
        raise InvalidRequest("Use one of --password, --password-stdin, --token and --token-stdin.")
    has_token = token is not None or token_stdin
    name, what = (_ANY_NAME, "token") if has_token else (username, "password")
    exposed = f"WARNING! Using --{what} is insecure, consider using: cat {what}.txt | dayfly login --{what}-stdin"
    secret = read_password(
        token if has_token else password, from_stdin=token_stdin or password_stdin, exposed=exposed, what=what
    )
    url = choose_target(gateway).url
    target = current_session().prepare(Target(url, Credential.basic(name, secret)))
    warn("Calling the gateway to validate the credentials...")
    with Client(target=target, timeout_s=parse_duration(timeout), transport=current_session().transport) as client:
        try:
            caller = client.info().caller
        except Unauthenticated as error:
            wrong = "the token is not, or no longer, good" if has_token else "either username or password is incorrect"
            raise Unauthenticated(f"Unable to login, {wrong}.") from error
    namespace = (caller.namespace if caller is not None else None) or ""
    CredentialFile.default().save(url, name, secret, namespace=namespace)
    who = caller.name if has_token and caller is not None else name
    click.echo(f"credentials saved for {neutralise(who)} {url}")
    if caller is not None and namespace:
        warn(f"It has the role {caller.role} in the namespace {namespace}.")
