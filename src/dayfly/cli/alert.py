"""`dayfly alert`: what is wrong, what is watched for it, and who is told."""

from typing import TYPE_CHECKING

import click

from dayfly.cli.alert_receiver import receiver
from dayfly.cli.alert_rule import rule
from dayfly.cli.alert_silence import silence
from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option, output_or_csv_option
from dayfly.cli.output import columns, show, show_csv
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress

if TYPE_CHECKING:
    from dayfly.model.alert import Alert
    from dayfly.model.past_alert import PastAlert


@click.group("alert", cls=Group)
def command() -> None:
    """List alerts; make, list and remove rules, silences and receivers.

    A rule watches a figure. What it finds is pending for as long as the rule says, fires then, and is resolved when it
    is well again. Receivers are told, in groups, by mail, Slack, webhook, an Alertmanager and a hundred other ways; a
    silence keeps them from it for a while. Some rules are there from the start.

    \b
    Examples:
      dayfly alert list
      dayfly alert history --since 24h
      dayfly alert rule set errors --kind error_rate --threshold 0.05 --for 2m
      dayfly alert receiver set ops --kind webhook --url https://hooks.example.org/dayfly
      dayfly alert silence add alertname=errors --duration 2h --comment "a deployment"
    """


command.add_command(rule)
command.add_command(silence)
command.add_command(receiver)


@command.command("list")
@click.option("--all", "with_resolved", is_flag=True, help="Those too that are resolved since a few minutes.")
@gateway_option
@namespace_option
@output_option
def list_(with_resolved: bool, gateway: str, namespace: str, output: str) -> None:
    """List what is wrong now, what fires first.

    \b
    Examples:
      dayfly alert list
      dayfly alert list --all --output json
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        alerts = client.list_alerts(namespace)
    alerts = [each for each in alerts if with_resolved or each.state != "resolved"]
    show(alerts, output, table=lambda: _table(alerts), names=lambda: [each.id for each in alerts], none="No alerts.")


@command.command("history")
@click.option("--rule", default="", metavar="NAME", help="Only alerts of this rule.")
@click.option("--since", default="", metavar="SPAN|TIME", help="Only what fired since 24h ago, or an RFC 3339 time.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@gateway_option
@namespace_option
@output_or_csv_option
def history(rule: str, since: str, limit: int, gateway: str, namespace: str, output: str) -> None:
    """List what fired and until when, the newest first; of the last 400 days.

    \b
    Examples:
      dayfly alert history --since 24h
      dayfly alert history --rule errors --limit 1000 -o csv > errors.csv
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        found = client.list_past_alerts(namespace, rule=rule, since=since, limit=limit)
    if output == "csv":
        show_csv(*_sheet(found))
        return
    show(found, output, table=lambda: _past(found), names=lambda: [each.id for each in found],
         none="No such alerts fired.")  # fmt: skip


def _past(found: "list[PastAlert]") -> str:
    rows = [["STATE", "SEVERITY", "RULE", "SINCE", "UNTIL", "VALUE", "WHAT"]]
    for each in found:
        until = time_text(each.resolved_unix_ms) if each.resolved_unix_ms else "-"
        name, since = each.labels.get("alertname", each.rule), time_text(each.fired_unix_ms)
        rows.append([each.state, each.severity, name, since, until, f"{each.value:.4g}", each.text])
    return columns(rows, (8, 8, 16, 20, 20, 6, 40))


def _sheet(found: "list[PastAlert]") -> tuple[list[str], list[list[object]]]:
    from dayfly.model.past_alert import PastAlert

    names = [name for name in PastAlert.__struct_fields__ if name != "labels"]
    rows = [
        [
            time_text(each.fired_unix_ms), time_text(each.resolved_unix_ms) if each.resolved_unix_ms else None,
            " ".join(f"{name}={value}" for name, value in sorted(each.labels.items())),
            *(getattr(each, name) for name in names),
        ]
        for each in found
    ]  # fmt: skip
    return ["since", "until", "labels", *names], rows


def _table(alerts: "list[Alert]") -> str:
    rows = [["STATE", "SEVERITY", "RULE", "SINCE", "SILENCED", "WHAT"]]
    for each in alerts:
        quiet = "yes" if each.silences else "no"
        name = each.labels.get("alertname", each.rule)
        rows.append([each.state, each.severity, name, time_text(each.pending_unix_ms), quiet, each.text])
    return columns(rows, (8, 8, 16, 20, 8, 40))
