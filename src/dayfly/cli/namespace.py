"""`dayfly namespace`: the tenants of an installation, in faas-cli's words where it has them."""

from typing import TYPE_CHECKING

import click

from dayfly.cli.budget import budget_text
from dayfly.cli.faas_json import json_option, show_json
from dayfly.cli.group import Group
from dayfly.cli.options import NamespaceName, Pair, gateway_option, output_option
from dayfly.cli.output import sheet, show
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress
from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.model.namespace import NamespaceStatus

_LABEL = click.option("-l", "--label", type=Pair(), multiple=True, help="A label; may be repeated.")
_ANNOTATION = click.option("--annotation", type=Pair(), multiple=True, help="An annotation; may be repeated.")
_QUOTA = click.option(
    "--quota", metavar="LIST", help="What it may use: functions, replicas, memory, cpu, body and log_rate."
)
_BUDGET = click.option(
    "--budget", metavar="LIST", help="What its functions may use, as calls=10000/day,cpu_seconds=3600/month."
)
_NAME = click.argument("name", type=NamespaceName())


@click.group("namespace", cls=Group, aliases={"inspect": "get"})
def command() -> None:
    """Make, change, list and remove namespaces, the tenants of an installation.

    Each has functions, secrets, tokens, logs and metrics of its own, and a quota if it is given one. Making and
    changing them takes a credential for the whole installation.

    \b
    Examples:
      dayfly namespace create team-a --quota functions=10,replicas=50,memory=4Gi
      dayfly token create --namespace team-a --role deploy
      dayfly namespace get team-a
    """


@command.command("list")
@gateway_option
@json_option
@output_option
def list_(gateway: str, is_json: bool, output: str) -> None:
    """List the namespaces that the login is good for.

    \b
    Examples:
      dayfly namespace list
      dayfly namespace list --output name
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        names = client.list_namespaces()
    if is_json:
        show_json(names)
        return
    show(
        names, output, table=lambda: "\n".join(["Namespaces:", *(f" - {name}" for name in names)]), names=lambda: names
    )


@command.command("get")
@_NAME
@gateway_option
@output_option
def get(name: str, gateway: str, output: str) -> None:
    """Show a namespace: its labels, its quota, and what is used of it.

    \b
    Examples:
      dayfly namespace get team-a
      dayfly namespace get team-a -o json | jq .used
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        status = client.get_namespace(name)
    show(status, output, table=lambda: sheet(_fields(status)), names=lambda: [status.name])


@command.command("create")
@click.argument("name")
@_LABEL
@_ANNOTATION
@_QUOTA
@_BUDGET
@gateway_option
def create(
    name: str,
    label: tuple[tuple[str, str], ...],
    annotation: tuple[tuple[str, str], ...],
    quota: str | None,
    budget: str | None,
    gateway: str,
) -> None:
    """Make a namespace.

    Without a quota it may use what the machine has. An amount that the quota does not name has no limit.

    \b
    Examples:
      dayfly namespace create team-a
      dayfly namespace create team-b --label team=b --quota functions=10,replicas=50,memory=4Gi,cpu=8
    """
    from dayfly.model.namespace import NamespaceChange, Quota

    change = NamespaceChange(
        labels=dict(label),
        annotations=_with_budget(dict(annotation), budget),
        quota=Quota.parse(quota or ""),
    )
    with connect(gateway) as client, Progress("making the namespace"):
        client.create_namespace(name, change)
    click.echo(f"Namespace Created: {name}")


@command.command("update")
@_NAME
@_LABEL
@_ANNOTATION
@_QUOTA
@_BUDGET
@gateway_option
def update(
    name: str,
    label: tuple[tuple[str, str], ...],
    annotation: tuple[tuple[str, str], ...],
    quota: str | None,
    budget: str | None,
    gateway: str,
) -> None:
    """Change a namespace's labels, annotations, quota or budget.

    Of quota and budget the parts that are named change, and `memory=none` takes one away; labels or annotations that
    are given replace all that are there. A quota below what is used stops nothing: no more is let in until there is
    room.

    \b
    Examples:
      dayfly namespace update team-a --quota functions=20,memory=8Gi
      dayfly namespace update team-a --label team=a --label stage=test
      dayfly namespace update team-a --budget calls=100000/day,gib_seconds=50000/month
    """
    from dayfly.model.namespace import NamespaceChange, Quota

    if not (label or annotation or quota or budget):
        raise InvalidRequest("Nothing to change.", hint="Give --label, --annotation, --quota or --budget.")
    Quota.parse(quota or "")  # a mistake is told before anything is asked
    _with_budget({}, budget)
    with connect(gateway) as client, Progress("changing the namespace"):
        old = client.get_namespace(name)
        change = NamespaceChange(
            labels=dict(label) or old.labels,
            annotations=_with_budget(dict(annotation) or old.annotations, budget),
            quota=old.quota.changed(quota or ""),
        )
        client.update_namespace(name, change)
    click.echo(f"Namespace Updated: {name}")


@command.command("remove")
@_NAME
@click.option("--force", is_flag=True, help="With its functions, secrets and logs.")
@gateway_option
def remove(name: str, force: bool, gateway: str) -> None:
    """Remove a namespace, and with it its tokens.

    One that has functions or secrets is kept unless forced.

    \b
    Examples:
      dayfly namespace remove team-a
      dayfly namespace remove team-a --force
    """
    with connect(gateway) as client, Progress("removing the namespace"):
        client.remove_namespace(name, force=force)
    click.echo(f"Namespace Removed: {name}")


def _fields(status: "NamespaceStatus") -> list[tuple[str, str]]:
    from dayfly.model.quantities import format_cpu, format_memory

    quota, used = status.quota, status.used
    return [
        ("Name", status.name),
        ("Created", time_text(status.created_unix_ms)),
        ("Labels", _pairs(status.labels)),
        ("Annotations", _pairs(status.annotations)),
        ("Functions", _of(str(used.functions), quota.functions)),
        ("Replicas", _of(str(used.replicas), quota.replicas)),
        ("Memory", _of(format_memory(used.memory_bytes), quota.memory)),
        ("CPU", _of(format_cpu(used.cpu_millicores), quota.cpu)),
        ("Largest Body", quota.body or "<no limit>"),
        ("Log Rate", f"{quota.log_rate}/s of a replica" if quota.log_rate else "<no limit>"),
        ("Budget", "\n".join(map(budget_text, status.budgets)) or "<none>"),
    ]


def _with_budget(annotations: dict[str, str], budget: str | None) -> dict[str, str]:
    from dayfly.model.allowance import Allowances

    if not budget:
        return annotations
    return Allowances.told(annotations).changed(budget.split(",")).written(annotations)


def _of(used: str, most: int | str | None) -> str:
    return used if most in (None, "") else f"{used} of {most}"


def _pairs(texts: dict[str, str]) -> str:
    return "\n".join(f"{name} : {texts[name]}" for name in sorted(texts)) or "<none>"
