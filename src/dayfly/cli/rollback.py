"""`dayfly rollback`: an earlier revision serves again, or a rollout under way is ended."""

from typing import Any

import click
import msgspec

from dayfly.cli.canary import CanaryOptions, canary_options
from dayfly.cli.options import (
    RevisionNumber,
    function_argument,
    gateway_option,
    namespace_option,
    output_option,
    wait_options,
)
from dayfly.cli.output import show
from dayfly.cli.rollouts import serving_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress
from dayfly.cli.waiting import wait_until_ready
from dayfly.model.quantities import parse_duration


@click.command("rollback")
@function_argument
@click.option(
    "--to", type=RevisionNumber(), metavar="REVISION", help="The revision that is to serve.  [default: the one before]"
)
@canary_options
@wait_options
@gateway_option
@namespace_option
@output_option
def command(
    name: str, to: int | None, wait: bool, wait_timeout: str, gateway: str, namespace: str, output: str, **canary: Any
) -> None:
    """Let an earlier revision serve again.

    It takes over as a deployment does: its replicas start, take the calls, and those of the other finish theirs. While
    a rollout is under way, and without --to, that rollout is ended and the revision before it goes on.

    \b
    Examples:
      dayfly revisions hello
      dayfly rollback hello
      dayfly rollback hello --to 3
    """
    policy = msgspec.convert(canary, CanaryOptions).policy()
    wait_s = parse_duration(wait_timeout) if wait else 0
    with connect(gateway) as client, Progress("asking the gateway") as progress:
        status = client.rollback(name, to=to, canary=policy, namespace=namespace)
        if wait_s:
            status = wait_until_ready(client, status, progress, timeout_s=wait_s)
    show(status, output, table=lambda: serving_text(status), names=lambda: [status.spec.name])
