"""The forms that an export can have, by name: how each is written, and what HTTP calls it."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from dayfly.model.query import QueryFormat
from dayfly.observe.export.file import BoundedFile
from dayfly.observe.export.text import AnswerWriter, CsvWriter, JsonWriter
from dayfly.observe.export.writer import Writer

MEDIA_TYPES: dict[QueryFormat, str] = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def preload(form: str) -> None:
    """Load the library that a form needs. Raises ImportError without the extra `export`."""
    if form == "xlsx":
        import xlsxwriter  # noqa: F401 - only whether it is there
    if form == "parquet":
        import pyarrow.parquet  # noqa: F401 - only whether it is there


def open_writer(form: str, path: Path, columns: Sequence[str], most: int, stack: ExitStack, *, raw: bool) -> Writer:
    """Return what writes a file of this form to `path`; the stack closes it. Raises CannotHold, OSError."""
    if form == "xlsx":
        from dayfly.observe.export.xlsx import XlsxWriter

        return XlsxWriter(path, columns)
    if form == "parquet":
        from dayfly.observe.export.parquet import ParquetWriter

        return ParquetWriter(path, columns, most)
    file = stack.enter_context(BoundedFile(path, most))
    if form == "csv":
        return CsvWriter(file, columns, raw=raw)
    return AnswerWriter(file, columns) if form == "answer" else JsonWriter(file, columns, in_lines=form == "ndjson")
