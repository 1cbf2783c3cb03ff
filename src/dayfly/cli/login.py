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
@click.option("--kubernetes", is_flag=True, help="At the platform in a cluster, by your own kubectl.")
@click.option("-n", "--namespace", default="dayfly", metavar="NAME", help="Where that is.  [default: dayfly]")
@click.option("--context", default="", metavar="NAME", help="kubectl's context.  [default: its own]")
@click.option("--port", default=31112, type=click.IntRange(0, 65535), help="Where it is reached.  [default: 31112]")
@click.option("--timeout", default="5s", show_default=True, metavar="SPAN", help="How long to wait for the gateway.")
def command(
    gateway: str,
    username: str,
    password: str | None,
    password_stdin: bool,
    token: str | None,
    token_stdin: bool,
    kubernetes: bool,
    namespace: str,
    context: str,
    port: int,
    timeout: str,
) -> None:
    """Save a login for a gateway.

    The account that started the platform on this machine needs none. Logins are kept, readable only by you, in
    ~/.config/dayfly/credentials.json. With one that is for a single namespace, that is the one which commands mean
    where none is named.

    With --kubernetes the platform in a cluster is reached at a port of this machine for as long as the command runs.
    The password is read from the cluster, if your account there may read it and none is given.

    \b
    Examples:
      dayfly login --gateway https://faas.example.org
      dayfly login --kubernetes
      cat password.txt | dayfly login -g https://faas.example.org --password-stdin
      cat token.txt | dayfly login -g https://faas.example.org --token-stdin
    """
    from dayfly.client.gateway import choose_target

    if sum((password is not None, password_stdin, token is not None, token_stdin)) > 1:
        raise InvalidRequest("Use one of --password, --password-stdin, --token and --token-stdin.")
    has_token = token is not None or token_stdin
    name, what = (_ANY_NAME, "token") if has_token else (username, "password")
    exposed = f"WARNING! Using --{what} is insecure, consider using: cat {what}.txt | dayfly login --{what}-stdin"
    given, from_stdin = token if has_token else password, token_stdin or password_stdin
    timeout_s = parse_duration(timeout)
    if kubernetes:
        from dayfly.cli.forwarding import Forwarding, password_in

        with Forwarding(namespace, context, port) as forwarding:
            asked = given is not None or from_stdin
            secret = None if asked else password_in(forwarding.kubectl, namespace)
            secret = secret or read_password(given, from_stdin=from_stdin, exposed=exposed, what=what)
            _log_in(forwarding.url, name, secret, timeout_s=timeout_s, has_token=has_token)
            click.echo(f"It is there as long as this runs. Elsewhere: export DAYFLY_URL={forwarding.url}")
            forwarding.hold()
    secret = read_password(given, from_stdin=from_stdin, exposed=exposed, what=what)
    _log_in(choose_target(gateway).url, name, secret, timeout_s=timeout_s, has_token=has_token)


def _log_in(url: str, name: str, secret: str, *, timeout_s: float, has_token: bool) -> None:
    from dayfly.client.blocking import Client
    from dayfly.client.credentials import Credential, CredentialFile
    from dayfly.client.gateway import Target

    target = current_session().prepare(Target(url, Credential.basic(name, secret)))
    warn("Calling the gateway to validate the credentials...")
    with Client(target=target, timeout_s=timeout_s, transport=current_session().transport) as client:
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
