"""`dayfly alert receiver`: who is told, and by what."""

import sys
from typing import TYPE_CHECKING, Any

import click

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, sheet, show
from dayfly.cli.removal import remove_each
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress

if TYPE_CHECKING:
    from dayfly.model.receiver import ReceiverStatus

KINDS = ("email", "slack", "webhook", "alertmanager", "apprise")


@click.group("receiver", cls=Group, aliases={"inspect": "describe"})
def receiver() -> None:
    """Make, list, try and remove receivers, which are told of alerts and sent reports.

    \b
    Examples:
      dayfly alert receiver set ops --kind email --host smtp.example.org --from dayfly@example.org --to ops@example.org
      dayfly alert receiver test ops
    """


@receiver.command("set")
@click.argument("name")
@click.option("--kind", required=True, type=click.Choice(KINDS), help="How they are told.")
@click.option("--host", default="", metavar="HOST", help="email: the server.")
@click.option("--port", type=int, default=587, show_default=True, metavar="PORT", help="email: its port.")
@click.option("--security", type=click.Choice(("starttls", "tls", "none")), default="starttls", show_default=True,
              help="email: how it is encrypted.")  # fmt: skip
@click.option("--username", default="", metavar="NAME", help="email: who we are to the server.")
@click.option("--from", "sender", default="", metavar="ADDRESS", help="email: the sender.")
@click.option("--to", multiple=True, metavar="ADDRESS", help="email: whom to send it to.")
@click.option("--url", default="", metavar="URL", help="webhook, alertmanager: where to post it.")
@click.option("--format", "format_", type=click.Choice(("api", "webhook")), default="api", show_default=True,
              help="alertmanager: as its API takes it, or as its webhooks are.")  # fmt: skip
@click.option("--secret-stdin", is_flag=True, help="Read the secret: a password, a key, a URL that holds one.")
@click.option("--match", "matchers", multiple=True, metavar="NAME=VALUE", help="Only alerts with this label.")
@click.option("--min-severity", type=click.Choice(("info", "warning", "critical")), default="info", show_default=True,
              help="Only what is as bad or worse.")  # fmt: skip
@click.option("--group-by", default="alertname", show_default=True, metavar="NAMES", help="Labels, with commas.")
@click.option("--group-wait", default="30s", show_default=True, metavar="SPAN", help="How long to wait for more.")
@click.option("--group-interval", default="5m", show_default=True, metavar="SPAN", help="Between news of a group.")
@click.option("--repeat-interval", default="4h", show_default=True, metavar="SPAN", help="Before it is told again.")
@click.option("--no-resolved", is_flag=True, help="Do not tell of what is resolved.")
@gateway_option
@namespace_option
def set_(
    name: str, kind: str, host: str, port: int, security: str, username: str, sender: str, to: tuple[str, ...],
    url: str, format_: str, secret_stdin: bool, matchers: tuple[str, ...], min_severity: str, group_by: str,
    group_wait: str, group_interval: str, repeat_interval: str, no_resolved: bool, gateway: str, namespace: str,
) -> None:  # fmt: skip
    """Make a receiver, or let it be this from now on. A secret that is not given stays as it is.

    The secret is the password for email, the URL for slack, the key of signatures for webhook, a bearer token for
    alertmanager, and for apprise its URLs, one a line.

    \b
    Examples:
      dayfly alert receiver set ops --kind email --host smtp.example.org --username dayfly \\
        --from dayfly@example.org --to ops@example.org --secret-stdin < password
      dayfly alert receiver set chat --kind slack --min-severity critical --secret-stdin < url
      dayfly alert receiver set hook --kind webhook --url https://hooks.example.org/x --group-wait 0s
    """
    import msgspec

    from dayfly.model.alert import Matcher
    from dayfly.model.errors import InvalidSpec
    from dayfly.model.receiver import Receiver

    targets: dict[str, dict[str, Any]] = {
        "email": {"host": host, "port": port, "security": security, "username": username, "sender": sender, "to": to},
        "webhook": {"url": url},
        "alertmanager": {"url": url, "format": format_},
    }
    fields = {
        "name": name, "namespace": namespace, "target": {"kind": kind, **targets.get(kind, {})},
        "min_severity": min_severity, "group_by": tuple(filter(None, group_by.split(","))), "group_wait": group_wait,
        "group_interval": group_interval, "repeat_interval": repeat_interval, "send_resolved": not no_resolved,
        "matchers": [msgspec.to_builtins(Matcher.parse(each)) for each in matchers],
    }  # fmt: skip
    try:
        wanted = msgspec.convert(fields, Receiver)
    except msgspec.ValidationError as error:
        raise InvalidSpec(f"{error}") from None
    secret = sys.stdin.read().strip("\r\n") if secret_stdin else None
    with connect(gateway) as client, Progress("writing the receiver"):
        status = client.put_receiver(wanted, secret=secret)
    click.echo(f"Receiver set: {status.receiver.name}, {where(status)}")


@receiver.command("list")
@gateway_option
@namespace_option
@output_option
def list_(gateway: str, namespace: str, output: str) -> None:
    """List the receivers, and how each does.

    \b
    Examples:
      dayfly alert receiver list
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        receivers = client.list_receivers(namespace)
    show(
        receivers,
        output,
        table=lambda: _table(receivers),
        names=lambda: [each.receiver.name for each in receivers],
        none="No receivers. Alerts are shown, and nobody is told.",
    )


@receiver.command("describe")
@click.argument("name")
@gateway_option
@namespace_option
@output_option
def describe(name: str, gateway: str, namespace: str, output: str) -> None:
    """Show everything about a receiver but its secret.

    \b
    Examples:
      dayfly alert receiver describe ops
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        status = client.get_receiver(name, namespace=namespace)
    show(status, output, table=lambda: sheet(_fields(status)), names=lambda: [status.receiver.name])


@receiver.command("test")
@click.argument("name")
@gateway_option
@namespace_option
def test(name: str, gateway: str, namespace: str) -> None:
    """Send a receiver something that says that nothing is wrong.

    \b
    Examples:
      dayfly alert receiver test ops
    """
    with connect(gateway) as client, Progress("sending"):
        trouble = client.test_receiver(name, namespace=namespace)
    click.echo(f"Sent, but: {trouble}" if trouble else f"Sent to {name}")


@receiver.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@gateway_option
@namespace_option
def remove(names: tuple[str, ...], gateway: str, namespace: str) -> None:
    """Remove receivers, and what they keep secret.

    \b
    Examples:
      dayfly alert receiver remove ops
    """
    remove_each(gateway, "receiver", names, lambda client, name: client.remove_receiver(name, namespace=namespace))


def where(status: "ReceiverStatus") -> str:
    """Return where a receiver is told, in a few words."""
    from dayfly.model.receiver import AlertmanagerTarget, EmailTarget, WebhookTarget

    match status.receiver.target:
        case EmailTarget(to=to, host=host):
            return f"email to {', '.join(to)} by {host}"
        case WebhookTarget(url=url):
            return f"webhook at {url}"
        case AlertmanagerTarget(url=url):
            return f"alertmanager at {url}"
        case other:
            return str(other.__struct_config__.tag)


def _table(receivers: "list[ReceiverStatus]") -> str:
    rows = [["NAME", "NAMESPACE", "WHERE", "SENT", "TROUBLE"]]
    for each in receivers:
        told = each.receiver
        rows.append([told.name, told.namespace or "-", where(each), str(each.sent), each.trouble or "-"])
    return columns(rows, (16, 12, 40, 5, 20))


def _fields(status: "ReceiverStatus") -> list[tuple[str, str]]:
    told = status.receiver
    return [
        ("Name", told.name),
        ("Namespace", told.namespace or "<the installation>"),
        ("Where", where(status)),
        ("Secret", _secret(status)),
        ("Alerts", " ".join(each.text for each in told.matchers) or "<all>"),
        ("Least Severity", told.min_severity),
        ("Grouped By", ", ".join(told.group_by) or "<all together>"),
        ("Waits", f"{told.group_wait}, then {told.group_interval}; again after {told.repeat_interval}"),
        ("Sent", str(status.sent)),
        ("Last Sent", time_text(status.sent_unix_ms) if status.sent_unix_ms else "<none>"),
        ("Trouble", status.trouble or "<none>"),
    ]


def _secret(status: "ReceiverStatus") -> str:
    given = f", given {time_text(status.secret_unix_ms)}" if status.secret_unix_ms else ""
    return f"kept{given}" if status.has_secret else "<none>"
