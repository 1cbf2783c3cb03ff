"""Saved queries: keep one under a name, and have a stable address for what it finds."""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_json, read_query
from dayfly.api.query import ExportQuery, exported
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import principal_of
from dayfly.api.services import Services
from dayfly.model.errors import InvalidRequest
from dayfly.model.query import SavedQuery, SavedQuerySpec, parse_query_name

QUERIES = "/v1/queries"
QUERY = QUERIES + "/{query}"

routes = Routes()


@routes.route("GET", QUERIES, access="look", scope="visible", summary="List saved queries", response=list[SavedQuery])
async def list_queries(services: Services, request: Request) -> Response:
    """Return those of the credential's namespace, or of the installation, and those that came with Dayfly."""
    return json_answer(services.saved_queries.listed(principal_of(request).namespace))


@routes.route("GET", QUERY, access="look", scope="visible", summary="Describe a saved query", response=SavedQuery)
async def get_query(services: Services, request: Request) -> Response:
    """Return the query."""
    return json_answer(services.saved_queries.get(principal_of(request).namespace, _name(request)))


@routes.route(
    "PUT", QUERY, access="deploy", scope="visible", summary="Save a query", request=SavedQuerySpec, response=SavedQuery
)
async def put_query(services: Services, request: Request) -> Response:
    """Keep it, for whoever has a credential of the same namespace, or one that is good for all."""
    spec = await read_json(request, SavedQuerySpec)
    return json_answer(await services.saved_queries.put(principal_of(request).namespace, _name(request), spec))


@routes.route(
    "DELETE", QUERY, access="deploy", scope="visible", summary="Remove a saved query", statuses=(204,)
)  # fmt: skip
async def remove_query(services: Services, request: Request) -> Response:
    """Forget it."""
    await services.saved_queries.remove(principal_of(request).namespace, _name(request))
    return Response(status_code=204)


@routes.route(
    "GET", QUERY + "/export", access="look", scope="visible", summary="Export what a saved query finds",
    query=ExportQuery, media_type="application/octet-stream",
)  # fmt: skip
async def export_query(services: Services, request: Request) -> Response:
    """Return a file; which rows there are depends on the credential, as with any query."""
    asked = read_query(request, ExportQuery)
    if asked.sql:
        raise InvalidRequest("sql: a saved query says itself what it asks")
    saved = services.saved_queries.get(principal_of(request).namespace, _name(request))
    return await exported(services, request, saved.sql, asked, saved.name)


def _name(request: Request) -> str:
    return parse_query_name(request.path_params["query"])
