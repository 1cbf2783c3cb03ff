"""`dayfly trigger`: events that call functions."""

import sys
from typing import TYPE_CHECKING

import click

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, sheet, show
from dayfly.cli.removal import remove_each
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress
from dayfly.cli.trigger_source import settings_of, source_of

if TYPE_CHECKING:
    from dayfly.model.trigger import TriggerSpec, TriggerStatus

KINDS = (
    "amqp", "cron", "event", "files", "function", "kafka", "mqtt", "nats", "postgresql", "redis", "s3", "webhook",
)  # fmt: skip


@click.group("trigger", cls=Group, aliases={"inspect": "describe"})
def command() -> None:
    """Make, list, pause, try and remove triggers, which call functions when something happens.

    A trigger has a source of events, which may be the clock, a webhook, a broker, a database, a bucket, a folder, or
    another function's end; a filter, if not all of them count; and a function, or a flow. Every event is in the queue,
    or in the run's log, before it is acknowledged to its source.

    \b
    Examples:
      dayfly trigger create nightly --function report --kind cron --set schedule="0 3 * * *"
      dayfly trigger create orders --function shop --kind mqtt --set host=mqtt.example.org --set topics=orders/#
      dayfly trigger list
    """


@command.command("create")
@click.argument("name")
@click.option("--function", default="", metavar="NAME", help="Whom to call.  [default: all with the topic annotated]")
@click.option("--flow", default="", metavar="NAME", help="The flow to begin instead, with the event as its input.")
@click.option("--kind", required=True, type=click.Choice(KINDS), help="What kind of source it has.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="What the source is told; lists by commas."
)
@click.option("--secret", default="", metavar="NAME", help="The secret that lets the source in.")
@click.option("--filter", "filter_", default="", metavar="EXPR", help="A JMESPath expression; see docs/events.md.")
@click.option("--paused", is_flag=True, help="Let it rest until it is resumed.")
@click.option("--replace", "replaces", is_flag=True, help="Let it take the place of one of this name.")
@gateway_option
@namespace_option
def create(
    name: str, function: str, flow: str, kind: str, settings: tuple[str, ...], secret: str, filter_: str, paused: bool,
    replaces: bool, gateway: str, namespace: str,
) -> None:  # fmt: skip
    """Make a trigger. `dayfly trigger kinds` lists what each kind of source can be told.

    \b
    Examples:
      dayfly trigger create nightly --function report --kind cron --set schedule="0 3 * * *"
      dayfly trigger create on-push --function build --kind webhook --secret github-webhook
      dayfly trigger create big --function audit --kind event --set types='com.example.*' \\
        --filter 'data.total > `1000`'
      dayfly trigger create paid --flow ship-order --kind event --set types=com.example.order.paid
      dayfly trigger create then --function notify --kind function --set name=report --set outcome=both
    """
    from dayfly.model.trigger import TriggerSpec

    source = source_of(kind, settings, secret)
    with connect(gateway) as client:
        spec = TriggerSpec(
            name=name, namespace=namespace or client.namespace, function=function, flow=flow, source=source,
            filter=filter_, paused=paused,
        )  # fmt: skip
        with Progress("making the trigger"):
            client.put_trigger(spec, mode="upsert" if replaces else "create")
    click.echo(f"Trigger created: {name}, {_what(spec)}")
    if kind == "webhook":
        click.echo(f"It is delivered to {client.url.rstrip('/')}/hooks/{spec.namespace}/{name}")


@command.command("list")
@gateway_option
@namespace_option
@output_option
def list_(gateway: str, namespace: str, output: str) -> None:
    """List the triggers, and how each does.

    \b
    Examples:
      dayfly trigger list
      dayfly trigger list --output name
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        triggers = client.list_triggers(namespace)
    show(
        triggers,
        output,
        table=lambda: _table(triggers),
        names=lambda: [one.spec.name for one in triggers],
        none="No triggers found.",
    )


@command.command("describe")
@click.argument("name")
@gateway_option
@namespace_option
@output_option
def describe(name: str, gateway: str, namespace: str, output: str) -> None:
    """Show everything about a trigger.

    \b
    Examples:
      dayfly trigger describe orders
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        status = client.get_trigger(name, namespace=namespace)
    show(status, output, table=lambda: sheet(_fields(status)), names=lambda: [status.spec.name])


@command.command("pause")
@click.argument("name")
@gateway_option
@namespace_option
def pause(name: str, gateway: str, namespace: str) -> None:
    """Let a trigger rest. What its source keeps meanwhile comes when it is resumed.

    \b
    Examples:
      dayfly trigger pause orders
    """
    with connect(gateway) as client, Progress("pausing the trigger"):
        client.pause_trigger(name, namespace=namespace)
    click.echo(f"Trigger paused: {name}")


@command.command("resume")
@click.argument("name")
@gateway_option
@namespace_option
def resume(name: str, gateway: str, namespace: str) -> None:
    """Let a trigger go on.

    \b
    Examples:
      dayfly trigger resume orders
    """
    with connect(gateway) as client, Progress("resuming the trigger"):
        client.resume_trigger(name, namespace=namespace)
    click.echo(f"Trigger resumed: {name}")


@command.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@gateway_option
@namespace_option
def remove(names: tuple[str, ...], gateway: str, namespace: str) -> None:
    """Remove triggers. What they have queued is called.

    \b
    Examples:
      dayfly trigger remove orders
    """
    remove_each(gateway, "trigger", names, lambda client, name: client.remove_trigger(name, namespace=namespace))


@command.command("test")
@click.argument("name")
@click.option("--data", default="", metavar="TEXT", help="What the event holds; - reads standard input.")
@click.option("--type", "type_", default="com.dayfly.test", metavar="TYPE", help="What kind of event it is.")
@click.option("--subject", default="", metavar="TEXT", help="What it is about; the topic for a broker's trigger.")
@click.option("--content-type", default="", metavar="TYPE", help="What the data is.  [default: JSON, if it is]")
@gateway_option
@namespace_option
def test(
    name: str, data: str, type_: str, subject: str, content_type: str, gateway: str, namespace: str
) -> None:  # fmt: skip
    """Give a trigger an event, as if its source had, also one that is paused.

    \b
    Examples:
      dayfly trigger test orders --data '{"total": 1200}' --subject eu
    """
    import uuid

    from dayfly.model.event import Event

    content = sys.stdin.buffer.read() if data == "-" else data.encode()
    event = Event(
        id=str(uuid.uuid4()), source="/dayfly/trigger-test", type=type_, subject=subject, content_type=content_type,
        data=content,
    )  # fmt: skip
    with connect(gateway) as client, Progress("giving the trigger an event"):
        delivered = client.test_trigger(name, event, namespace=namespace)
    click.echo(
        f"Event delivered: {event.id}" if delivered else "Nobody wanted it: by the filter, or for want of a function."
    )


@command.command("kinds")
@click.argument("kind", required=False, type=click.Choice(KINDS))
def kinds_(kind: str | None) -> None:
    """List the kinds of sources, or what one of them can be told.

    \b
    Examples:
      dayfly trigger kinds
      dayfly trigger kinds mqtt
    """
    if kind is None:
        from dayfly.client.trigger_kinds import kinds

        rows = [[name, (each.__doc__ or "").partition("\n")[0]] for name, each in sorted(kinds().items())]
        click.echo(columns([["KIND", "EVENTS FROM"], *rows], (12, 60)))
        return
    click.echo(columns([["SETTING", "VALUE", "DEFAULT"], *map(list, settings_of(kind))], (14, 20, 10)))


def _what(spec: "TriggerSpec") -> str:
    return f"{spec.source.kind} to {_target(spec, 'functions by topic')}"


def _target(spec: "TriggerSpec", topic: str) -> str:
    return f"flow {spec.flow}" if spec.flow else spec.function or topic


def _table(triggers: "list[TriggerStatus]") -> str:
    rows = [["NAME", "KIND", "TARGET", "STATE", "DELIVERED", "FILTERED", "FAILED"]]
    for one in triggers:
        spec, standing = one.spec, one.standing
        counts = [str(each) for each in (standing.delivered, standing.filtered, standing.failed)]
        rows.append([spec.name, spec.source.kind, _target(spec, "by topic"), standing.state, *counts])
    return columns(rows, (20, 10, 20, 10, 9, 8, 6))


def _fields(status: "TriggerStatus") -> list[tuple[str, str]]:
    import msgspec

    spec, standing = status.spec, status.standing
    told = msgspec.to_builtins(spec.source)
    source = [f"{name} {', '.join(value) if isinstance(value, tuple) else value}" for name, value in told.items()]
    return [
        ("Name", spec.name),
        ("Namespace", spec.namespace),
        ("Flow", spec.flow) if spec.flow else ("Function", spec.function or "all with the topic annotated"),
        ("Source", "; ".join(source)),
        ("Filter", spec.filter or "<none>"),
        ("State", standing.state),
        ("Trouble", standing.trouble or "<none>"),
        ("Delivered", str(standing.delivered)),
        ("Filtered", str(standing.filtered)),
        ("Failed", str(standing.failed)),
        *((("Missed", str(standing.missed)),) if standing.missed else ()),
        ("Last Event", time_text(standing.last_unix_ms) if standing.last_unix_ms else "<none>"),
        ("Created", time_text(status.created_unix_ms)),
        ("Updated", time_text(status.updated_unix_ms)),
    ]
