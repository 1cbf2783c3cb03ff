"""`dayfly revisions`: what a function has been, and what it can be rolled back to."""

import time
from typing import TYPE_CHECKING

import click

from dayfly.cli.options import function_argument, gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress

if TYPE_CHECKING:
    from dayfly.model.status import RevisionStatus

_DIGEST_LETTERS = len("sha256:") + 12


@click.command("revisions")
@function_argument
@gateway_option
@namespace_option
@output_option
def command(name: str, gateway: str, namespace: str, output: str) -> None:
    """List a function's revisions.

    Every deployment is a revision. `serving` answers the calls, `candidate` is about to take over from it, and those
    that are `kept` can be rolled back to.

    \b
    Examples:
      dayfly revisions hello
      dayfly revisions hello -o json | jq '.[0].spec.env'
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        revisions = client.list_revisions(name, namespace=namespace)
    revisions.sort(key=lambda one: -one.number)
    show(
        revisions,
        output,
        table=lambda: _table(revisions, time.time()),
        names=lambda: [str(one.number) for one in revisions],
    )


def _table(revisions: "list[RevisionStatus]", now_s: float) -> str:
    rows = [["Revision", "Role", "Age", "Image", "Bundle"]]
    for one in revisions:
        age = _age(now_s - one.created_unix_ms / 1000)
        rows.append([str(one.number), one.role, age, one.spec.image or "<none>", one.spec.bundle[:_DIGEST_LETTERS]])
    return columns(rows, (8, 9, 5, 10, 19))


def _age(seconds: float) -> str:
    """The largest unit that fits, as people say it; a clock that was turned back makes no revision younger than 0."""
    seconds = max(seconds, 0)
    for unit, letter in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= unit:
            return f"{int(seconds // unit)}{letter}"
    return f"{int(seconds)}s"
