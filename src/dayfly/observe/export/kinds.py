"""What the values of a result's columns are: SQLite's columns have no type, those of other programs have one."""

import datetime
import re
from collections.abc import Iterable, Sequence

from dayfly.model.query import ColumnType

Value = int | float | str | bytes | None
_NAMES: dict[type, ColumnType] = {int: "integer", float: "real", str: "text", bytes: "blob", type(None): "null"}
_TIME = re.compile(
    r"(?:19|2[0-9])[0-9]{2}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{3})?", re.ASCII
)


class Kinds:
    """What was seen in each of so many columns."""

    def __init__(self, columns: int) -> None:
        self._seen: list[set[type]] = [set() for _ in range(columns)]
        self._only_times = [True] * columns

    def see(self, row: Sequence[Value]) -> None:
        """Look at a row."""
        for at, value in enumerate(row):
            self._seen[at].add(type(value))
            if self._only_times[at] and isinstance(value, str) and time_of(value) is None:
                self._only_times[at] = False

    def types(self) -> list[ColumnType]:
        """Return the type of each column."""
        return [_type(seen) for seen in self._seen]

    def are_times(self) -> list[bool]:
        """Return of each column whether it has texts, and all of them are times as the tables have them."""
        return [only and str in seen for only, seen in zip(self._only_times, self._seen, strict=True)]


def time_of(text: str) -> datetime.datetime | None:
    """Return the time in UTC that a text of the tables' form means; None for any other text."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


def unique(names: Iterable[str]) -> list[str]:
    """Return the names, each once: a second `count(*)` becomes `count(*)_2`."""
    found: list[str] = []
    for name in names:
        shown, number = name, 1
        while shown in found:
            number += 1
            shown = f"{name}_{number}"
        found.append(shown)
    return found


def _type(seen: set[type]) -> ColumnType:
    kinds = {_NAMES[kind] for kind in seen} - {"null"}
    if kinds == {"integer", "real"}:
        return "real"
    return kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "null"
