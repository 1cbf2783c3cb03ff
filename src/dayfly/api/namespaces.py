"""Namespaces: list those a credential is good for; make, change and remove them for the whole installation."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import MAX_JSON_BYTES, decode_json, read_body, read_json, read_query
from dayfly.api.info import visible
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.model.names import NamespaceName, parse_namespace
from dayfly.model.namespace import NamespaceChange, NamespaceStatus

NAMESPACES = "/v1/namespaces"
NAMESPACE = NAMESPACES + "/{namespace}"

routes = Routes()


class RemovalQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a namespace is removed."""

    force: bool = False
    """Whether all that is in it goes with it; else one that is not empty stays."""


@routes.route("GET", NAMESPACES, access="deploy", scope="visible", summary="List the namespaces", response=list[str])
async def list_namespaces(services: Services, request: Request) -> Response:
    """Return the names of the namespaces that the credential is good for."""
    return json_answer(visible(services, request))


@routes.route(
    "GET", NAMESPACE, access="deploy", scope=IN_PATH, summary="Describe a namespace", response=NamespaceStatus
)
async def describe(services: Services, request: Request) -> Response:
    """Return its labels, its quota and what is used of it."""
    return json_answer(services.namespaces.status(namespace_of(request)))


@routes.route(
    "POST", NAMESPACE, access="admin", scope="installation", summary="Make a namespace", request=NamespaceChange,
    response=NamespaceStatus, statuses=(201,),
)  # fmt: skip
async def create(services: Services, request: Request) -> Response:
    """Make it; without a body it has neither labels nor a quota."""
    body = await read_body(request, MAX_JSON_BYTES)
    change = decode_json(body, NamespaceChange) if body.strip() else NamespaceChange()
    return json_answer(await services.namespaces.create(_named(request), change), 201)


@routes.route(
    "PUT", NAMESPACE, access="admin", scope="installation", summary="Change a namespace's labels and quota",
    request=NamespaceChange, response=NamespaceStatus,
)  # fmt: skip
async def update(services: Services, request: Request) -> Response:
    """Replace its labels, annotations and quota by those given."""
    change = await read_json(request, NamespaceChange)
    return json_answer(await services.namespaces.update(_named(request), change))


@routes.route(
    "DELETE", NAMESPACE, access="admin", scope="installation", summary="Remove a namespace", query=RemovalQuery,
    statuses=(204,),
)  # fmt: skip
async def remove(services: Services, request: Request) -> Response:
    """Remove it with its tokens; 409 while anything else is in it, unless by force."""
    force = read_query(request, RemovalQuery).force
    await services.namespaces.remove(_named(request), force=force)
    return Response(status_code=204)


def _named(request: Request) -> NamespaceName:
    return parse_namespace(request.path_params["namespace"])
