"""`dayfly scale`: a number of replicas set by hand, or given back to the scaler."""

import click

from dayfly.cli.options import function_argument, gateway_option, namespace_option, output_option
from dayfly.cli.output import show
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress
from dayfly.model.errors import InvalidRequest


@click.command("scale")
@function_argument
@click.argument("replicas", metavar="N|auto")
@gateway_option
@namespace_option
@output_option
def command(name: str, replicas: str, gateway: str, namespace: str, output: str) -> None:
    """Set a function's number of replicas.

    The number holds until the next deployment; `auto` gives it back to the scaler at once. At 0 the next call starts a
    replica.

    \b
    Examples:
      dayfly scale hello 3
      dayfly scale hello 0
      dayfly scale hello auto
    """
    if replicas != "auto" and not (replicas.isascii() and replicas.isdigit() and len(replicas) < 7):
        raise InvalidRequest(f"{replicas[:40]!r} is not a number of replicas", hint="Give a whole number, or auto.")
    wanted = None if replicas == "auto" else int(replicas)
    with connect(gateway) as client, Progress("asking the gateway"):
        status = client.scale(name, wanted, namespace=namespace)
    text = f"Scaled {status.spec.name}: {status.desired_replicas} wanted, {status.ready_replicas} ready."
    show(status, output, table=lambda: text, names=lambda: [status.spec.name])
