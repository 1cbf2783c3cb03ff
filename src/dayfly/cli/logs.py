"""`dayfly logs`: what a function printed, also after its replicas are gone."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from dayfly.cli.options import function_argument, gateway_option, namespace_option
from dayfly.cli.session import connect
from dayfly.cli.terminal import for_stdout
from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.model.log import LogLine


@click.command("logs")
@function_argument
@gateway_option
@namespace_option
@click.option("-f", "--follow", is_flag=True, help="Go on printing as lines are written, until Ctrl-C.")
@click.option("--since", default="", metavar="SPAN|TIME", help="Only lines younger than 10m, or than an RFC 3339 time.")
@click.option(
    "-t", "--tail", type=click.IntRange(min=-1), default=-1, metavar="N", help="Only the last N lines; -1 is all."
)
@click.option("--instance", default="", metavar="ID", help="Only lines of this replica.")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml", "name"]), default="table", show_default=True,
    help="How to print it: json is one object a line, name the text alone.",
)  # fmt: skip
def command(
    name: str, gateway: str, namespace: str, follow: bool, since: str, tail: int, instance: str, output: str
) -> None:
    """Print what a function logged.

    \b
    Examples:
      dayfly logs hello --tail 20
      dayfly logs hello --follow --since 5m
      dayfly logs hello -o json | jq -r 'select(.stream == "stderr") | .text'
    """
    _check_since(since)
    with connect(gateway) as client:
        lines = client.logs(name, namespace=namespace, since=since, tail=tail, follow=follow, instance=instance)
        for line in lines:
            # color: into a pipe a line goes as it is, escape sequences too; click would take them out.
            click.echo(_shown(line, output), color=True)


def _shown(line: "LogLine", output: str) -> str:
    if output == "json":
        return msgspec.json.encode(line).decode()
    if output == "yaml":
        from dayfly.client.yaml_text import dump

        return "---\n" + dump(msgspec.to_builtins(line)).rstrip("\n")
    if output == "name":
        return for_stdout(line.text)
    at = datetime.fromtimestamp(line.unix_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    source = "platform" if line.stream == "platform" else line.replica
    return for_stdout(f"{at} ({source}) {line.text}")


def _check_since(since: str) -> None:
    from dayfly.model.quantities import parse_duration

    if not since or "T" in since:
        return
    try:
        parse_duration(since)
    except InvalidRequest as error:
        raise InvalidRequest(f"--since: {since[:40]!r} is neither a span of time (10m) nor an RFC 3339 time") from error
