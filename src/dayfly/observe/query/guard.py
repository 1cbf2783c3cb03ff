"""What a query may touch: asked by SQLite for every table, column and function while it reads the query.

Files of all tenants are open beside the tables that are published. Two things keep a query from them. Their schemas and
the views that choose among their rows have names that nobody can guess (`secret`), and every name that their tables go
by is taken by an empty table (`views.py`); and the file's tables are read from within those views alone, whatever name
a query gives to something of its own. Everything that is not a SELECT of what is published is refused.
"""

import sqlite3
from collections.abc import Collection

VIRTUAL = ("json_each", "json_tree")
"""Tables that are functions. SQLite makes others of the kind (`pragma_…`, `dbstat`) only where it may."""
_NAMES = (
    "abs acos asin atan atan2 avg ceil ceiling char coalesce concat concat_ws cos count cume_dist date "
    "datetime degrees dense_rank exp first_value floor format glob group_concat hex ifnull iif instr json "
    "json_array json_array_length json_extract json_group_array json_group_object json_object json_quote "
    "json_type json_valid julianday lag last_value lead length like ln log log10 log2 lower ltrim max min "
    "mod nth_value ntile nullif octet_length percent_rank pi pow power printf quote radians random rank "
    "replace round row_number rtrim sign sin sqrt strftime string_agg substr substring sum tan time "
    "timediff total trim trunc typeof unicode unixepoch upper -> ->> percentile log_level cost currency "
    "metric_labels metric_function"
)
FUNCTIONS = frozenset(_NAMES.split(" "))
"""Pure ones, of which none makes more than it is given but within the bound on a text's length."""
_RECURSIVE = 33
"""SQLITE_RECURSIVE, for which Python has no name."""


class Guard:
    """The authorizer of one connection; `refused` says in words what it refused first."""

    def __init__(self, published: Collection[str], inner: Collection[str], stored: Collection[tuple[str, str]]) -> None:
        self._published = frozenset(published)
        self._inner = frozenset(inner)
        """Names of the views that choose among a file's rows."""
        self._stored = frozenset(stored)
        """Schemas and tables that those read."""
        self._schemas = frozenset(schema for schema, _ in stored)
        self.refused = ""

    def __call__(self, action: int, one: str | None, two: str | None, schema: str | None, view: str | None) -> int:
        """Say whether SQLite may go on."""
        if action == sqlite3.SQLITE_SELECT or action == _RECURSIVE:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            if two is not None and two.lower() in FUNCTIONS:
                return sqlite3.SQLITE_OK
            return self._refuse(f"The function {_short(two)} is not for queries")
        if action == sqlite3.SQLITE_READ:
            return self._read(one or "", two or "", schema, view)
        return self._refuse("A query only reads: it is one SELECT")

    def _read(self, table: str, column: str, schema: str | None, view: str | None) -> int:
        if schema in self._schemas:
            # A column without a name is none: something is counted.
            is_ours = (schema, table) in self._stored and (view in self._inner or not column)
        elif schema == "temp" and table in self._inner:
            is_ours = True
        elif schema is None:
            # What has no schema is a part of the query itself, or is counted and not read, by a name as it was written.
            is_ours = not column and not table.lower().startswith(("sqlite_", "pragma_"))
        else:
            is_ours = table in self._published if schema == "temp" else table in VIRTUAL
        return sqlite3.SQLITE_OK if is_ours else self._refuse(f"There is no table {_short(table)} for queries")

    def _refuse(self, what: str) -> int:
        self.refused = self.refused or what
        return sqlite3.SQLITE_DENY


def _short(name: str | None) -> str:
    return repr((name or "")[:60])
