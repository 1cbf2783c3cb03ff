"""/system/functions and /system/function/NAME: deploy, update, list, describe, remove.

A deployment names its code as an image. Two images mean code that is here: `sha256:…`, the digest of an uploaded
bundle, and the very string that the function was last deployed with, which means its present code. `faas-cli deploy` on
a function that `dayfly deploy` made therefore changes everything but the code. What any other image means is said by
`control/images.py`: code that stands in for it, or a container, if there is an engine.
"""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_json
from dayfly.api.functions import check_deployable
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import Place, function_in, namespace_of
from dayfly.api.services import DeployMode, Services
from dayfly.dialects.openfaas.mapping import check_deployment, to_description, to_spec
from dayfly.dialects.openfaas.usage import usage_of
from dayfly.dialects.openfaas.wire import GO_TRUE, DeleteFunctionRequest, FunctionDeployment, FunctionDescription
from dayfly.model.errors import Conflict, InvalidName, InvalidRequest, NotFound
from dayfly.model.function import FunctionSpec
from dayfly.model.names import FunctionKey, NamespaceName, parse_bundle_digest

IN_QUERY = Place(query="namespace")
IN_BODY = Place(query="namespace", body="namespace")

routes = Routes(errors="plain")


@routes.route("GET", "/system/functions", access="deploy", scope=IN_QUERY, summary="List functions",
              response=list[FunctionDescription])  # fmt: skip
async def list_functions(services: Services, request: Request) -> Response:
    """Return the namespace's functions; 400 for one that is not there."""
    namespace = present_namespace(services, request)
    return json_answer([to_description(status) for status in await services.plane.statuses(namespace)])


@routes.route("POST", "/system/functions", access="deploy", scope=IN_BODY, summary="Deploy a function",
              request=FunctionDeployment, statuses=(202,))  # fmt: skip
async def create(services: Services, request: Request) -> Response:
    """Create; 409 when it exists."""
    return await _deploy(services, request, "create")


@routes.route("PUT", "/system/functions", access="deploy", scope=IN_BODY, summary="Update a function",
              request=FunctionDeployment, statuses=(202, 404))  # fmt: skip
async def update(services: Services, request: Request) -> Response:
    """Deploy a revision; 404 when the function is missing, on which `faas-cli` goes on to create it."""
    return await _deploy(services, request, "update")


@routes.route("DELETE", "/system/functions", access="deploy", summary="Remove a function",
              scope=Place(query="namespace", body="namespace", body_name="functionName"),
              request=DeleteFunctionRequest, statuses=(202, 404))  # fmt: skip
async def remove(services: Services, request: Request) -> Response:
    """Remove the function that the body names; the namespace may stand in the body or in the query."""
    asked = await read_json(request, DeleteFunctionRequest)
    if not asked.function_name:
        raise InvalidName("functionName: is required")
    await services.plane.remove(function_in(request, asked.function_name))
    return Response(status_code=202)


@routes.route("GET", "/system/function/{name}", access="deploy", summary="Describe a function",
              scope=Place(path_name="name", query="namespace"), response=FunctionDescription,
              statuses=(200, 404))  # fmt: skip
async def describe(services: Services, request: Request) -> Response:
    """Return the function, what it uses now if that is asked for; its name may carry the namespace behind a dot."""
    key = function_in(request, request.path_params["name"])
    status = await services.plane.status(key)
    found = to_description(status)
    if request.query_params.get("usage", "") in GO_TRUE:
        found = msgspec.structs.replace(found, usage=await usage_of(status, services.plane))
    return json_answer(found)


def present_namespace(services: Services, request: Request) -> NamespaceName:
    """Return the namespace that the request is about. Raises InvalidRequest when there is none, as OpenFaaS has it."""
    try:
        return services.namespaces.get(namespace_of(request)).name
    except NotFound as error:
        raise InvalidRequest(error.message, hint=error.hint) from error


async def _deploy(services: Services, request: Request, mode: DeployMode) -> Response:
    asked = await read_json(request, FunctionDeployment)
    key = FunctionKey(namespace_of(request), check_deployment(asked))
    present = _present_spec(services, key)
    if present is None and mode == "update":
        raise NotFound(f"unable to find function: {key}")
    present_namespace(services, request)
    if present is not None and mode == "create":
        raise Conflict(f"function {key} exists already; update it with PUT")
    spec = to_spec(asked, key, bundle=_own_bundle(asked.image or "", present), present=present)
    spec = await services.images.resolve(spec)
    await check_deployable(spec, services)
    await services.plane.deploy(spec, mode=mode)
    return Response(status_code=202)


def _present_spec(services: Services, key: FunctionKey) -> FunctionSpec | None:
    try:
        return services.plane.newest(key).spec
    except NotFound:
        return None


def _own_bundle(image: str, present: FunctionSpec | None) -> str:
    """Return the code that the image's name means to this function already, nothing where it means none."""
    if present is not None and image in (present.image, present.bundle):
        return present.bundle
    try:
        return parse_bundle_digest(image)
    except InvalidName:
        return ""
