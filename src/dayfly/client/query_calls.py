"""The API's calls about queries, and about searching logs, without their transport; see `calls`."""

from collections.abc import Mapping

import msgspec

from dayfly.client.calls import JSON, Call, nothing, reads
from dayfly.model.log import FoundLines
from dayfly.model.names import NamespaceName
from dayfly.model.query import (
    QueryAnswer,
    QueryFormat,
    QueryRequest,
    SavedQuery,
    SavedQuerySpec,
    TableInfo,
    check_sql,
    parse_query_name,
)

_QUERIES = "/v1/queries"


def query(sql: str, limit: int) -> Call[QueryAnswer]:
    """What a query finds."""
    asked = QueryRequest(sql=sql, limit=limit)
    asked.check()
    content = msgspec.json.encode(asked)
    return Call("POST", "/v1/query", reads(QueryAnswer), content=content, content_type=JSON)


def export(sql: str, form: QueryFormat, limit: int, *, raw: bool) -> Call[bytes]:
    """What a query finds, as a file."""
    check_sql(sql)
    given = (("sql", sql), *_how(form, limit, raw))
    return Call("GET", "/v1/query/export", lambda reply: reply.body, query=given)


def list_tables() -> Call[list[TableInfo]]:
    """The tables that may be asked."""
    return Call("GET", "/v1/query/tables", reads(list[TableInfo]))


def list_queries() -> Call[list[SavedQuery]]:
    """The saved queries."""
    return Call("GET", _QUERIES, reads(list[SavedQuery]))


def get_query(name: str) -> Call[SavedQuery]:
    """A saved query."""
    return Call("GET", _path(name), reads(SavedQuery))


def save_query(name: str, spec: SavedQuerySpec) -> Call[SavedQuery]:
    """A query kept under a name."""
    spec.check()
    return Call("PUT", _path(name), reads(SavedQuery), content=msgspec.json.encode(spec), content_type=JSON)


def remove_query(name: str) -> Call[None]:
    """A saved query forgotten."""
    return Call("DELETE", _path(name), nothing, expected=(204,))


def export_saved(name: str, form: QueryFormat, limit: int, *, raw: bool) -> Call[bytes]:
    """What a saved query finds, as a file."""
    return Call("GET", _path(name) + "/export", lambda reply: reply.body, query=_how(form, limit, raw))


def search_logs(namespace: NamespaceName, wanted: Mapping[str, object]) -> Call[FoundLines]:
    """A page of a namespace's lines that are searched for."""
    query = tuple((name, str(value)) for name, value in wanted.items() if value)
    return Call("GET", f"/v1/namespaces/{namespace}/logs", reads(FoundLines), query=query)


def _how(form: QueryFormat, limit: int, raw: bool) -> tuple[tuple[str, str], ...]:
    given = (("format", str(form)), ("limit", str(limit) if limit else ""), ("raw", "true" if raw else ""))
    return tuple((name, value) for name, value in given if value)


def _path(name: str) -> str:
    return f"{_QUERIES}/{parse_query_name(name)}"
