"""`dayfly alert rule`: what is watched."""

from typing import TYPE_CHECKING, cast, get_args

import click

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, sheet, show
from dayfly.cli.removal import remove_each
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress

if TYPE_CHECKING:
    from dayfly.model.alert import AlertKind, AlertRule, Direction, RuleStatus, Severity

KINDS = (
    "error_rate", "latency", "no_traffic", "cold_starts", "replicas", "restarts", "queue_depth", "dead_letters",
    "budget", "disk", "certificate", "promql",
)  # fmt: skip


@click.group("rule", cls=Group, aliases={"inspect": "describe"})
def rule() -> None:
    """Make, list and remove the rules of alerts.

    \b
    Examples:
      dayfly alert rule kinds
      dayfly alert rule set slow --kind latency --threshold 0.5 --resolve 0.4 --window 10m --for 5m
      dayfly alert rule list
    """


@rule.command("set")
@click.argument("name")
@click.option("--kind", required=True, type=click.Choice(KINDS), help="What is watched; `kinds` lists them.")
@click.option("--function", default="", metavar="NAME", help="Only this function.  [default: all]")
@click.option("--threshold", type=float, metavar="NUMBER", help="Beyond it there is an alert; parts as 0.05.")
@click.option("--direction", type=click.Choice(("above", "below")), help="On which side of it.  [default: the kind's]")
@click.option("--resolve", type=float, metavar="NUMBER", help="Up to where an alert stays.  [default: the threshold]")
@click.option("--window", default="", metavar="SPAN", help="Over how long calls are counted.  [default: the kind's]")
@click.option("--quantile", type=float, default=0.95, metavar="PART", help="For latency: which.", show_default=True)
@click.option("--expr", default="", metavar="PROMQL", help="For promql: the expression.")
@click.option("--for", "for_", default="0s", metavar="SPAN", help="How long it must hold.", show_default=True)
@click.option("--keep-firing-for", default="0s", metavar="SPAN", help="How long it must not.", show_default=True)
@click.option("--severity", type=click.Choice(("info", "warning", "critical")), default="warning", show_default=True,
              help="How bad it is.")  # fmt: skip
@click.option("--summary", default="", metavar="TEXT", help="What people are to read with it.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="A further label of its alerts.")
@click.option("--receiver", "receivers", multiple=True, metavar="NAME", help="Who is told.  [default: all]")
@click.option("--paused", is_flag=True, help="Watch nothing for now.")
@gateway_option
@namespace_option
def set_(
    name: str, kind: str, function: str, threshold: float | None, direction: str | None, resolve: float | None,
    window: str, quantile: float, expr: str, for_: str, keep_firing_for: str, severity: str, summary: str,
    labels: tuple[str, ...], receivers: tuple[str, ...], paused: bool, gateway: str, namespace: str,
) -> None:  # fmt: skip
    """Make a rule, or let it be this from now on. Without --namespace it is the installation's, for who may.

    \b
    Examples:
      dayfly alert rule set errors --kind error_rate --threshold 0.05 --for 2m --severity critical
      dayfly alert rule set quiet --kind no_traffic --window 1h --function shop --namespace team
      dayfly alert rule set busy --kind promql --expr 'sum by (function_name) (dayfly_function_inflight) > 50'
    """
    from dayfly.model.alert import AlertRule
    from dayfly.model.errors import InvalidSpec

    told: dict[str, str] = {}
    for each in labels:
        key, equals, value = each.partition("=")
        if not equals:
            raise InvalidSpec(f"--label: {each[:80]!r} is not NAME=VALUE")
        told[key] = value
    wanted = AlertRule(
        name=name, namespace=namespace, kind=cast("AlertKind", kind), function=function, threshold=threshold,
        direction=cast("Direction | None", direction), resolve=resolve, window=window, quantile=quantile, expr=expr,
        for_=for_, keep_firing_for=keep_firing_for, severity=cast("Severity", severity), summary=summary, labels=told,
        receivers=receivers, paused=paused,
    )  # fmt: skip
    with connect(gateway) as client, Progress("writing the rule"):
        status = client.put_alert_rule(wanted)
    click.echo(f"Rule set: {status.rule.name}, {what(status.rule)}")


@rule.command("list")
@gateway_option
@namespace_option
@output_option
def list_(gateway: str, namespace: str, output: str) -> None:
    """List the rules, and how each does.

    \b
    Examples:
      dayfly alert rule list
      dayfly alert rule list --output name
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        rules = client.list_alert_rules(namespace)
    show(rules, output, table=lambda: _table(rules), names=lambda: [each.rule.name for each in rules])


@rule.command("describe")
@click.argument("name")
@gateway_option
@namespace_option
@output_option
def describe(name: str, gateway: str, namespace: str, output: str) -> None:
    """Show everything about a rule.

    \b
    Examples:
      dayfly alert rule describe crash-loop
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        status = client.get_alert_rule(name, namespace=namespace)
    show(status, output, table=lambda: sheet(_fields(status)), names=lambda: [status.rule.name])


@rule.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@gateway_option
@namespace_option
def remove(names: tuple[str, ...], gateway: str, namespace: str) -> None:
    """Remove rules. One of those that are there from the start is paused.

    \b
    Examples:
      dayfly alert rule remove slow
    """
    remove_each(gateway, "rule", names, lambda client, name: client.remove_alert_rule(name, namespace=namespace))


@rule.command("kinds")
def kinds() -> None:
    """List what can be watched, and what a rule takes that does not say.

    \b
    Examples:
      dayfly alert rule kinds
    """
    from dayfly.model.alert import WATCHED, AlertKind

    rows = [["KIND", "ALERT", "THRESHOLD", "WINDOW", "FIGURE"]]
    for kind in get_args(AlertKind):
        each = WATCHED[kind]
        threshold = "-" if each.threshold is None else f"{each.threshold:g}"
        rows.append([kind, each.direction, threshold, each.window or "-", each.of])
    click.echo(columns(rows, (14, 6, 9, 6, 40)))


def what(rule: "AlertRule") -> str:
    """Return what a rule watches, in a few words."""
    from dayfly.model.alert import WATCHED

    watched = WATCHED[rule.kind]
    bound = rule.threshold if rule.threshold is not None else watched.threshold
    side = f" {rule.direction or watched.direction} {bound:g}" if bound is not None else ""
    return f"{rule.kind}{side}" + (f" for {rule.for_}" if rule.for_ != "0s" else "")


def _table(rules: "list[RuleStatus]") -> str:
    rows = [["NAME", "NAMESPACE", "WATCHES", "SEVERITY", "STATE", "ALERTS"]]
    for each in rules:
        named = each.rule
        rows.append([named.name, named.namespace or "-", what(named), named.severity, each.state, str(each.alerts)])
    return columns(rows, (20, 12, 30, 8, 8, 6))


def _fields(status: "RuleStatus") -> list[tuple[str, str]]:
    rule = status.rule
    return [
        ("Name", rule.name),
        ("Namespace", rule.namespace or "<the installation>"),
        ("Watches", what(rule)),
        ("Expression", rule.expr or "<none>"),
        ("Function", rule.function or "<all>"),
        ("Severity", rule.severity),
        ("Resolved At", f"{rule.resolve:g}" if rule.resolve is not None else "<the threshold>"),
        ("Keeps Firing For", rule.keep_firing_for),
        ("Summary", rule.summary or "<none>"),
        ("Labels", ", ".join(f"{name}={value}" for name, value in rule.labels.items()) or "<none>"),
        ("Receivers", ", ".join(rule.receivers) or "<all>"),
        ("State", status.state),
        ("Alerts", str(status.alerts)),
        ("Trouble", status.trouble or "<none>"),
        ("Last Look", time_text(status.looked_unix_ms) if status.looked_unix_ms else "<none>"),
    ]
