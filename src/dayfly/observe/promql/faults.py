"""What is wrong with a query, and where: line and column as an editor counts them."""

from dayfly.model.errors import InvalidRequest


class QueryWrong(InvalidRequest):
    """The query cannot be read; the message begins with `LINE:COLUMN`."""

    code = "query_wrong"


class QueryFailed(InvalidRequest):
    """The query can be read, and has no answer on these series, or one that is too large."""

    code, status = "query_failed", 422


def wrong(text: str, at: int, what: str) -> QueryWrong:
    """Return what to raise of the query `text` that is wrong at an offset."""
    line, begin = text.count("\n", 0, at) + 1, text.rfind("\n", 0, at) + 1
    return QueryWrong(f"{line}:{at - begin + 1}: {what}")
