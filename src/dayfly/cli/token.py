"""`dayfly token`: credentials for one role in one namespace, or in all of them."""

from typing import TYPE_CHECKING, get_args

import click

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, warn
from dayfly.model.access import Role
from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.model.token import TokenStatus

_EVERYWHERE = click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="All namespaces, instead of one.")


@click.group("token", cls=Group, aliases={"delete": "revoke", "rm": "revoke", "remove": "revoke"})
def command() -> None:
    """Make, list and revoke tokens.

    A token is for one namespace, or for all, and has a role: view sees functions, secrets' names and logs; deploy
    changes functions and secrets too; admin hands out tokens besides; invoke may only call functions; query may only
    ask queries, for Power BI, Grafana and the like.

    \b
    Examples:
      dayfly token create --namespace team-a --role deploy --expires 30d > token.txt
      dayfly login -g https://faas.example.org --token-stdin < token.txt
      dayfly token list --namespace team-a
    """


@command.command("create")
@click.option("--role", type=click.Choice(get_args(Role)), required=True, help="What it may do.")
@click.option("--expires", default="", metavar="SPAN", help="How long it is good, as 30d or 12h.  [default: for ever]")
@click.option("--note", default="", metavar="TEXT", help="What it is for.")
@_EVERYWHERE
@namespace_option
@gateway_option
@output_option
def create(role: Role, expires: str, note: str, everywhere: bool, namespace: str, gateway: str, output: str) -> None:
    """Make a token and print it, which is the only time that it is shown.

    \b
    Examples:
      dayfly token create --namespace team-a --role deploy --expires 30d --note ci > token.txt
      dayfly token create --all-namespaces --role view
    """
    scope = _scope(namespace, everywhere=everywhere)
    with connect(gateway) as client, Progress("making the token"):
        issued = client.create_token(role, namespace=scope, expires=expires, note=note)
    show(issued, output, table=lambda: issued.token, names=lambda: [issued.status.id])
    warn(f"Token {issued.status.id}: {_account(issued.status)}. It is not shown again.")


@command.command("list")
@_EVERYWHERE
@namespace_option
@gateway_option
@output_option
def list_(everywhere: bool, namespace: str, gateway: str, output: str) -> None:
    """List the tokens, without what lets somebody in.

    \b
    Examples:
      dayfly token list --namespace team-a
      dayfly token list --all-namespaces
    """
    scope = _scope(namespace, everywhere=everywhere)
    with connect(gateway) as client, Progress("asking the gateway"):
        tokens = client.list_tokens(scope)
    show(
        tokens, output, table=lambda: _table(tokens), names=lambda: [one.id for one in tokens], none="No tokens found."
    )


@command.command("revoke")
@click.argument("token", metavar="ID")
@_EVERYWHERE
@namespace_option
@gateway_option
def revoke(token: str, everywhere: bool, namespace: str, gateway: str) -> None:
    """Let a token be good for nothing from now on; what it is reading ends.

    \b
    Examples:
      dayfly token revoke 4tk8zq0w1c5m --namespace team-a
      dayfly token revoke 4tk8zq0w1c5m --all-namespaces
    """
    scope = _scope(namespace, everywhere=everywhere)
    with connect(gateway) as client, Progress("revoking the token"):
        client.revoke_token(token, namespace=scope)
    click.echo(f"Token Revoked: {token}")


def _scope(namespace: str, *, everywhere: bool) -> str | None:
    if namespace and everywhere:
        raise InvalidRequest("Use --namespace or --all-namespaces, not both.")
    return None if everywhere else namespace


def _account(token: "TokenStatus") -> str:
    where = f"in {token.namespace}" if token.namespace is not None else "in all namespaces"
    until = f"until {time_text(token.expires_unix_ms)}" if token.expires_unix_ms else "for ever"
    return f"{token.role} {where}, {until}"


def _table(tokens: "list[TokenStatus]") -> str:
    rows = [["ID", "NAMESPACE", "ROLE", "CREATED", "EXPIRES", "NOTE"]]
    for one in tokens:
        expires = time_text(one.expires_unix_ms) if one.expires_unix_ms else "never"
        rows.append([one.id, one.namespace or "<all>", one.role, time_text(one.created_unix_ms), expires, one.note])
    return columns(rows, (12, 15, 6, 20, 20, 5))
