"""`dayfly flow`: steps taken one after another and together, and what came of them."""

from typing import TYPE_CHECKING

import click

from dayfly.cli import flow_run
from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.removal import remove_each
from dayfly.cli.rollouts import time_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, warn
from dayfly.model.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from dayfly.client import Client
    from dayfly.model.flow import FlowSpec
    from dayfly.model.flow_status import FlowStatus


@click.group("flow", cls=Group, aliases={"inspect": "describe"})
def command() -> None:
    """Make, list and remove flows; run them, look at their runs, answer and rerun these.

    A flow calls functions in steps, one after another, side by side, for each item of a list, after a time, an event or
    a person's approval. Each step's result is on the disk before the next begins: a run goes on where it was, whatever
    is killed meanwhile.

    \b
    Examples:
      dayfly flow create thumbnails --step fetch --step resize --step store
      dayfly flow deploy -f order.yaml
      dayfly flow run order --wait < order.json
      dayfly flow describe 4f0k2m9x1c7b8a3d
    """


@command.command("create")
@click.argument("name")
@click.option("--step", "functions", multiple=True, metavar="FUNCTION", help="A function; repeat it.")
@click.option("--code", metavar="FUNCTION", help="The function that is the flow: async def flow(ctx, input).")
@click.option("--replace", "replaces", is_flag=True, help="Take the place of a flow of this name.")
@gateway_option
@namespace_option
def create(
    name: str, functions: tuple[str, ...], code: str | None, replaces: bool, gateway: str, namespace: str
) -> None:  # fmt: skip
    """Make a flow: a sequence, in which each function gets what the one before answered, or a function's own code.

    \b
    Examples:
      dayfly flow create thumbnails --step fetch --step resize --step store
      dayfly flow create order --code order-flow
    """
    from dayfly.model.flow import FlowSpec

    if bool(functions) == bool(code):
        raise InvalidRequest("A flow is made of --step, once or several times, or of one --code.")

    with connect(gateway) as client:
        of = namespace or client.namespace
        spec = FlowSpec.code(name, of, code) if code else FlowSpec.sequence(name, of, functions)
        with Progress("making the flow"):
            client.put_flow(spec, mode="upsert" if replaces else "create")
            missing = _missing(client, spec)
    click.echo(f"Flow created: {name}, {_kinds(len(spec.steps))}")
    _warn_of(missing, spec)


@command.command("deploy")
@click.option("-f", "--file", "path", required=True, metavar="FILE", help="The flow's file, YAML or JSON.")
@gateway_option
@namespace_option
def deploy(path: str, gateway: str, namespace: str) -> None:
    """Make a flow what its file says, new or not. Runs under way keep the steps they began with.

    \b
    Examples:
      dayfly flow deploy -f order.yaml
    """
    from dayfly.client.flow_file import load_flow

    with connect(gateway) as client:
        spec = load_flow(path, namespace or client.namespace)
        with Progress("deploying the flow"):
            client.put_flow(spec)
            missing = _missing(client, spec)
    click.echo(f"Flow deployed: {spec.name}, {_kinds(len(spec.steps))}")
    _warn_of(missing, spec)


@command.command("list")
@gateway_option
@namespace_option
@output_option
def list_(gateway: str, namespace: str, output: str) -> None:
    """List the flows.

    \b
    Examples:
      dayfly flow list
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        flows = client.list_flows(namespace)
    show(
        flows,
        output,
        table=lambda: _table(flows),
        names=lambda: [one.spec.name for one in flows],
        none="No flows found.",
    )


@command.command("describe")
@click.argument("run", metavar="RUN|FLOW")
@gateway_option
@namespace_option
@output_option
def describe(run: str, gateway: str, namespace: str, output: str) -> None:
    """Show a run as a graph, with times, inputs and results; or a flow's steps.

    \b
    Examples:
      dayfly flow describe 4f0k2m9x1c7b8a3d
      dayfly flow describe 4f0k2m9x1c7b8a3d --output json
      dayfly flow describe order
    """
    from dayfly.cli.flow_graph import flow_text, run_text

    with connect(gateway) as client, Progress("asking the gateway"):
        try:
            report = client.get_run(run, namespace=namespace)
        except NotFound as no_run:
            try:
                status = client.get_flow(run, namespace=namespace)
            except NotFound:
                hint = "Nor is there such a flow: `dayfly flow runs` lists runs, `dayfly flow list` flows."
                raise NotFound(no_run.message, hint=hint) from None
            report = None
    if report is not None:
        found = report
        show(found, output, table=lambda: run_text(found), names=lambda: [found.run.id])
    else:
        show(status, output, table=lambda: flow_text(status), names=lambda: [status.spec.name])


@command.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@gateway_option
@namespace_option
def remove(names: tuple[str, ...], gateway: str, namespace: str) -> None:
    """Remove flows. Their runs under way go on.

    \b
    Examples:
      dayfly flow remove order
    """
    remove_each(gateway, "flow", names, lambda client, name: client.remove_flow(name, namespace=namespace))


for _each in (flow_run.run, flow_run.runs, flow_run.cancel, flow_run.approve, flow_run.send, flow_run.rerun):
    command.add_command(_each)


def _missing(client: "Client", spec: "FlowSpec") -> list[str]:
    """Return the functions that the flow calls and that are not there."""
    from dayfly.model.flow_step import every

    called = {name for step in every(spec.steps) if (name := getattr(step, "function", ""))}
    return sorted(called - {each.spec.name for each in client.list_functions(spec.namespace)})


def _warn_of(missing: list[str], spec: "FlowSpec") -> None:
    """Say what has to be deployed before a run: either may come first, so that it is no refusal."""
    if missing:
        names, calls = ", ".join(missing), "are no functions" if len(missing) > 1 else "is no function"
        warn(f"{names} {calls} of the namespace {spec.namespace} yet: runs fail there until deployed.")


def _kinds(count: int) -> str:
    return f"{count} step{'s' if count != 1 else ''}"


def _table(flows: "list[FlowStatus]") -> str:
    rows = [["NAME", "STEPS", "UNDER WAY", "UPDATED", "DESCRIPTION"]]
    for one in flows:
        updated, steps = time_text(one.updated_unix_ms), str(len(one.spec.steps))
        rows.append([one.spec.name, steps, str(one.runs_under_way), updated, one.spec.description[:60]])
    return columns(rows, (20, 5, 9, 20, 11))
