"""`dayfly version`: this program's version and the platform's. Never fails for want of a platform."""

import platform
from typing import Any

import click
import msgspec

from dayfly import __version__
from dayfly.cli.options import gateway_option, output_option
from dayfly.cli.output import sheet, show
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress
from dayfly.model.errors import DayflyError

_TIMEOUT_S = 5.0


@click.command("version")
@click.option("--short-version", is_flag=True, help="This program's version alone, asking no gateway.")
@gateway_option
@output_option
def command(short_version: bool, gateway: str, output: str) -> None:
    """Show the version of this program and of the platform.

    \b
    Examples:
      dayfly version
      dayfly version --short-version
    """
    if short_version:
        click.echo(__version__)
        return
    data: dict[str, Any] = {"cli": {"version": __version__, "python": platform.python_version()}, "platform": None}
    unreachable = ""
    try:
        with connect(gateway, timeout_s=_TIMEOUT_S) as client, Progress("asking the gateway"):
            data["platform"] = msgspec.to_builtins(client.info())
    except DayflyError as error:
        unreachable = error.message
    show(data, output, table=lambda: _sheet(data, unreachable), names=lambda: [__version__])


def _sheet(data: dict[str, Any], unreachable: str) -> str:
    fields = [("CLI version", __version__), ("Python", data["cli"]["python"])]
    found = data["platform"]
    if not found:
        return sheet([*fields, ("Platform", f"not asked: {unreachable}")])
    return sheet(
        [
            *fields,
            ("Gateway", found["gateway_url"]),
            ("Platform version", found["version"]),
            ("Provider", found["provider"]),
            ("Architecture", found["architecture"]),
            ("Functions", str(found["functions"])),
        ]
    )
