"""Answers and exports as text: CSV and the forms of JSON."""

from collections.abc import Sequence
from typing import Any

import msgspec

from dayfly.model.csv_text import CsvLines
from dayfly.observe.export.file import BoundedFile, TooLarge
from dayfly.observe.export.kinds import Kinds, Value, unique
from dayfly.observe.export.writer import Writer

_TAIL_BYTES = 32_768
"""What an answer keeps free for its columns' names and types."""


class CsvWriter(Writer):
    """A line of names, and one for each row; `raw` leaves what a spreadsheet would take for formulas."""

    def __init__(self, file: BoundedFile, columns: Sequence[str], *, raw: bool = False) -> None:
        self._file = file
        self._lines = CsvLines(raw=raw)
        self.row(columns)

    def row(self, values: Sequence[Value]) -> None:
        """Write one. Raises TooLarge."""
        self._file.write(self._lines.line(values))

    def end(self, *, truncated: bool) -> None:
        """Nothing comes last."""


class JsonWriter(Writer):
    """An object for each row: in an array, or on a line of its own."""

    def __init__(self, file: BoundedFile, columns: Sequence[str], *, in_lines: bool) -> None:
        self._file = file
        self._names = unique(columns)
        self._in_lines = in_lines
        self._before = b"" if in_lines else b"[\n"

    def row(self, values: Sequence[Value]) -> None:
        """Write one. Raises TooLarge."""
        self._file.write(self._before + msgspec.json.encode(dict(zip(self._names, map(_plain, values), strict=True))))
        self._before = b"\n" if self._in_lines else b",\n"

    def end(self, *, truncated: bool) -> None:
        """Write what closes it."""
        del truncated
        empty = self._before == b"[\n"
        self._file.write((b"[" if empty else b"\n") + b"]\n" if not self._in_lines else self._before)


class AnswerWriter(Writer):
    """A QueryAnswer. Rows that do not fit are left out and told of: `row` raises TooLarge with the file still whole."""

    def __init__(self, file: BoundedFile, columns: Sequence[str]) -> None:
        self._file = file
        self._columns = columns
        self._kinds = Kinds(len(columns))
        self._before = b'{"rows":['

    def row(self, values: Sequence[Value]) -> None:
        """Write one. Raises TooLarge."""
        data = self._before + msgspec.json.encode([_plain(value) for value in values])
        if not self._file.fits(len(data) + _TAIL_BYTES):
            raise TooLarge
        self._kinds.see(values)
        self._file.write(data)
        self._before = b","

    def end(self, *, truncated: bool) -> None:
        """Write the columns, whose types are known by now. Raises TooLarge."""
        head = b"" if self._before == b"," else self._before
        columns = [{"name": name, "type": kind} for name, kind in zip(self._columns, self._kinds.types(), strict=True)]
        rest = msgspec.json.encode({"columns": columns, "truncated": truncated})
        self._file.write(head + b"]," + rest[1:])


def _plain(value: Value) -> Any:
    return value.hex() if isinstance(value, bytes) else value
