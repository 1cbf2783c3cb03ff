"""`dayfly alert`: what is wrong, what is watched for it, and who is told."""

from typing import TYPE_CHECKING

import click

from dayfly.cli.alert_receiver import receiver
from dayfly.cli.alert_rule import rule
from dayfly.cli.alert_silence import silence
from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress

if TYPE_CHECKING:
    from dayfly.model.alert import Alert


@click.group("alert", cls=Group)
def command() -> None:
    """List alerts; make, list and remove rules, silences and receivers.

    A rule watches a figure. What it finds is pending for as long as the rule says, fires then, and is resolved when it
    is well again. Receivers are told, in groups, by mail, Slack, webhook, an Alertmanager and a hundred other ways; a
    silence keeps them from it for a while. Some rules are there from the start.

    \b
    Examples:
      dayfly alert list
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


def _table(alerts: "list[Alert]") -> str:
    rows = [["STATE", "SEVERITY", "RULE", "SINCE", "SILENCED", "WHAT"]]
    for each in alerts:
        quiet = "yes" if each.silences else "no"
        name = each.labels.get("alertname", each.rule)
        rows.append([each.state, each.severity, name, time_text(each.pending_unix_ms), quiet, each.text])
    return columns(rows, (8, 8, 16, 20, 8, 40))
