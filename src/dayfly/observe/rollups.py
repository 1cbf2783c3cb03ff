"""Roll-ups in the making: what gateways have counted in all, and how much of that is in the file already.

They are made of the gateways' totals and not of the records, so that they are exact whatever became of those. How far
each life of a gateway was counted is kept with them, in the same transaction: after a kill, the next report brings
what was missing.
"""

import sqlite3

import msgspec

from dayfly.model.names import NamespaceName
from dayfly.model.rollup import SPANS_S, Rollup, Span
from dayfly.model.table import LATENCY_BUCKETS_S, FunctionLoad

MAX_ROWS = 1_000_000
"""Rows of each span; beyond it the oldest go."""
KEEP_S: dict[Span, int] = {"minute": 14 * 86_400, "hour": 400 * 86_400}
_BOOTS = 4
"""Lives of a gateway that are remembered: one that leaves may still report when the next has begun."""
_SUMS = ("calls", "failed", "cold", "seconds", "run_s", "request_bytes", "response_bytes")
_BUCKETS = tuple(f"le{at}" for at in range(len(LATENCY_BUCKETS_S) + 1))
_VALUES = COLUMNS = (*_SUMS, *_BUCKETS)
"""What is summed up."""
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS rollups (
  namespace TEXT NOT NULL, function TEXT NOT NULL, span TEXT NOT NULL, at INTEGER NOT NULL,
  {", ".join(f"{name} REAL NOT NULL" for name in _VALUES)},
  PRIMARY KEY (namespace, span, at, function)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rollups_by_age ON rollups (span, at);
CREATE TABLE IF NOT EXISTS counted (
  gateway TEXT NOT NULL, boot TEXT NOT NULL, function TEXT NOT NULL, at INTEGER NOT NULL, totals BLOB NOT NULL,
  PRIMARY KEY (gateway, boot, function)
) STRICT, WITHOUT ROWID;
"""
_ADD = (
    f"INSERT INTO rollups (namespace, function, span, at, {', '.join(_VALUES)})"  # noqa: S608 - constants of this module
    f" VALUES (?, ?, ?, ?, {', '.join('?' * len(_VALUES))}) ON CONFLICT DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in _VALUES)
)
Life = tuple[str, str, str]
"""A gateway, its boot, and a function."""
Totals = tuple[float, ...]


def totals_of(load: FunctionLoad) -> Totals:
    """Return a gateway's totals in the order of the columns."""
    codes = load.codes.items()
    buckets = [sum(counts) for counts in zip(*(each[2] for _, each in codes), strict=True)] or [0] * len(_BUCKETS)
    return (
        sum(each[0] for _, each in codes),
        sum(each[0] for code, each in codes if code >= 500),
        load.cold,
        sum(each[1] for _, each in codes),
        load.run_s,
        load.received,
        load.sent,
        *buckets,
    )


class Rollups:
    """The tables of roll-ups, for the thread that writes."""

    def __init__(self) -> None:
        self._counted: dict[Life, Totals] = {}

    def opened(self, writer: sqlite3.Connection) -> None:
        """Remember how far all was counted. Raises sqlite3.Error."""
        rows = writer.execute("SELECT gateway, boot, function, totals FROM counted")
        self._counted = {row[:3]: msgspec.msgpack.decode(row[3], type=Totals) for row in rows}

    def add(self, writer: sqlite3.Connection, reports: dict[Life, Totals], unix_s: int) -> None:
        """Add what is new in the reports to the minute and the hour that it is. Raises sqlite3.Error."""
        rows, marks = [], []
        for life, totals in reports.items():
            new = _since(totals, self._counted.get(life))
            if any(new):
                name, _, namespace = life[2].rpartition(".")
                rows += [(namespace, name, span, unix_s - unix_s % size, *new) for span, size in SPANS_S.items()]
                marks.append((*life, unix_s, msgspec.msgpack.encode(totals)))
        with writer:
            writer.executemany(_ADD, rows)
            writer.executemany("INSERT OR REPLACE INTO counted VALUES (?, ?, ?, ?, ?)", marks)
        self._counted |= reports

    def trim(self, writer: sqlite3.Connection, unix_s: int) -> None:
        """Remove what is too old, and what is too much. Raises sqlite3.Error."""
        with writer:
            for span, keep_s in KEEP_S.items():
                oldest = writer.execute(
                    "SELECT at FROM rollups WHERE span = ? ORDER BY at DESC LIMIT 1 OFFSET ?", (span, MAX_ROWS)
                ).fetchone()
                least = max(unix_s - keep_s, oldest[0] + 1 if oldest else 0)
                writer.execute("DELETE FROM rollups WHERE span = ? AND at < ?", (span, least))
            boots = writer.execute("SELECT gateway, boot FROM counted GROUP BY gateway, boot ORDER BY max(at) DESC")
            seen: dict[str, list[str]] = {}
            for gateway, boot in boots.fetchall():
                seen.setdefault(gateway, []).append(boot)
            gone = {(gateway, boot) for gateway, all_of_it in seen.items() for boot in all_of_it[_BOOTS:]}
            writer.executemany("DELETE FROM counted WHERE gateway = ? AND boot = ?", gone)
        self._counted = {life: totals for life, totals in self._counted.items() if life[:2] not in gone}

    def forget(self, writer: sqlite3.Connection, namespace: NamespaceName) -> None:
        """Remove the namespace's roll-ups. Raises sqlite3.Error."""
        with writer:
            writer.execute("DELETE FROM rollups WHERE namespace = ?", (namespace,))


class RollupQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which roll-ups of a namespace are wanted."""

    namespace: str
    span: Span
    function: str = ""
    since_unix_s: int = 0
    limit: int = 1000

    def sql(self) -> tuple[str, tuple[object, ...]]:
        """The query and its values; the newest come first."""
        where = "namespace = ? AND span = ? AND at >= ? AND (? = '' OR function = ?)"
        sql = (
            f"SELECT function, namespace, at, {', '.join(_VALUES)} FROM rollups WHERE {where}"  # noqa: S608 - constants of this module
            " ORDER BY at DESC, function LIMIT ?"
        )
        return sql, (self.namespace, self.span, self.since_unix_s, self.function, self.function, self.limit)

    @staticmethod
    def read(row: tuple[object, ...]) -> Rollup:
        """Return what a row of the answer says."""
        given = dict(zip(("function", "namespace", "at_unix_s", *_SUMS), row[: 3 + len(_SUMS)], strict=True))
        whole = {name: value for name, value in given.items() if name not in ("seconds", "run_s")}
        return msgspec.convert(
            {
                **{name: int(value) if isinstance(value, float) else value for name, value in whole.items()},
                "seconds": given["seconds"],
                "run_s": given["run_s"],
                "latencies": [round(value) for value in row[3 + len(_SUMS) :] if isinstance(value, float)],
            },
            Rollup,
        )


def _since(totals: Totals, before: Totals | None) -> Totals:
    if before is None or len(before) != len(totals) or before[0] > totals[0]:
        return totals
    return tuple(new - old for new, old in zip(totals, before, strict=True))
