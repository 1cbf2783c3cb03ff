"""`dayfly registry-login`: a login at a registry, for a file of its own as faas-cli makes it, or kept for pushes."""

import asyncio
import os
import re
from typing import TYPE_CHECKING

import click

from dayfly.cli.password import read_password
from dayfly.cli.terminal import warn
from dayfly.model.errors import InvalidRequest, Unauthenticated

if TYPE_CHECKING:
    from dayfly.oci.credentials import Login
    from dayfly.oci.reference import Reference

_HUB = "https://index.docker.io/v1/"
_ACCOUNT, _REGION = re.compile(r"\d{12}"), re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")


@click.command("registry-login")
@click.option("--server", default="", metavar="URL", help=f"The registry.  [default: {_HUB}]")
@click.option("-u", "--username", default="", help="The account's name.")
@click.option("--password", help="Its password. Others on this machine may see it; better use standard input.")
@click.option("-s", "--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--ecr", is_flag=True, help="For Amazon's registry: have its helper asked, docker-credential-ecr-login.")
@click.option("--account-id", default="", help="The Amazon account, with --ecr.")
@click.option("--region", default="", help="Its region, with --ecr.")
@click.option("--save", is_flag=True, help="Try it, and keep it where `dayfly push` and Docker look.")
@click.option("--insecure", is_flag=True, help="With --save: do without checked certificates, and without TLS.")
def command(
    server: str,
    username: str,
    password: str | None,
    password_stdin: bool,
    ecr: bool,
    account_id: str,
    region: str,
    save: bool,
    insecure: bool,
) -> None:
    """Write a login at a registry.

    It goes to ./credentials/config.json, readable only by you, in Docker's form, which clusters and builders take:
    nothing of it is tried. With --save it is tried at the registry and kept for `dayfly push`: in ~/.docker/config.json
    or $DOCKER_CONFIG, or by the credential helper that is named there.

    \b
    Examples:
      cat password.txt | dayfly registry-login --save --server ghcr.io -u me --password-stdin
      dayfly registry-login -u me --password-stdin < password.txt
      dayfly registry-login --ecr --account-id 123456789012 --region eu-west-1
    """
    from dayfly.client.registry_logins import FILE, keep, registry_of, write_ecr, write_login
    from dayfly.oci.credentials import Login

    if ecr:
        for option, value in (("--server", server), ("--username", username), ("--password", password)):
            if value:
                raise InvalidRequest(f"{option} does not go with --ecr, whose helper knows the login.")
        if password_stdin or save:
            raise InvalidRequest("--password-stdin and --save do not go with --ecr, whose helper knows the login.")
        if not _ACCOUNT.fullmatch(account_id) or not _REGION.fullmatch(region):
            raise InvalidRequest("--ecr needs --account-id, of 12 digits, and --region, such as eu-west-1.")
        write_ecr(account_id, region)
        click.echo(f"\nWrote ./{FILE}..OK")
        return
    if account_id or region:
        raise InvalidRequest("--account-id and --region go with --ecr.")
    if not username or ":" in username:
        raise InvalidRequest("A login needs a --username (-u), which has no colon in it.")
    server = server or _HUB
    registry = registry_of(server)
    if password is not None and password_stdin:
        raise InvalidRequest("Use --password or --password-stdin, not both.")
    exposed = "WARNING! Using --password is insecure, consider --password-stdin."
    login = Login(username, read_password(password, from_stdin=password_stdin, exposed=exposed))
    if not save:
        write_login(server, login)
        click.echo(f"\nWrote ./{FILE}..OK")
        return
    is_asked = asyncio.run(_try(registry, login, insecure=insecure))
    if not is_asked:
        warn(f"{registry.registry} asks nobody for a login, so that this one could not be tried.")
    where = keep(registry, login, os.environ)
    click.echo(f"credentials saved for {username} {registry.registry} in {where}")


async def _try(registry: "Reference", login: "Login", *, insecure: bool) -> bool:
    """Return whether the registry asked for the login. Raises Unauthenticated when it is wrong, Unavailable."""
    from dayfly.oci.registry.connect import connect

    async with connect(registry, insecure=insecure, login=login) as session:
        try:
            return await session.try_login()
        except Unauthenticated as error:
            raise Unauthenticated(
                f"{registry.registry} does not take this login: the name or the password is wrong."
            ) from error
