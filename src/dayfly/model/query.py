"""Queries over what the platform knows: what is asked, in which form it is answered, and the saved ones.

A query is one SELECT in SQLite's dialect over published tables. Whoever asks sees what the credential is good for, and
says nothing about it: the tables hold nothing else.
"""

import re
from typing import Any, Literal, get_args

import msgspec

from dayfly.model.errors import InvalidName, InvalidRequest

QueryFormat = Literal["json", "ndjson", "csv", "parquet", "xlsx"]
"""json: an array of objects. ndjson: an object a line. csv: RFC 4180, UTF-8. parquet and xlsx need the extra export."""
FORMATS: tuple[QueryFormat, ...] = get_args(QueryFormat)
ColumnType = Literal["integer", "real", "text", "blob", "mixed", "null"]
"""What a column's values are: null where there is nothing but nulls, mixed for several kinds."""
MAX_SQL = 20_000
"""Characters of a query."""
MAX_ROWS = 10_000
"""Rows of an answer; more are for an export."""
MAX_NOTE = 500
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)


class QueryRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A query, and how many rows of its answer are wanted."""

    sql: str
    limit: int = 1000
    """At most so many, up to 10000; `truncated` in the answer says whether there were more."""

    def check(self) -> None:
        """Refuse what cannot be asked. Raises InvalidRequest."""
        check_sql(self.sql)
        if not 1 <= self.limit <= MAX_ROWS:
            raise InvalidRequest(f"limit: {self.limit} must be from 1 to {MAX_ROWS}; an export takes more")


class QueryColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of an answer."""

    name: str
    type: ColumnType


class QueryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a query found."""

    columns: list[QueryColumn]
    rows: list[list[Any]]
    """Integers, numbers, texts and nulls; bytes as hexadecimal digits."""
    truncated: bool
    """Whether there were more rows than wanted, or than eight megabytes hold."""


class TableColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table that may be asked."""

    name: str
    type: Literal["integer", "real", "text"]
    about: str = ""


class TableInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A table that may be asked."""

    name: str
    about: str
    columns: list[TableColumn]


class SavedQuerySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A query that is to be kept under a name."""

    sql: str
    note: str = ""
    """What it is for, in a sentence."""

    def check(self) -> None:
        """Refuse what cannot be kept. Raises InvalidRequest."""
        check_sql(self.sql)
        if len(self.note) > MAX_NOTE or not self.note.isprintable():
            raise InvalidRequest(f"note: must be at most {MAX_NOTE} printable characters")


class SavedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query that is kept under a name."""

    name: str
    namespace: str = ""
    """Whose it is; empty for those of the whole installation, and those that came with Dayfly."""
    sql: str
    note: str = ""
    ready_made: bool = False
    """Whether it came with Dayfly."""
    created_unix_ms: int = 0
    updated_unix_ms: int = 0


def parse_query_name(text: str) -> str:
    """Return `text` as the name of a saved query. Raises InvalidName."""
    if not _NAME.fullmatch(text):
        raise InvalidName(f"{text[:80]!r} is not a name of a query: up to 63 of a-z, 0-9 and -, not at either end")
    return text


def check_sql(sql: str) -> None:
    """Refuse what cannot be a query. Raises InvalidRequest."""
    if not sql.strip():
        raise InvalidRequest("The query is empty", hint="Write for example: select name, state from functions")
    if len(sql) > MAX_SQL:
        raise InvalidRequest(f"The query has {len(sql)} characters, more than the {MAX_SQL} it may have")
    if "\0" in sql or (not sql.isascii() and sql.encode("utf-8", "replace").decode() != sql):
        raise InvalidRequest("The query holds a NUL or half a character")
