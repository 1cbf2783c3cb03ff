"""/system/functions and /system/function/NAME: deploy, update, list, describe, remove.

A deployment names its code as an image. Without a container engine there are two images that can run: `sha256:…`, the
digest of an uploaded bundle, and the very string that the function was last deployed with, which means its present
code. `faas-cli deploy` on a function that `dayfly deploy` made therefore changes everything but the code.
"""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_json
from dayfly.api.functions import check_deployable
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.services import DeployMode, Services
from dayfly.dialects.openfaas.mapping import check_deployment, to_description, to_key, to_spec
from dayfly.dialects.openfaas.wire import DeleteFunctionRequest, FunctionDeployment, FunctionDescription
from dayfly.model.errors import Conflict, InvalidName, InvalidSpec, NotFound
from dayfly.model.function import FunctionSpec
from dayfly.model.names import FunctionKey, parse_bundle_digest, parse_namespace

routes = Routes(errors="plain")


@routes.route("GET", "/system/functions", access="admin", summary="List functions", response=list[FunctionDescription])
async def list_functions(services: Services, request: Request) -> Response:
    """Return the namespace's functions."""
    namespace = parse_namespace(request.query_params.get("namespace", ""))
    return json_answer([to_description(status) for status in await services.plane.statuses(namespace)])


@routes.route("POST", "/system/functions", access="admin", summary="Deploy a function", request=FunctionDeployment,
              statuses=(202,))  # fmt: skip
async def create(services: Services, request: Request) -> Response:
    """Create; 409 when it exists."""
    return await _deploy(services, request, "create")


@routes.route("PUT", "/system/functions", access="admin", summary="Update a function", request=FunctionDeployment,
              statuses=(202, 404))  # fmt: skip
async def update(services: Services, request: Request) -> Response:
    """Deploy a revision; 404 when the function is missing, on which `faas-cli` goes on to create it."""
    return await _deploy(services, request, "update")


@routes.route("DELETE", "/system/functions", access="admin", summary="Remove a function",
              request=DeleteFunctionRequest, statuses=(202, 404))  # fmt: skip
async def remove(services: Services, request: Request) -> Response:
    """Remove the function that the body names; the namespace may stand in the body or in the query."""
    asked = await read_json(request, DeleteFunctionRequest)
    if not asked.function_name:
        raise InvalidName("functionName: is required")
    await services.plane.remove(to_key(asked.function_name, asked.namespace, query_namespace(request)))
    return Response(status_code=202)


@routes.route("GET", "/system/function/{name}", access="admin", summary="Describe a function",
              response=FunctionDescription, statuses=(200, 404))  # fmt: skip
async def describe(services: Services, request: Request) -> Response:
    """Return the function; its name may carry the namespace behind a dot."""
    key = to_key(request.path_params["name"], query_namespace(request))
    return json_answer(to_description(await services.plane.status(key)))


def query_namespace(request: Request) -> str:
    """Return the namespace in the query string, or the empty text."""
    return request.query_params.get("namespace", "")


async def _deploy(services: Services, request: Request, mode: DeployMode) -> Response:
    asked = await read_json(request, FunctionDeployment)
    key = check_deployment(asked, query_namespace(request))
    present = _present_spec(services, key)
    if present is None and mode == "update":
        raise NotFound(f"unable to find function: {key}")
    if present is not None and mode == "create":
        raise Conflict(f"function {key} exists already; update it with PUT")
    spec = to_spec(asked, key, bundle=_bundle_for(asked.image or "", present), present=present)
    check_deployable(spec, services.bundles)
    await services.plane.deploy(spec, mode=mode)
    return Response(status_code=202)


def _present_spec(services: Services, key: FunctionKey) -> FunctionSpec | None:
    try:
        return services.plane.newest(key).spec
    except NotFound:
        return None


def _bundle_for(image: str, present: FunctionSpec | None) -> str:
    if present is not None and image in (present.image, present.bundle):
        return present.bundle
    try:
        return parse_bundle_digest(image)
    except InvalidName:
        raise InvalidSpec(
            f"image: {image[:200]} cannot run here: images need a container engine, which this provider lacks; "
            "deploy the function's folder with `dayfly deploy`, or name an uploaded bundle as sha256:DIGEST"
        ) from None
