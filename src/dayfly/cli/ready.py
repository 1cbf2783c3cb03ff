"""`dayfly ready`: waits for the platform, or for one function, as scripts do before they call it."""

import time

import click

from dayfly.cli.options import FunctionName, gateway_option, namespace_option
from dayfly.cli.selection import stack_gateway, yaml_option
from dayfly.cli.session import connect
from dayfly.model.errors import DayflyError, FunctionFailed, Unauthenticated, Unavailable
from dayfly.model.quantities import parse_duration

_ATTEMPT_S = 5.0


@click.command("ready")
@click.argument("name", default="", type=FunctionName())
@click.option("--attempts", type=click.IntRange(min=1), default=60, show_default=True, help="How often to ask.")
@click.option("--interval", default="1s", show_default=True, metavar="SPAN", help="How long to wait in between.")
@yaml_option
@gateway_option
@namespace_option
def command(name: str, attempts: int, interval: str, stack_file: str | None, gateway: str, namespace: str) -> None:
    """Wait until the platform, or a function, is ready.

    A function that is scaled to zero is ready: the next call starts it. One that cannot be started is an error at once.

    \b
    Examples:
      dayfly ready
      dayfly ready hello --attempts 10 --interval 500ms
    """
    pause_s = parse_duration(interval)
    stack = stack_gateway(stack_file)
    where = f".{namespace}" if namespace else ""
    what = f"function {name}{where}" if name else "gateway"
    for attempt in range(1, attempts + 1):
        click.echo(f"[{attempt}/{attempts}] Waiting for {what}")
        if _is_ready(name, namespace, gateway, stack):
            click.echo(f"Function {name} is ready" if name else "Dayfly gateway is ready")
            return
        if attempt < attempts:
            time.sleep(pause_s)
    raise Unavailable(f"{what} is not ready after {attempts} attempts.")


def _is_ready(name: str, namespace: str, gateway: str, stack: str) -> bool:
    try:
        # Chosen anew each time: the platform may be started, and found, only now.
        with connect(gateway, stack=stack, timeout_s=_ATTEMPT_S) as client:
            if not name:
                return client.health()
            status = client.get_function(name, namespace=namespace)
    except (Unauthenticated, FunctionFailed):
        raise
    except DayflyError as error:
        if isinstance(error, Unavailable) or error.status == 404:
            return False
        raise
    if status.state == "failing":
        raise FunctionFailed(f"{name} is failing: {status.reason}", hint=f"See `dayfly logs {name}`.")
    return status.state in ("ready", "idle")
