"""Flows: write, look at and remove them."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_json, read_query
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.model.errors import InvalidRequest
from dayfly.model.flow import FlowMode, FlowSpec
from dayfly.model.flow_status import FlowStatus
from dayfly.model.names import NamespaceName, parse_flow_name

FLOWS = "/v1/namespaces/{namespace}/flows"
FLOW = FLOWS + "/{name}"

routes = Routes()


class FlowRequest(FlowSpec, kw_only=True, frozen=True):
    """A flow; its name and namespace may be left out, since the path says them."""

    name: str = ""
    namespace: str = ""

    def spec(self, namespace: NamespaceName, name: str) -> FlowSpec:
        """Return the flow of this name. Raises InvalidRequest when the body names another."""
        if self.name not in ("", name) or self.namespace not in ("", namespace):
            raise InvalidRequest(f"The body names another flow than the path, which names {name}.{namespace}")
        return FlowSpec(**(msgspec.structs.asdict(self) | {"name": name, "namespace": namespace}))


class FlowQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a flow is written."""

    mode: FlowMode = "upsert"
    """create refuses one that exists, update one that does not."""


@routes.route(
    "GET", FLOWS, access="deploy", scope=IN_PATH, summary="List a namespace's flows", response=list[FlowStatus]
)
async def list_flows(services: Services, request: Request) -> Response:
    """Return the flows ordered by name."""
    return json_answer(services.flows.in_namespace(services.namespaces.get(namespace_of(request)).name))


@routes.route("GET", FLOW, access="deploy", scope=IN_PATH, summary="Describe a flow", response=FlowStatus)
async def describe(services: Services, request: Request) -> Response:
    """Return its steps, and how many of its runs are under way."""
    return json_answer(services.flows.get(*_named(request)))


@routes.route(
    "PUT", FLOW, access="deploy", scope=IN_PATH, summary="Create or replace a flow", request=FlowRequest,
    query=FlowQuery, response=FlowStatus, statuses=(200, 201),
)  # fmt: skip
async def put(services: Services, request: Request) -> Response:
    """Let runs that begin from now on take these steps; 201 when the flow is new."""
    mode = read_query(request, FlowQuery).mode
    spec = (await read_json(request, FlowRequest)).spec(*_named(request))
    status, done = await services.flows.put(spec, mode=mode)
    return json_answer(status, 201 if done == "created" else 200)


@routes.route("DELETE", FLOW, access="deploy", scope=IN_PATH, summary="Remove a flow", statuses=(204,))
async def remove(services: Services, request: Request) -> Response:
    """Remove it; its runs under way go on."""
    await services.flows.remove(*_named(request))
    return Response(status_code=204)


def _named(request: Request) -> tuple[NamespaceName, str]:
    return namespace_of(request), parse_flow_name(request.path_params["name"])
