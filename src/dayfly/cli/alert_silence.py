"""`dayfly alert silence`: what nobody is told for a while."""

from typing import TYPE_CHECKING

import click

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress

if TYPE_CHECKING:
    from dayfly.model.alert import Silence


@click.group("silence", cls=Group)
def silence() -> None:
    """Silence alerts, list silences, and end them.

    \b
    Examples:
      dayfly alert silence add alertname=errors namespace=team --duration 2h
      dayfly alert silence list
    """


@silence.command("add")
@click.argument("matchers", nargs=-1, required=True, metavar="NAME=VALUE...")
@click.option("--duration", default="1h", metavar="SPAN", show_default=True, help="How long from now on.")
@click.option("--comment", default="", metavar="TEXT", help="Why.")
@gateway_option
@namespace_option
def add(matchers: tuple[str, ...], duration: str, comment: str, gateway: str, namespace: str) -> None:
    """Have the alerts with all these labels told to nobody for a while.

    NAME!=VALUE is what a label must not be, and * in a value stands for any text.

    \b
    Examples:
      dayfly alert silence add alertname=errors --duration 2h --comment "a deployment"
      dayfly alert silence add 'function=shop-*' severity!=critical
    """
    from dayfly.model.alert import Matcher, SilenceRequest

    asked = SilenceRequest(matchers=tuple(Matcher.parse(each) for each in matchers), duration=duration, comment=comment)
    with connect(gateway) as client, Progress("writing the silence"):
        found = client.add_silence(asked, namespace=namespace)
    click.echo(f"Silenced until {time_text(found.ends_unix_ms)}: {found.id}")


@silence.command("list")
@gateway_option
@namespace_option
@output_option
def list_(gateway: str, namespace: str, output: str) -> None:
    """List the silences, the newest first.

    \b
    Examples:
      dayfly alert silence list
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        silences = client.list_silences(namespace)
    show(
        silences,
        output,
        table=lambda: _table(silences),
        names=lambda: [each.id for each in silences],
        none="No silences.",
    )


@silence.command("end")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@gateway_option
@namespace_option
def end(ids: tuple[str, ...], gateway: str, namespace: str) -> None:
    """End silences, so that their alerts are told of again.

    \b
    Examples:
      dayfly alert silence end 0123456789abcdef
    """
    with connect(gateway) as client:
        for name in ids:
            with Progress("ending the silence"):
                client.end_silence(name, namespace=namespace)
            click.echo(f"Silence ended: {name}")


def _table(silences: "list[Silence]") -> str:
    rows = [["ID", "NAMESPACE", "ALERTS", "FROM", "UNTIL", "BY", "COMMENT"]]
    for each in silences:
        matchers = " ".join(matcher.text for matcher in each.matchers)
        span = [time_text(each.starts_unix_ms), time_text(each.ends_unix_ms)]
        rows.append([each.id, each.namespace or "-", matchers, *span, each.created_by, each.comment])
    return columns(rows, (16, 12, 24, 20, 20, 10, 20))
