"""What `dayfly query` prints or writes: a table for people, else the file that the platform made, byte for byte."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args

import click

from dayfly.cli.output import columns, print_bytes, write_file
from dayfly.cli.terminal import Progress, for_stdout, warn
from dayfly.model.errors import InvalidRequest
from dayfly.model.query import MAX_ROWS, QueryFormat

if TYPE_CHECKING:
    from dayfly.client import Client
    from dayfly.model.query import QueryAnswer

F = TypeVar("F", bound=Callable[..., Any])
_FORMS: tuple[str, ...] = ("table", *get_args(QueryFormat))
_BINARY = ("parquet", "xlsx")
_WIDEST = 60
"""Characters of a text in a table."""


class Form(NamedTuple):
    """How an answer is wanted."""

    name: Any
    """`table`, or a QueryFormat."""
    file: str
    limit: int
    raw: bool


def ask_options(command: F) -> F:
    """Add what says how an answer is wanted."""
    options = (
        click.option(
            "-o", "--output", type=click.Choice(_FORMS), default=None,
            help="What to make of it.  [default: table, or what the file's name says]",
        ),
        click.option("--file", default="", metavar="FILE", help="Write it there, instead of to standard output."),
        click.option("--limit", type=click.IntRange(min=1), default=None, metavar="N",
                     help="At most so many rows.  [default: 1000 in a table, else all]"),
        click.option("--raw", is_flag=True,
                     help="Leave texts in CSV as they are that a spreadsheet would take for formulas."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def form_of(output: str | None, file: str, limit: int | None, raw: bool) -> Form:
    """Return how an answer is wanted. Raises InvalidRequest."""
    ending = Path(file).suffix.removeprefix(".").lower()
    name = output or (ending if ending in _FORMS else "table")
    if file and name == "table":
        raise InvalidRequest(
            f"--file: {file} does not say in which form; its name ends with .csv, .json, .ndjson, .parquet or .xlsx,"
            " or --output says it."
        )
    if name in _BINARY and not file and sys.stdout.isatty():
        raise InvalidRequest(f"A {name} file is nothing for a terminal.", hint="Name one with --file.")
    if name == "table" and (limit or 0) > MAX_ROWS:
        raise InvalidRequest(f"--limit: a table has {MAX_ROWS} rows at most.", hint="Write a file with --file.")
    if raw and name != "csv":
        raise InvalidRequest("--raw is for csv.")
    return Form(name, file, limit or 0, raw)


def deliver(client: "Client", form: Form, *, sql: str = "", saved: str = "") -> None:
    """Ask the query, or the saved one, and hand on what it finds. Raises ConfigError for a file that cannot be."""
    with Progress("asking the gateway"):
        if form.name == "table":
            answer = client.query(sql, limit=form.limit or 1000)
        elif saved:
            data = client.export_saved_query(saved, form.name, limit=form.limit, raw=form.raw)
        else:
            data = client.export_query(sql, form.name, limit=form.limit, raw=form.raw)
    if form.name == "table":
        _print(answer)
    elif form.file:
        write_file(Path(form.file), data)
        warn(f"Written: {form.file} ({len(data)} bytes)")
    else:
        print_bytes(data)


def _print(answer: "QueryAnswer") -> None:
    rows = [[_text(value) for value in row] for row in answer.rows]
    head = [each.name.upper() for each in answer.columns]
    click.echo(for_stdout(columns([head, *rows], (0,) * len(head))), color=True)
    if answer.truncated:
        warn(f"These are the first {len(rows)} rows; --limit shows others, --file writes all.")


def _text(value: object) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    text = " ".join(text.splitlines()).replace("\t", " ")
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
