"""`dayfly version`: this program's version and the platform's. Never fails for want of a platform."""

import platform
from typing import TYPE_CHECKING, Any

import click

from dayfly import __version__
from dayfly.cli.faas_json import json_option, show_json, version_of
from dayfly.cli.options import gateway_option, output_option
from dayfly.cli.output import show
from dayfly.cli.selection import stack_gateway, yaml_option
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress
from dayfly.model.errors import DayflyError, Unavailable

if TYPE_CHECKING:
    from dayfly.model.status import PlatformInfo

_TIMEOUT_S = 5.0


@click.command("version")
@click.option("--short-version", is_flag=True, help="This program's version alone, asking no gateway.")
@click.option("--warn-update/--no-warn-update", hidden=True, expose_value=False, help="Nothing: we ask nobody.")
@yaml_option
@gateway_option
@json_option
@output_option
def command(short_version: bool, stack_file: str | None, gateway: str, is_json: bool, output: str) -> None:
    """Show the version of this program and of the platform.

    \b
    Examples:
      dayfly version
      dayfly version --short-version
      dayfly version --json | jq -r .gateway.version
    """
    if short_version:
        click.echo(__version__)
        return
    try:
        where = stack_gateway(stack_file)
        with connect(gateway, stack=where, timeout_s=_TIMEOUT_S) as client, Progress("asking the gateway"):
            info, url, unreachable = client.info(), client.url, ""
    except DayflyError as error:
        if is_json:
            raise Unavailable(error.message, hint=error.hint) from error
        info, url, unreachable = None, "", error.message
    if is_json and info is not None:
        show_json(version_of(__version__, info, url))
        return
    data: dict[str, Any] = {"cli": {"version": __version__, "python": platform.python_version()}, "platform": info}
    show(data, output, table=lambda: _blocks(info, url, unreachable), names=lambda: [__version__])


def _blocks(info: "PlatformInfo | None", url: str, unreachable: str) -> str:
    """The blocks that faas-cli prints."""
    told = f"CLI:\n commit:  v{__version__}\n version: {__version__}\n python:  {platform.python_version()}\n"
    if info is None:
        return f"{told}\nGateway\n not asked: {unreachable}"
    return (
        f"{told}\nGateway\n uri:     {url}\n version: {info.version}\n sha:     v{info.version}\n"
        f"\nProvider\n name:          dayfly\n orchestration: {info.provider}\n version:       {info.version}\n"
        f" sha:           v{info.version}\n architecture:  {info.architecture}\n functions:     {info.functions}"
    )
