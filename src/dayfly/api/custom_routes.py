"""Routes of functions: write, look at and remove them; and the hosts that namespaces may have in them."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_json, read_query
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of, principal_of
from dayfly.api.services import Services
from dayfly.model.errors import InvalidRequest
from dayfly.model.names import NamespaceName, parse_namespace, parse_route_name
from dayfly.model.route import ANY_HOST, GrantRequest, HostGrant, RouteMode, RouteSpec, RouteStatus, parse_host

ROUTES = "/v1/namespaces/{namespace}/routes"
ROUTE = ROUTES + "/{name}"
HOSTS = "/v1/hosts"
HOST = HOSTS + "/{host}"

routes = Routes()


class RouteRequest(RouteSpec, kw_only=True, frozen=True):
    """A route; its name and namespace may be left out, since the path says them."""

    name: str = ""
    namespace: str = ""

    def spec(self, namespace: NamespaceName, name: str) -> RouteSpec:
        """Return the route of this name. Raises InvalidRequest when the body names another."""
        if self.name not in ("", name) or self.namespace not in ("", namespace):
            raise InvalidRequest(f"The body names another route than the path, which names {name}.{namespace}")
        return RouteSpec(**(msgspec.structs.asdict(self) | {"name": name, "namespace": namespace}))


class RouteQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a route is written."""

    mode: RouteMode = "upsert"
    """create refuses one that exists, update one that does not."""


class GrantQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose grant is meant."""

    namespace: str


@routes.route(
    "GET", ROUTES, access="deploy", scope=IN_PATH, summary="List a namespace's routes", response=list[RouteStatus]
)
async def list_routes(services: Services, request: Request) -> Response:
    """Return the routes ordered by name."""
    return json_answer(services.routes.in_namespace(services.namespaces.get(namespace_of(request)).name))


@routes.route("GET", ROUTE, access="deploy", scope=IN_PATH, summary="Describe a route", response=RouteStatus)
async def describe(services: Services, request: Request) -> Response:
    """Return what it is, and what keeps it from working."""
    return json_answer(services.routes.get(*_named(request)))


@routes.route(
    "PUT", ROUTE, access="deploy", scope=IN_PATH, summary="Create or replace a route", request=RouteRequest,
    query=RouteQuery, response=RouteStatus, statuses=(200, 201),
)  # fmt: skip
async def put(services: Services, request: Request) -> Response:
    """Let the route be this in every gateway; 201 when it is new."""
    mode = read_query(request, RouteQuery).mode
    spec = (await read_json(request, RouteRequest)).spec(*_named(request))
    everywhere = principal_of(request).is_everywhere
    status, done = await services.routes.put(spec, mode=mode, everywhere=everywhere)
    return json_answer(status, 201 if done == "created" else 200)


@routes.route("DELETE", ROUTE, access="deploy", scope=IN_PATH, summary="Remove a route", statuses=(204,))
async def remove(services: Services, request: Request) -> Response:
    """Remove it from every gateway."""
    await services.routes.remove(*_named(request))
    return Response(status_code=204)


@routes.route("GET", HOSTS, access="deploy", scope="visible", summary="List granted hosts", response=list[HostGrant])
async def list_hosts(services: Services, request: Request) -> Response:
    """Return the grants that the credential may know of."""
    return json_answer(services.routes.granted(principal_of(request).namespace))


@routes.route(
    "PUT", HOST, access="admin", scope="installation", summary="Let a namespace have a host in its routes",
    request=GrantRequest, response=HostGrant,
)  # fmt: skip
async def grant(services: Services, request: Request) -> Response:
    """Grant the host, `*` for any; several namespaces may have the same one."""
    wanted = await read_json(request, GrantRequest)
    given = HostGrant(host=_host(request), namespace=parse_namespace(wanted.namespace))
    await services.routes.grant(given)
    return json_answer(given)


@routes.route(
    "DELETE", HOST, access="admin", scope="installation", summary="Take a granted host back", query=GrantQuery,
    statuses=(204,),
)  # fmt: skip
async def revoke(services: Services, request: Request) -> Response:
    """Take the grant back; routes that are there stay."""
    namespace = parse_namespace(read_query(request, GrantQuery).namespace)
    await services.routes.revoke(HostGrant(host=_host(request), namespace=namespace))
    return Response(status_code=204)


def _named(request: Request) -> tuple[NamespaceName, str]:
    return namespace_of(request), parse_route_name(request.path_params["name"])


def _host(request: Request) -> str:
    text: str = request.path_params["host"]
    return ANY_HOST if text == "*" else parse_host(text)
