"""`dayfly secret`: what functions find as confidential files.

The texts are those of faas-cli, whose scripts look for them; unlike its own, the exit code tells what became of it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dayfly.cli import secret_sealed
from dayfly.cli.faas_json import json_option, show_json
from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.rollouts import time_text
from dayfly.cli.secret_content import read_content, read_file, trimmed
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, warn
from dayfly.model.errors import Conflict, InvalidRequest
from dayfly.model.names import parse_secret_name

if TYPE_CHECKING:
    from dayfly.client.blocking import Client
    from dayfly.model.secret import SecretMode, SecretStatus

_LITERAL = click.option("--from-literal", metavar="TEXT", help="The secret. Others on this machine may see it.")
_FILE = click.option("--from-file", metavar="FILE", help="The file that holds it.")
_TRIM = click.option(
    "--trim/--no-trim", default=True, show_default=True, help="Take blanks and newlines around a text away."
)


@click.group("secret", cls=Group, aliases={"u": "update", "gen": "generate"})
def command() -> None:
    """Write, list and remove secrets.

    A function finds the secrets that its stack file, or `dayfly deploy --secret`, names as files in $DAYFLY_SECRETS,
    which is /var/openfaas/secrets. What is in them is encrypted on the disk and never shown again. One that is written
    anew reaches the functions that use it within seconds, without a failed call.

    \b
    Examples:
      dayfly secret generate | dayfly secret create api-token
      dayfly deploy hello --handler ./hello --secret api-token
      dayfly secret list
    """


@command.command("create")
@click.argument("name")
@_LITERAL
@_FILE
@_TRIM
@click.option("--replace", is_flag=True, help="Update it when it exists.")
@gateway_option
@namespace_option
def create(
    name: str, from_literal: str | None, from_file: str | None, trim: bool, replace: bool, gateway: str, namespace: str
) -> None:
    """Create a secret from standard input, a file or a literal.

    \b
    Examples:
      dayfly secret create api-token < token.txt
      dayfly secret create tls.key --from-file key.pem --no-trim
    """
    content = _content(name, from_literal, from_file, trim=trim)
    with connect(gateway) as client:
        _create(client, name, content, namespace, replace=replace)


@command.command("update")
@click.argument("name")
@_LITERAL
@_FILE
@_TRIM
@gateway_option
@namespace_option
def update(
    name: str, from_literal: str | None, from_file: str | None, trim: bool, gateway: str, namespace: str
) -> None:
    """Put something else into a secret.

    \b
    Examples:
      dayfly secret update api-token < token.txt
    """
    content = _content(name, from_literal, from_file, trim=trim)
    with connect(gateway) as client:
        click.echo(f"Updating secret: {name}.{namespace or client.namespace}")
        _put(client, name, content, namespace, "update")
        click.echo("Updated: 200 OK")


@command.command("remove")
@click.argument("name")
@click.option("--force", is_flag=True, help="Also while functions use it: they go on, and cannot be started again.")
@gateway_option
@namespace_option
def remove(name: str, force: bool, gateway: str, namespace: str) -> None:
    """Remove a secret.

    \b
    Examples:
      dayfly secret remove api-token
    """
    with connect(gateway) as client, Progress("removing the secret"):
        client.remove_secret(name, namespace=namespace, force=force)
    click.echo("Removed.. OK.")


@command.command("list")
@gateway_option
@namespace_option
@json_option
@output_option
def list_(gateway: str, namespace: str, is_json: bool, output: str) -> None:
    """List the secrets, and who uses them.

    \b
    Examples:
      dayfly secret list
      dayfly secret list --output name
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        secrets = client.list_secrets(namespace)
    if is_json:
        show_json([{"name": one.name, "namespace": one.namespace} for one in secrets])
        return
    show(
        secrets,
        output,
        table=lambda: _table(secrets),
        names=lambda: [one.name for one in secrets],
        none="No secrets found.",
    )


@command.command("apply")
@click.option("--from", "folder", default=".secrets", metavar="DIR", show_default=True, help="The folder.")
@_TRIM
@gateway_option
@namespace_option
def apply(folder: str, trim: bool, gateway: str, namespace: str) -> None:
    """Make a secret of every file in a folder, under its name.

    Files whose names begin with a dot are left out. A secret that holds the same already is left as it is.

    \b
    Examples:
      dayfly secret apply
      dayfly secret apply --from /run/credentials --no-trim
    """
    from dayfly.model.secret import check_secret

    if not Path(folder).is_dir():
        raise InvalidRequest(f"There is no folder {folder}.", hint="Name another with --from DIR.")
    files = [path for path in sorted(Path(folder).iterdir()) if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise InvalidRequest(f"There is no file in {folder}.")
    contents = {path.name: trimmed(read_file(path), trim=trim) for path in files}
    for name, content in contents.items():
        check_secret(name, content)
    with connect(gateway) as client:
        for name, content in contents.items():
            _create(client, name, content, namespace, replace=True)


@command.command("generate")
@click.option("--length", type=click.IntRange(16, 1024), default=32, show_default=True, help="Letters and digits.")
@click.option("-o", "--output", "path", metavar="FILE", help="A file to write it to, for this account alone to read.")
def generate(length: int, path: str | None) -> None:
    """Print a random secret. The gateway is not asked.

    \b
    Examples:
      dayfly secret generate | dayfly secret create api-token
      dayfly secret generate --length 64 -o .secrets/api-token
    """
    import secrets
    import string

    made = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))
    if path is None:
        click.echo(made)
        return
    from dayfly.client.private_file import write_private

    write_private(Path(path), made.encode())
    warn(f"Written to {path}.")


for _each in (secret_sealed.keygen, secret_sealed.seal, secret_sealed.unseal):
    command.add_command(_each)


@command.command("rotate-key")
@gateway_option
def rotate_key(gateway: str) -> None:
    """Encrypt all secrets anew under a new key, and forget the old one.

    No function notices. Copies of the data folder from before need the key from before: keep a copy of the key file
    for as long as you keep those. A rotation that was broken off is finished by the next.

    \b
    Examples:
      dayfly secret rotate-key
    """
    with connect(gateway, timeout_s=600.0) as client, Progress("encrypting the secrets anew"):
        done = client.rotate_key()
    click.echo(f"Rotated: {done.secrets} secrets are encrypted under the key {done.key}.")
    for key in done.retired:
        click.echo(f"Retired: {key}. Copies of the data folder from before need it.")
    for key in done.left:
        click.echo(f"Not needed any more: {key}. Take it out of the key file, which only its owner can write.")


def _content(name: str, literal: str | None, file: str | None, *, trim: bool) -> bytes:
    """Read what is to be in the secret, once its name is good."""
    from dayfly.model.secret import check_secret

    parse_secret_name(name)
    content = read_content(literal, file, trim=trim)
    check_secret(name, content)
    return content


def _create(client: "Client", name: str, content: bytes, namespace: str, *, replace: bool) -> None:
    click.echo(f"Creating secret: {name}.{namespace or client.namespace}")
    try:
        _put(client, name, content, namespace, "create")
        click.echo("Created: 202 Accepted")
    except Conflict:
        if not replace:
            raise
        click.echo(f"Secret {name} already exists, updating...")
        _put(client, name, content, namespace, "update")
        click.echo("Updated: 200 OK")


def _put(client: "Client", name: str, content: bytes, namespace: str, mode: "SecretMode") -> None:
    with Progress("writing the secret"):
        client.put_secret(name, content, namespace=namespace, mode=mode)


def _table(secrets: "list[SecretStatus]") -> str:
    rows = [["NAME", "UPDATED", "FUNCTIONS"]]
    rows += [[one.name, time_text(one.updated_unix_ms), ", ".join(one.functions) or "-"] for one in secrets]
    return columns(rows, (20, 20, 5))
