"""Exports for Excel: a workbook of one sheet, written row by row.

Texts are written as texts, whatever they begin with, so that none becomes a formula or a link. Times of the tables'
form become dates. Whole numbers that Excel would round are texts. What Excel cannot hold is refused and not cut.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from dayfly.observe.export.kinds import Value, time_of
from dayfly.observe.export.writer import CannotHold, Writer

MAX_ROWS = 1_048_575
"""Rows of a sheet, without the line of names."""
_MAX_TEXT = 32_767
_MAX_WHOLE = 10**15
_WIDTHS = {"text": 24, "time": 22}


class XlsxWriter(Writer):
    """The workbook at `path`; what it needs meanwhile lies beside it. Raises ImportError without the extra `export`."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        import xlsxwriter

        self._book = xlsxwriter.Workbook(
            str(path),
            {
                "constant_memory": True, "tmpdir": str(path.parent), "strings_to_formulas": False,
                "strings_to_urls": False, "strings_to_numbers": False,
            },
        )  # fmt: skip
        self._sheet = self._book.add_worksheet("Query")
        self._date = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        self._columns = len(columns)
        self._rows = 0
        self._sheet.set_column(0, max(0, len(columns) - 1), 22)
        self._sheet.freeze_panes(1, 0)
        head = self._book.add_format({"bold": True})
        for at, name in enumerate(columns):
            self._sheet.write_string(0, at, _fitting(name), head)

    def row(self, values: Sequence[Value]) -> None:
        """Write one. Raises CannotHold, OSError."""
        self._rows += 1
        if self._rows > MAX_ROWS:
            raise CannotHold(f"A sheet of Excel holds {MAX_ROWS} rows; ask for fewer, or for csv or parquet")
        for at, value in enumerate(values):
            self._cell(at, value)

    def end(self, *, truncated: bool) -> None:
        """Put the file together. Raises OSError."""
        del truncated
        if self._rows:
            self._sheet.autofilter(0, 0, self._rows, max(0, self._columns - 1))
        self._book.close()

    def _cell(self, at: int, value: Value) -> None:
        match value:
            case None:
                return
            case str():
                time = time_of(value)
                if time is None:
                    self._sheet.write_string(self._rows, at, _fitting(value))
                else:
                    self._sheet.write_datetime(self._rows, at, time, self._date)
            case bytes():
                self._sheet.write_string(self._rows, at, _fitting(value.hex()))
            case _ if not math.isfinite(value) or (isinstance(value, int) and abs(value) >= _MAX_WHOLE):
                self._sheet.write_string(self._rows, at, str(value))
            case _:
                self._sheet.write_number(self._rows, at, value)


def _fitting(text: str) -> str:
    if len(text) > _MAX_TEXT:
        raise CannotHold(
            f"A cell of Excel holds {_MAX_TEXT} characters, and one would have {len(text)};"
            " take a part of it with substr(), or ask for csv or parquet"
        )
    return text
