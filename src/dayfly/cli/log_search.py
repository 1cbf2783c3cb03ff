"""`dayfly logs --search`: lines of all functions of a namespace that have certain words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import msgspec

from dayfly.cli.go_time import format_time
from dayfly.cli.terminal import for_stdout, warn
from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.client import Client
    from dayfly.model.log import FoundLine

_PAGE = 1000


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for."""

    search: str
    name: str
    namespace: str
    since: str
    until: str
    level: str
    instance: str
    lines: int
    """At most so many of the newest; all for a number that is not positive."""


def print_found(client: "Client", wanted: Wanted, *, output: str, time_format: str) -> None:
    """Print the lines that are found, oldest first. Raises InvalidRequest."""
    if output not in ("plain", "json", "name"):
        raise InvalidRequest(f"--output {output} is not for a search; plain, json and name are.")
    found = list(_found(client, wanted))
    for line in reversed(found):
        click.echo(_shown(line, output, time_format), color=True)
    if not found:
        warn("No line was found.")


def _found(client: "Client", wanted: Wanted) -> "Iterator[FoundLine]":
    left, before = wanted.lines if wanted.lines > 0 else 2**63, 0
    while left > 0:
        page = client.search_logs(
            wanted.search,
            function=wanted.name,
            namespace=wanted.namespace,
            since=wanted.since,
            until=wanted.until,
            level=wanted.level,
            instance=wanted.instance,
            limit=min(left, _PAGE),
            before=before,
        )
        yield from page.lines
        left, before = left - len(page.lines), page.before
        if not before:
            return


def _shown(line: "FoundLine", output: str, time_format: str) -> str:
    if output == "json":
        return msgspec.json.encode(line).decode()
    if output == "name":
        return for_stdout(line.text)
    time = format_time(line.unix_ns, time_format)
    return for_stdout(" ".join([*([time] if time else []), line.function, line.text]))
