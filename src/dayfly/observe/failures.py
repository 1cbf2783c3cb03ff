"""How calls failed, by function, status and reason: of those whose records are kept."""

import msgspec

from dayfly.model.report import ErrorRow


class FailureQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Of which calls."""

    since_unix_ms: int
    until_unix_ms: int
    namespace: str = ""
    """Empty for all."""
    limit: int = 15

    def sql(self) -> tuple[str, tuple[object, ...]]:
        """The query and its values; the most frequent come first."""
        where = "error <> '' AND started_unix_ms >= ? AND started_unix_ms < ?"
        values: list[object] = [self.since_unix_ms, self.until_unix_ms]
        if self.namespace:
            where += " AND namespace = ?"
            values.append(self.namespace)
        # SQLite gives a bare column beside max() the value of the row with the greatest.
        sql = (
            "SELECT function || '.' || namespace, status, error, count(*), id, max(number) FROM calls"  # noqa: S608 - constants of this module
            f" WHERE {where} GROUP BY namespace, function, status, error"
            " ORDER BY count(*) DESC, namespace, function, status, error LIMIT ?"
        )
        return sql, (*values, self.limit)

    @staticmethod
    def read(row: tuple[object, ...]) -> ErrorRow:
        """Return what a row of the answer says."""
        names = ("function", "status", "error", "calls", "example")
        return msgspec.convert(dict(zip(names, row[:5], strict=True)), ErrorRow)
