"""CSV: RFC 4180 in UTF-8, null as an empty field, bytes as hexadecimal digits.

A CSV file is opened by spreadsheets, which take a text that begins with `=`, `+`, `-` or `@` for a formula and run it;
what is in the texts was written by whoever called a function. Such a text gets an apostrophe before it, which a
spreadsheet takes for "this is text", unless the lines are asked for raw. Numbers stay as they are.
"""

import csv
import io
from collections.abc import Iterable

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # full-width ones count in some spreadsheets


def guarded(text: str) -> str:
    """Return the text as one that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith(_FORMULAS) else text


class CsvLines:
    """Makes lines of values."""

    def __init__(self, *, raw: bool = False) -> None:
        self._raw = raw
        self._text = io.StringIO(newline="")
        self._csv = csv.writer(self._text, lineterminator="\r\n")

    def line(self, values: Iterable[object]) -> bytes:
        """Return a line with its end."""
        self._csv.writerow([self._cell(value) for value in values])
        data = self._text.getvalue().encode()
        self._text.seek(0)
        self._text.truncate()
        return data

    def _cell(self, value: object) -> object:
        if isinstance(value, bytes):
            return value.hex()
        if isinstance(value, bool):
            return str(value).lower()
        return guarded(value) if isinstance(value, str) and not self._raw else value
