"""`dayfly status`: the platform on this machine and its processes."""

from typing import TYPE_CHECKING

import click

from dayfly.cli.options import data_dir_option, output_option
from dayfly.cli.output import columns, sheet, show
from dayfly.model.errors import NotFound
from dayfly.model.quantities import format_memory

if TYPE_CHECKING:
    from dayfly.server.commands import InstanceStatus


@click.command("status")
@data_dir_option
@output_option
def command(data_dir: str | None, output: str) -> None:
    """Show the platform that runs on this machine.

    The exit code is 66 when none runs on the data folder.

    \b
    Examples:
      dayfly status
      dayfly status -o json | jq -r .gateway_url
    """
    from dayfly.server.commands import status

    found = status(data_dir)
    if not found.pid:
        raise NotFound(f"No platform runs on {found.data_dir}.", hint="Start it with `dayfly start`.")
    show(found, output, table=lambda: _table(found), names=lambda: [str(found.pid)])


def _table(found: "InstanceStatus") -> str:
    about = [
        ("Process", str(found.pid)),
        ("Version", found.version or "<starting>"),
        ("Gateway", found.gateway_url or "<starting>"),
        ("Console", found.console_url or "<starting>"),
        ("Metrics", found.metrics_url or "<starting>"),
        ("Data folder", found.data_dir),
    ]
    rows = [("Process", "Part", "Memory")]
    rows += [(str(one.pid), one.role, format_memory(one.memory_bytes)) for one in found.processes]
    return f"{sheet(about)}\n\n{columns(rows, (8, 12, 8))}"
