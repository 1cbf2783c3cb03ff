"""`dayfly promote`: a canary takes over now."""

import click

from dayfly.cli.options import function_argument, gateway_option, namespace_option, output_option, wait_options
from dayfly.cli.output import show
from dayfly.cli.rollouts import serving_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress
from dayfly.cli.waiting import wait_until_ready
from dayfly.model.quantities import parse_duration


@click.command("promote")
@function_argument
@wait_options
@gateway_option
@namespace_option
@output_option
def command(name: str, wait: bool, wait_timeout: str, gateway: str, namespace: str, output: str) -> None:
    """Let a canary take over now.

    Its trial ends in its favour, whatever is left of its window; `dayfly rollback` ends it the other way.

    \b
    Examples:
      dayfly deploy hello --canary 10 --canary-no-promote
      dayfly promote hello
    """
    wait_s = parse_duration(wait_timeout) if wait else 0
    with connect(gateway) as client, Progress("asking the gateway") as progress:
        status = client.promote(name, namespace=namespace)
        if wait_s:
            status = wait_until_ready(client, status, progress, timeout_s=wait_s)
    show(status, output, table=lambda: serving_text(status), names=lambda: [status.spec.name])
