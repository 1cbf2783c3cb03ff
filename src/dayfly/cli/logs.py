"""`dayfly logs`: what a function printed, also after its replicas are gone.

Unlike faas-cli's, it ends when what is there is printed, so that a script does not hang; --tail goes on.
"""

from typing import TYPE_CHECKING, get_args

import click
import msgspec

from dayfly.cli.faas_json import log_line_of
from dayfly.cli.go_time import RFC3339, format_time
from dayfly.cli.log_search import Wanted, print_found
from dayfly.cli.options import FunctionName, gateway_option, namespace_option
from dayfly.cli.selection import stack_gateway, yaml_option
from dayfly.cli.session import connect
from dayfly.cli.terminal import for_stdout, warn
from dayfly.model.errors import InvalidRequest
from dayfly.model.log import Level

if TYPE_CHECKING:
    from dayfly.model.log import LogLine


class _Form(msgspec.Struct, frozen=True):
    """How a line is printed."""

    output: str
    time_format: str
    has_name: bool
    has_instance: bool


@click.command("logs")
@click.argument("name", type=FunctionName(), required=False, default="")
@yaml_option
@gateway_option
@namespace_option
@click.option("--search", default="", metavar="WORDS", help='Lines with these: timeout "order failed" time* -health.')
@click.option("--level", type=click.Choice(get_args(Level)), default=None, help="Lines that say so of themselves.")
@click.option("--until", default="", metavar="SPAN|TIME", help="With --search or --level, only lines older than this.")
@click.option("-t", "--tail", "--follow", "follow", is_flag=True, help="Go on as lines are written, until Ctrl-C.")
@click.option("--since", default="", metavar="SPAN|TIME", help="Only lines younger than 10m, or than an RFC 3339 time.")
@click.option("--since-time", default="", metavar="TIME", help="Only lines younger than this RFC 3339 time.")
@click.option("--lines", type=int, default=-1, metavar="N", help="Only the last N lines; -1 and 0 are all.")
@click.option("--replica", default="", metavar="ID", help="Only lines of this replica.")
@click.option(
    "-o", "--output", type=click.Choice(["plain", "keyvalue", "json", "yaml", "name"], case_sensitive=False),
    default="plain", show_default=True, help="How to print it: json is one object a line, name the text alone.",
)  # fmt: skip
@click.option("-j", "--json", "is_json", is_flag=True, help="The same as --output json.")
@click.option("--name", "has_name", is_flag=True, help="Print the function's name too.")
@click.option("--instance", "has_instance", is_flag=True, help="Print the replica's id too.")
@click.option(
    "--time-format", default=RFC3339, metavar="LAYOUT", show_default=True,
    help="The time as Go would write it, or RFC850, RFC1123Z, RFC3339Nano …; empty for none.",
)  # fmt: skip
def command(
    name: str,
    stack_file: str | None,
    gateway: str,
    namespace: str,
    search: str,
    level: str | None,
    until: str,
    follow: bool,
    since: str,
    since_time: str,
    lines: int,
    replica: str,
    output: str,
    is_json: bool,
    has_name: bool,
    has_instance: bool,
    time_format: str,
) -> None:
    """Print what a function logged, or search the logs of a namespace.

    A search finds lines of all functions, or of the one named, also of those and of replicas that are gone.

    \b
    Examples:
      dayfly logs hello --lines 20
      dayfly logs hello --tail --since 5m --instance
      dayfly logs hello -o json | jq -r 'select(.stream == "stderr") | .text'
      dayfly logs --search '"order failed" -retry' --since 24h
      dayfly logs hello --level error --lines 50
    """
    since = since_time or since
    _check_since(since)
    if search or level or until:
        if follow:
            raise InvalidRequest("--tail goes on with new lines; a search looks at those that there are.")
        output = "json" if is_json else output
        wanted = Wanted(
            search=search, name=name, namespace=namespace, since=since, until=until, level=level or "",
            instance=replica, lines=lines,
        )  # fmt: skip
        with connect(gateway, stack=stack_gateway(stack_file)) as client:
            print_found(client, wanted, output=output, time_format=time_format)
        return
    if not name:
        raise InvalidRequest("Name a function, or search all of them.", hint="dayfly logs --search 'order failed'")
    form = _Form("json" if is_json else output, time_format, has_name, has_instance)
    with connect(gateway, stack=stack_gateway(stack_file)) as client:
        found = client.logs(
            name,
            namespace=namespace,
            since=since,
            tail=lines if lines > 0 else -1,
            follow=follow,
            instance=replica,
        )
        has_line = False
        for line in found:
            has_line = True
            # color: into a pipe a line goes as it is, escape sequences too; click would take them out.
            click.echo(_shown(line, form), color=True)
        if not (has_line or follow):
            warn(f"{name} logged nothing{' of the kind' if since or replica else ''}.")


def _shown(line: "LogLine", form: _Form) -> str:
    if form.output == "json":
        return msgspec.json.encode(log_line_of(line)).decode()
    if form.output == "yaml":
        from dayfly.client.yaml_text import dump

        return "---\n" + dump(msgspec.to_builtins(line)).rstrip("\n")
    if form.output == "name":
        return for_stdout(line.text)
    instance = "platform" if line.stream == "platform" else line.replica
    parts = {
        "timestamp": format_time(line.unix_ns, form.time_format),
        "name": line.key.name if form.has_name else "",
        "instance": instance if form.has_instance else "",
    }
    if form.output == "keyvalue":
        told = [f'{key}="{value}"' for key, value in (*parts.items(), ("text", line.text)) if value or key == "text"]
        return for_stdout(" ".join(told))
    parts["instance"] = f"({instance})" if form.has_instance else ""
    return for_stdout(" ".join([*(part for part in parts.values() if part), line.text]))


def _check_since(since: str) -> None:
    from dayfly.model.quantities import parse_duration

    if not since or "T" in since:
        return
    try:
        parse_duration(since)
    except InvalidRequest as error:
        raise InvalidRequest(f"--since: {since[:40]!r} is neither a span of time (10m) nor an RFC 3339 time") from error
