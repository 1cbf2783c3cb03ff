"""Printing data: a table for people; JSON, YAML or names for programs. Programs get the same fields as from the API."""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from dayfly.cli.terminal import for_stdout
from dayfly.model.errors import ConfigError


def show(
    data: Any, output: str, *, table: Callable[[], str], names: Callable[[], Sequence[str]], none: str = ""
) -> None:  # fmt: skip
    """Print data in the form that --output names; `table` and `names` make the two forms that are not general.

    `none` is what people are told instead of a table without rows.
    """
    if none and not data and output == "table":
        click.echo(none)
        return
    if output == "json":
        encoded = msgspec.json.format(msgspec.json.encode(plain(data)), indent=2)
        text = encoded.decode()
    elif output == "yaml":
        from dayfly.client.yaml_text import dump

        text = dump(plain(data)).rstrip("\n")
    else:
        text = for_stdout("\n".join(names()) if output == "name" else table())
    if text:
        click.echo(text, color=True)


def show_csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as CSV, below a line of names."""
    from dayfly.model.csv_text import CsvLines

    lines = CsvLines()
    print_bytes(b"".join(map(lines.line, (names, *rows))))


def print_bytes(data: bytes) -> None:
    """Print what is a file's content, byte for byte."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write_file(path: Path, data: bytes) -> None:
    """Write what is a file's content. Raises ConfigError."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error


def columns(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
    """Return rows as lines, fields padded to their widths (or their longest) and parted by a tab, as faas-cli's are."""
    wide = [max(width, *(len(row[at]) for row in rows)) for at, width in enumerate(widths)]
    return "\n".join("\t".join(field.ljust(wide[at]) for at, field in enumerate(row)).rstrip() for row in rows)


def sheet(fields: Sequence[tuple[str, str]]) -> str:
    """Return names and values one below the other; a value of several lines is indented."""
    wide = max(len(name) for name, _ in fields) + 1
    return "\n".join(f"{name + ':':<{wide}} {_indented(value, wide + 1)}".rstrip() for name, value in fields)


def _indented(value: str, by: int) -> str:
    return value.replace("\n", "\n" + " " * by)


def plain(data: Any) -> Any:
    """Builtins with every field in them, those that have their defaults too: programs want to find them."""
    if isinstance(data, msgspec.Struct):
        config = data.__struct_config__
        kind = {config.tag_field: config.tag} if config.tag_field is not None else {}
        return kind | {name: plain(getattr(data, name)) for name in data.__struct_fields__}
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(item) for item in data]
    return data
