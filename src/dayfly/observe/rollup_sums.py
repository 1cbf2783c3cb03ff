"""Sums of roll-ups: what functions did in some time, or what all of them did in each span of it."""

from typing import Literal

import msgspec

from dayfly.model.rollup import Rollup, Span
from dayfly.observe.rollups import COLUMNS, RollupQuery


class RollupSums(msgspec.Struct, frozen=True, kw_only=True):
    """Which sums are wanted. The rows are roll-ups: of a function all in one, or of a span with no function's name."""

    span: Span
    since_unix_s: int
    until_unix_s: int
    """Spans that begin before it."""
    namespace: str = ""
    """Empty for all."""
    function: str = ""
    by: Literal["function", "time"] = "function"

    def sql(self) -> tuple[str, tuple[object, ...]]:
        """The query and its values, ordered by namespace and function, or by time."""
        sums = ", ".join(f"sum({name})" for name in COLUMNS)
        of, order = "'', '', at", "at"
        if self.by == "function":
            of, order = "function, namespace, min(at)", "namespace, function"
        where = "span = ? AND at >= ? AND at < ?"
        values: list[object] = [self.span, self.since_unix_s, self.until_unix_s]
        for column, value in (("namespace", self.namespace), ("function", self.function)):
            if value:
                where += f" AND {column} = ?"
                values.append(value)
        sql = f"SELECT {of}, {sums} FROM rollups WHERE {where} GROUP BY {order} ORDER BY {order}"  # noqa: S608 - constants of this module
        return sql, tuple(values)

    @staticmethod
    def read(row: tuple[object, ...]) -> Rollup:
        """Return what a row of the answer says."""
        return RollupQuery.read(row)
