"""`dayfly source`: the code that a function runs, as the platform has it."""

import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from dayfly.cli.options import function_argument, gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show, write_file
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, for_stdout, warn
from dayfly.model.errors import ConfigError, Conflict, InternalError, InvalidRequest, NotFound, NotSupported
from dayfly.model.quantities import format_memory

if TYPE_CHECKING:
    from dayfly.model.source import Source, SourceFile


@click.command("source")
@function_argument
@click.argument("path", default="")
@click.option("--revision", type=click.IntRange(min=1), default=None, metavar="N",
              help="One that is kept, as `dayfly revisions` lists them.  [default: the last]")  # fmt: skip
@click.option("--to", default="", metavar="FOLDER", help="Write the files there, into a new or an empty folder.")
@gateway_option
@namespace_option
@output_option
def command(
    name: str, path: str, revision: int | None, to: str, gateway: str, namespace: str, output: str
) -> None:  # fmt: skip
    """List the files of a function's code, print one of them, or write them into a folder.

    What is no text, or larger than 256 KiB, is named only.

    \b
    Examples:
      dayfly source hello
      dayfly source hello handler.py
      dayfly source hello --revision 3 --to ./hello-3
    """
    if path and (to or output != "table"):
        raise InvalidRequest("A file is printed as it is: --to and --output are for all of them.")
    if to and output != "table":
        raise InvalidRequest("--to writes files, and --output prints what there are.", hint="Leave one of them out.")
    with connect(gateway) as client, Progress("asking the gateway"):
        found = client.get_source(name, revision=revision or 0, namespace=namespace)
    if path:
        sys.stdout.write(for_stdout(_text(found, path)))
    elif to:
        _write(found, Path(to))
    else:
        show(found, output, table=lambda: _table(found), names=lambda: [each.path for each in found.files])
    if found.cut:
        warn(f"These are the first {len(found.files)} files; revision {found.revision} has more.")


def _text(found: "Source", path: str) -> str:
    file = next((each for each in found.files if each.path == path), None)
    if file is None:
        raise NotFound(f"Revision {found.revision} has no file {path}.", hint="Without a file's name all are listed.")
    if file.text is None:
        raise NotSupported(f"{path} is no text, or too large to be shown: {format_memory(file.size_bytes)}.")
    return file.text


def _write(found: "Source", folder: Path) -> None:
    """Write the texts. Raises Conflict for a folder that holds something, InternalError for a path out of it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{folder} is there already, and not an empty folder.", hint="Name another with --to.")
    texts = [(_within(folder, each), each) for each in found.files if each.text is not None]
    for path, each in texts:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{path.parent} cannot be made: {error.strerror}.") from error
        write_file(path, (each.text or "").encode())
        if each.executable:
            path.chmod(path.stat().st_mode | 0o111)
    click.echo(f"Source written: revision {found.revision}, {len(texts)} files in {folder}")
    left = [each.path for each in found.files if each.text is None]
    if left:
        more = f" and {len(left) - 10} more" if len(left) > 10 else ""
        warn(f"Not written, since they are no texts or too large: {', '.join(left[:10])}{more}.")


def _within(folder: Path, file: "SourceFile") -> Path:
    parts = PurePosixPath(file.path).parts
    if not parts or file.path.startswith("/") or ".." in parts or "\0" in file.path:
        raise InternalError(f"The code has a file that would lie elsewhere: {file.path[:80]!r}.")
    return folder.joinpath(*parts)


def _table(found: "Source") -> str:
    rows = [["File", "Size", "Kind"]]
    for each in found.files:
        kind = "not shown" if each.text is None else "program" if each.executable else "text"
        rows.append([each.path, format_memory(each.size_bytes), kind])
    return columns(rows, (30, 8, 9))
