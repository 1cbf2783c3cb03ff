"""`dayfly secret keygen`, `seal` and `unseal`: secrets that only a builder can read. No gateway is asked."""

import re
import sys
from pathlib import Path

import click

from dayfly.cli.faas_json import show_json
from dayfly.cli.output import write_file
from dayfly.cli.secret_content import read_file
from dayfly.cli.terminal import for_stdout
from dayfly.model.errors import Conflict, InvalidRequest, NotFound

_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}", re.ASCII)


@click.command("keygen")
@click.option(
    "-o", "--output", "path", default="key", show_default=True, metavar="FILE", help="The private key's file."
)
def keygen(path: str) -> None:
    """Make a pair of keys for `seal` and `unseal`.

    The private one goes into FILE, which only this account can read, the public one into FILE.pub.

    \b
    Examples:
      dayfly secret keygen -o ./keys/builder
    """
    from dayfly.client.private_file import write_private
    from dayfly.oci.sealing import key_id, new_pair, read_key

    private_path, public_path = Path(path), Path(f"{path}.pub")
    for each in (private_path, public_path):
        if each.exists():
            raise Conflict(f"{each} is there already; what was sealed for it could be opened no more.")
    public, private = new_pair()
    write_private(private_path, private)
    write_file(public_path, public)
    click.echo(f"Wrote private key: {private_path}\nWrote public key:  {public_path}")
    click.echo(f"Key ID:            {key_id(read_key(public))}")


@click.command("seal")
@click.argument("public_key", metavar="PUBLIC-KEY-FILE")
@click.option("--from-literal", "literals", multiple=True, metavar="NAME=TEXT", help="A secret; may be repeated.")
@click.option("--from-file", "files", multiple=True, metavar="NAME=FILE", help="A file's content; may be repeated.")
@click.option(
    "-o", "--output", "path", default="com.openfaas.secrets", show_default=True, metavar="FILE", help="The envelope."
)
def seal(public_key: str, literals: tuple[str, ...], files: tuple[str, ...], path: str) -> None:
    """Seal secrets for whoever has the private key.

    Their names can be read in the envelope, what they are cannot. A builder gets it with a build.

    \b
    Examples:
      dayfly secret seal key.pub --from-file pip-token=token.txt
    """
    from dayfly.oci import sealing

    key = sealing.read_key(read_file(Path(public_key)))
    values = {name: text.encode() for name, text in map(_pair, literals)}
    values |= {name: read_file(Path(file)) for name, file in map(_pair, files)}
    if not values:
        raise InvalidRequest("provide at least one secret via --from-literal or --from-file")
    write_file(Path(path), sealing.seal(key, values))
    click.echo(f"Sealed {len(values)} secret(s) to {path} (key ID: {sealing.key_id(key)})")


@click.command("unseal")
@click.argument("private_key", metavar="PRIVATE-KEY-FILE")
@click.option("--in", "path", default="com.openfaas.secrets", show_default=True, metavar="FILE", help="The envelope.")
@click.option("--key", "name", metavar="NAME", help="One secret alone, without a newline behind it.")
@click.option("-j", "--json", "is_json", is_flag=True, help="Print them as JSON.")
def unseal(private_key: str, path: str, name: str | None, is_json: bool) -> None:
    """Print the secrets of an envelope.

    \b
    Examples:
      dayfly secret unseal key
      dayfly secret unseal key --key pip-token > token.txt
    """
    from dayfly.oci.sealed import unseal as opened
    from dayfly.oci.sealing import read_key

    values = opened(read_key(read_file(Path(private_key))), read_file(Path(path)))
    if name is not None:
        if name not in values:
            raise NotFound(f"key {name[:80]!r} not found in sealed envelope")
        values = {name: values[name]}
    if is_json:
        show_json({each: value.decode(errors="replace") for each, value in values.items()})
    elif name is not None:
        sys.stdout.buffer.write(values[name])
    else:
        lines = (f"{each}={values[each].decode(errors='replace')}" for each in sorted(values))
        click.echo(for_stdout("\n".join(lines)))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not value or not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{text[:40]!r} is not NAME=VALUE, its name of letters, digits, dots, dashes and underlines"
        )
    return name, value
