"""`dayfly audit`: who changed what, and whether the log of it is whole."""

from typing import TYPE_CHECKING

import click

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, warn
from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.model.audit import AuditEntry, AuditHead, AuditVerdict, Change

_HEAD = ["NO", "AT", "WHO", "FROM", "ACTION", "NAMESPACE", "TARGET", "STATUS", "CHANGED"]
_WIDTHS = (6, 20, 16, 15, 18, 12, 16, 6, 30)
_MOST_SHOWN = 3


@click.group("audit", cls=Group, aliases={"ls": "list", "check": "verify"})
def command() -> None:
    """Show who changed what, and check the log of it.

    \b
    Examples:
      dayfly audit list --since 24h
      dayfly audit list --action secret --who 'token 3f9c2a'
      dayfly audit verify
    """


@command.command("list")
@click.option("--since", default="", metavar="SPAN|TIME", help="Only since 24h ago, or since an RFC 3339 time.")
@click.option("--until", default="", metavar="SPAN|TIME", help="Only before it.")
@click.option("--who", default="", metavar="NAME", help="Only what this credential did: admin, local, 'token ID'.")
@click.option("--action", default="", metavar="ACTION", help="Only this action, or noun: trigger.put, trigger.")
@click.option("--namespace", "-n", default="", metavar="NAME", help="Only what was done in it.  [default: all]")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@gateway_option
@output_option
def list_entries(
    since: str, until: str, who: str, action: str, namespace: str, limit: int, gateway: str, output: str
) -> None:
    """List changes, the newest first. `--output json` shows all that differs.

    \b
    Examples:
      dayfly audit list
      dayfly audit list --action function --namespace team-a --since 7d
      dayfly audit list --action sign-in.failed -o json
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        found = client.list_audit(
            since=since, until=until, who=who, action=action, namespace=namespace, limit=limit
        )  # fmt: skip
    if not found and output == "table":
        warn("No such changes are in the audit log.")
        return
    show(found, output, table=lambda: _table(found), names=lambda: [str(each.sequence) for each in found])


@command.command("verify")
@click.option("--head", default="", metavar="NO:HASH", help="An entry that was noted elsewhere; it must be there.")
@gateway_option
@output_option
def verify(head: str, gateway: str, output: str) -> None:
    """Check each entry against the one before it; exit with 1 and name the first that does not hold.

    The answer names the last entry. Note it where nobody who can write here gets to, and give it with --head later:
    then it shows too when the log was made anew.

    \b
    Examples:
      dayfly audit verify
      dayfly audit verify --head 812:5e0c…
    """
    noted = _head(head)
    with connect(gateway) as client, Progress("checking the audit log"):
        found = client.verify_audit(noted)
    show(found, output, table=lambda: _told(found), names=lambda: [f"{found.head.sequence}:{found.head.hash}"])
    if not found.whole:
        click.get_current_context().exit(1)


def _head(text: str) -> "AuditHead | None":
    from dayfly.model.audit import AuditHead

    number, colon, digest = text.partition(":")
    if not text:
        return None
    if not colon or not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise InvalidRequest(f"--head: {text[:80]!r} is not NUMBER:HASH, as `dayfly audit verify` prints it.")
    return AuditHead(int(number), digest)


def _told(found: "AuditVerdict") -> str:
    begins = f" after {found.anchor.sequence}, which went by its age" if found.anchor.sequence else ""
    if found.whole:
        return f"The log is whole: {found.entries} entries{begins}.\nHead {found.head.sequence}:{found.head.hash}"
    return (
        f"THE LOG IS BROKEN at entry {found.broken}: {found.reason}.\n"
        f"{found.entries} entries before it{begins} hold, up to {found.head.sequence}:{found.head.hash}"
    )


def _table(found: "list[AuditEntry]") -> str:
    return columns([_HEAD, *map(_row, found)], _WIDTHS)


def _row(entry: "AuditEntry") -> list[str]:
    return [
        str(entry.sequence), time_text(entry.at), entry.who, entry.address, entry.action, entry.namespace, entry.target,
        str(entry.status) if entry.status else "?", _changed(entry.changes),
    ]  # fmt: skip


def _changed(changes: "tuple[Change, ...]") -> str:
    names = [each.path for each in changes[:_MOST_SHOWN]]
    more = f" and {len(changes) - _MOST_SHOWN} more" if len(changes) > _MOST_SHOWN else ""
    return ", ".join(names) + more
