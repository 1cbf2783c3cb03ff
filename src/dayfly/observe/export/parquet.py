"""Exports for Arrow's family: a Parquet file, of which every column has one type.

Which one is known once all rows were seen, so rows are laid down beside the file first and written then: whole numbers
and others are both doubles, times of the tables' form are timestamps in UTC, and of what is mixed everything is text.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dayfly.observe.export.file import BoundedFile
from dayfly.observe.export.kinds import Kinds, Value, time_of, unique
from dayfly.observe.export.writer import CannotHold, Writer

_GROUP = 20_000
"""Rows that are turned into columns at once."""
_LENGTH = 4


class ParquetWriter(Writer):
    """The file at `path`. Raises ImportError without the extra `export`."""

    def __init__(self, path: Path, columns: Sequence[str], most: int) -> None:
        import pyarrow as arrow
        import pyarrow.parquet  # loaded before the first row is read, so that a lack of it is told at once

        if not columns:
            raise CannotHold("A Parquet file has columns, and the query has none")
        self._arrow: Any = arrow
        self._parquet: Any = pyarrow.parquet
        self._path = path
        self._names = unique(columns)
        self._kinds = Kinds(len(columns))
        self._spool = path.with_name("rows")
        self._file = BoundedFile(self._spool, most)

    def row(self, values: Sequence[Value]) -> None:
        """Lay one down. Raises TooLarge, OSError."""
        self._kinds.see(values)
        data = msgspec.msgpack.encode(values)
        self._file.write(len(data).to_bytes(_LENGTH, "big") + data)

    def end(self, *, truncated: bool) -> None:
        """Write the file. Raises OSError."""
        del truncated
        self._file.__exit__(None, None, None)
        arrow = self._arrow
        types = [
            arrow.timestamp("ms", tz="UTC") if is_time and kind == "text" else self._type(kind)
            for kind, is_time in zip(self._kinds.types(), self._kinds.are_times(), strict=True)
        ]
        schema = arrow.schema(list(zip(self._names, types, strict=True)))
        with self._parquet.ParquetWriter(str(self._path), schema, compression="zstd") as file:
            for group in self._groups():
                columns = zip(*group, strict=True)
                arrays = [
                    arrow.array([_fitting(value, str(kind)) for value in column], type=kind)
                    for column, kind in zip(columns, types, strict=True)
                ]
                file.write_table(arrow.Table.from_arrays(arrays, schema=schema))
        self._spool.unlink()

    def _type(self, kind: str) -> Any:
        arrow = self._arrow
        made = {"integer": arrow.int64, "real": arrow.float64, "blob": arrow.binary}
        return made.get(kind, arrow.string)()

    def _groups(self) -> Iterator[list[list[Value]]]:
        group: list[list[Value]] = []
        with self._spool.open("rb") as file:
            while length := file.read(_LENGTH):
                group.append(msgspec.msgpack.decode(file.read(int.from_bytes(length, "big"))))
                if len(group) == _GROUP:
                    yield group
                    group = []
        if group:
            yield group


def _fitting(value: Value, kind: str) -> Any:
    if value is None:
        return None
    if kind.startswith("timestamp"):
        return time_of(value) if isinstance(value, str) else None
    if kind == "double":
        return float(value) if isinstance(value, int | float) else None
    if kind == "string":
        return value.hex() if isinstance(value, bytes) else str(value)
    return value
