"""What the control plane tells the process that answers one query, and what comes back: a contract between the two."""

from typing import Any, Literal

import msgspec

from dayfly.model.names import NamespaceName
from dayfly.model.query import QueryFormat

Form = QueryFormat | Literal["answer"]
"""answer: the JSON of a QueryAnswer."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How far one query goes."""

    rows: int
    cuts: bool
    """Whether more rows than that are left out and told of, and not refused."""
    seconds: float
    heap_bytes: int = 128 * 2**20
    """What SQLite may have of memory: for sorting, grouping and whatever a query makes of what it reads."""
    process_bytes: int = 768 * 2**20
    """The address space of the process, with Python itself."""
    answer_bytes: int = 8 * 2**20


ANSWER = Bounds(rows=1000, cuts=True, seconds=10.0)
EXPORT = Bounds(rows=1_000_000, cuts=False, seconds=60.0, answer_bytes=256 * 2**20)
PARQUET_PROCESS_BYTES = 4 * 2**30
"""Arrow reserves addresses by the gigabyte, and uses few of them."""


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as far as a query is concerned."""

    namespace: NamespaceName | None
    """The only one whose rows there are; None for all of them."""
    tables: frozenset[str]
    """Those that may be asked."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One query."""

    sql: str
    form: Form
    raw: bool = False
    """Whether a CSV file has texts as they are, also those that a spreadsheet takes for formulas."""
    bounds: Bounds
    namespace: str | None
    """The only one whose rows there are; None for all of them."""
    tables: tuple[str, ...]
    """Those that may be asked."""
    files: dict[str, str]
    """Where files are, by what the catalogue calls them."""
    inventory: dict[str, list[list[Any]]]
    """The rows of the tables that are in no file, in the order of their columns."""
    prices: tuple[float, float, float, str]
    """Of a call, a second of processor time, a GiB of memory for a second; and the currency."""
    folder: str
    """Where the answer is to be written, and nothing else is."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    refusal: Literal["", "invalid", "limit", "unsupported", "failed"] = ""
    """invalid: the query is wrong. limit: it takes too much. unsupported: a library is missing. failed: our fault."""
    message: str = ""
    hint: str = ""
    rows: int = 0
    truncated: bool = False
