"""Queries: ask what is there and what was, and have the answer as a file that other programs read.

Whoever asks sees the tables as the credential does: of one namespace, or of all. A GET that exports is a stable address
for Power BI, Grafana and spreadsheets, which send a token as the password of basic credentials.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import BinaryIO

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from dayfly.api.decoding import read_json, read_query
from dayfly.api.inventory import inventory
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import principal_of
from dayfly.api.services import Services
from dayfly.model.errors import InvalidRequest, NotFound
from dayfly.model.names import NamespaceName
from dayfly.model.query import QueryAnswer, QueryFormat, QueryRequest, TableInfo, check_sql
from dayfly.observe.export.forms import MEDIA_TYPES
from dayfly.observe.query.catalogue import tables_for
from dayfly.observe.query.order import ANSWER, EXPORT, Asker, Bounds, Form
from dayfly.observe.query.runner import Found

_PIECE_BYTES = 256 * 1024
_COUNTED = {"calls", "logs", "rollups", "usage", "functions"}
"""Tables in which what was answered before the query should be found."""

routes = Routes()


class ExportQuery(msgspec.Struct, frozen=True):
    """What is exported, and how."""

    sql: str = ""
    format: QueryFormat = "csv"
    limit: int = 0
    """At most so many rows; without it, an export with more than a million is refused."""
    raw: bool = False
    """Whether texts in a CSV file stay as they are that a spreadsheet would take for formulas."""


@routes.route(
    "POST", "/v1/query", access="look", scope="visible", summary="Ask in SQL", request=QueryRequest,
    response=QueryAnswer,
)  # fmt: skip
async def query(services: Services, request: Request) -> Response:
    """Return the rows that the query finds."""
    asked = await read_json(request, QueryRequest)
    asked.check()
    bounds = msgspec.structs.replace(ANSWER, rows=asked.limit)
    found = await ask(services, request, asked.sql, "answer", bounds)
    return _file_answer(found, "application/json")


@routes.route(
    "GET", "/v1/query/tables", access="look", scope="visible", summary="List the tables that can be asked",
    response=list[TableInfo],
)  # fmt: skip
async def tables(_services: Services, request: Request) -> Response:
    """Return the tables that the credential may ask, and their columns."""
    return json_answer([each.info() for each in tables_for(is_admin=principal_of(request).role == "admin")])


@routes.route(
    "GET", "/v1/query/export", access="look", scope="visible", summary="Export what a query finds",
    query=ExportQuery, media_type="application/octet-stream",
)  # fmt: skip
async def export(services: Services, request: Request) -> Response:
    """Return a file."""
    asked = read_query(request, ExportQuery)
    check_sql(asked.sql)
    return await exported(services, request, asked.sql, asked, "query")


async def exported(services: Services, request: Request, sql: str, asked: ExportQuery, name: str) -> Response:
    """Return what the query finds as a file of this name."""
    if not 0 <= asked.limit <= EXPORT.rows:
        raise InvalidRequest(f"limit: {asked.limit} must be from 1 to {EXPORT.rows}")
    bounds = msgspec.structs.replace(EXPORT, rows=asked.limit, cuts=True) if asked.limit else EXPORT
    found = await ask(services, request, sql, asked.format, bounds, raw=asked.raw)
    answer = _file_answer(found, MEDIA_TYPES[asked.format])
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{asked.format}"'
    return answer


async def ask(
    services: Services, request: Request, sql: str, form: Form, bounds: Bounds, *, raw: bool = False
) -> Found:  # fmt: skip
    """Have the query answered for whoever sent the request."""
    principal = principal_of(request)
    tables = frozenset(each.name for each in tables_for(is_admin=principal.role == "admin"))
    asker = Asker(namespace=principal.namespace, tables=tables)
    named = services.query.named(sql, asker)
    if named & _COUNTED:
        await services.plane.refresh_load()
    if "calls" in named or "rollups" in named:
        await services.records.flush()
    if "logs" in named:
        await services.logs.flush()
    rows = await inventory(services, named, _present(services, asker.namespace))
    return await services.query.run(sql, form, bounds, asker=asker, inventory=rows, raw=raw)


def _present(services: Services, namespace: NamespaceName | None) -> list[NamespaceName]:
    if namespace is None:
        return services.namespaces.names()
    try:
        return [services.namespaces.get(namespace).name]
    except NotFound:  # removed while its token was being used
        return []


def _file_answer(found: Found, media_type: str) -> Response:
    headers = {"Content-Length": str(found.size_bytes)}
    if found.truncated:
        headers["X-Dayfly-Truncated"] = "true"
    return StreamingResponse(_pieces(found.file), media_type=media_type, headers=headers)


async def _pieces(file: BinaryIO) -> AsyncGenerator[bytes, None]:
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece
