"""`dayfly status`: the platform on this machine and its processes."""

from typing import TYPE_CHECKING

import click

from dayfly.cli.options import data_dir_option, output_option
from dayfly.cli.output import columns, sheet, show
from dayfly.cli.session import current_session
from dayfly.model.errors import DayflyError, NotFound
from dayfly.model.quantities import format_memory

if TYPE_CHECKING:
    from dayfly.server.commands import InstanceStatus

_ASK_S = 5.0


@click.command("status")
@data_dir_option
@output_option
def command(data_dir: str | None, output: str) -> None:
    """Show the platform that runs on this machine.

    Which function a process is of is known while the platform answers; without --output names are left out that it
    did not tell. The exit code is 66 when none runs on the data folder.

    \b
    Examples:
      dayfly status
      dayfly status -o json | jq -r .gateway_url
    """
    from dayfly.server.commands import status

    found = status(data_dir)
    if not found.pid:
        raise NotFound(f"No platform runs on {found.data_dir}.", hint="Start it with `dayfly start`.")
    found, trouble = _named(found, data_dir)
    show(found, output, table=lambda: _table(found) + trouble, names=lambda: [str(found.pid)])


def _table(found: "InstanceStatus") -> str:
    about = [
        ("Process", str(found.pid)),
        ("Version", found.version or "<starting>"),
        ("Gateway", found.gateway_url or "<starting>"),
        ("Console", found.console_url or "<starting>"),
        ("Metrics", found.metrics_url or "<starting>"),
        ("Data folder", found.data_dir),
    ]
    rows = [("Process", "Part", "Memory", "Function")]
    rows += [(str(one.pid), one.role, format_memory(one.memory_bytes), one.function) for one in found.processes]
    return f"{sheet(about)}\n\n{columns(rows, (8, 12, 8, 0))}"


def _named(found: "InstanceStatus", data_dir: str | None) -> "tuple[InstanceStatus, str]":
    """Return the same with the names of functions, and what to say where they could not be had."""
    import msgspec

    from dayfly.client.blocking import Client
    from dayfly.client.credentials import Credential
    from dayfly.client.local import find_instance

    running = find_instance(data_dir)
    if running is None or not found.gateway_url:
        return found, ""
    try:
        credential = Credential.bearer(running.token)
        with Client(
            running.gateway_url, credential=credential, timeout_s=_ASK_S, transport=current_session().transport
        ) as client:
            told = {each.pid: each.function for each in client.get_machine().processes}
    except DayflyError as error:
        return found, f"\nWhich functions these are is not known: {error.message}"
    named = tuple(msgspec.structs.replace(one, function=told.get(one.pid, "")) for one in found.processes)
    return msgspec.structs.replace(found, processes=named), ""
