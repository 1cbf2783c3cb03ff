"""Functions: deploy, look at, scale and remove them."""

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dayfly.api.canary import CanaryQuery
from dayfly.api.decoding import read_json, read_query
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.model.errors import Conflict, InvalidRequest, InvalidSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.names import FunctionKey, parse_bundle_digest, parse_function_name
from dayfly.model.status import FunctionStatus, ScaleRequest

FUNCTIONS = "/v1/namespaces/{namespace}/functions"
FUNCTION = FUNCTIONS + "/{name}"

routes = Routes()


class DeployRequest(FunctionSpec, kw_only=True, frozen=True):
    """A deployment; its name and namespace may be left out, since the path says them."""

    name: str = ""
    namespace: str = ""

    def spec(self, key: FunctionKey) -> FunctionSpec:
        """Return the deployment of the function at `key`. Raises InvalidRequest when the body names another."""
        if self.name not in ("", key.name) or self.namespace not in ("", key.namespace):
            raise InvalidRequest(f"The body names another function than the path, which names {key}")
        fields = msgspec.structs.asdict(self) | {"name": key.name, "namespace": key.namespace}
        return FunctionSpec(**fields)


def key_in(request: Request) -> FunctionKey:
    """Return the function that the path names. Raises InvalidName."""
    return FunctionKey(namespace_of(request), parse_function_name(request.path_params["name"]))


async def check_deployable(spec: FunctionSpec, services: Services) -> None:
    """Refuse a deployment that cannot work or whose code its namespace has not. Raises InvalidSpec, NotFound."""
    spec.check()
    namespace = services.namespaces.get(spec.key.namespace).name
    if spec.runtime == "image":
        check_engine(spec.image, services)
        return
    where = f"/v1/namespaces/{namespace}/bundles"
    if not spec.bundle:
        raise InvalidSpec(f"bundle: is required; upload the code to {where}/DIGEST first and name its digest here")
    if not await services.bundles.has(namespace, parse_bundle_digest(spec.bundle)):
        raise InvalidSpec(f"bundle: {spec.bundle} is not here; upload it to {where}/{spec.bundle} first")


def check_engine(image: str, services: Services) -> None:
    """Refuse an image where no engine was ever found; one that is away is waited for. Raises InvalidSpec."""
    state = services.info.engine()
    if state.engine is None:
        raise InvalidSpec(
            f"image: {image[:200]} cannot run here: images need a container engine, and {state.reason}; deploy the "
            "function's folder with `dayfly deploy`, a function of `dayfly store list`, or an uploaded bundle as "
            "sha256:DIGEST"
        )


@routes.route(
    "GET",
    FUNCTIONS,
    access="deploy",
    scope=IN_PATH,
    summary="List a namespace's functions",
    response=list[FunctionStatus],
)
async def list_functions(services: Services, request: Request) -> Response:
    """Return the functions ordered by name."""
    return json_answer(await services.plane.statuses(services.namespaces.get(namespace_of(request)).name))


@routes.route("GET", FUNCTION, access="deploy", scope=IN_PATH, summary="Describe a function", response=FunctionStatus)
async def describe(services: Services, request: Request) -> Response:
    """Return what was asked for and what is."""
    return json_answer(await services.plane.status(key_in(request)))


@routes.route(
    "PUT", FUNCTION, access="deploy", scope=IN_PATH, summary="Create a function or deploy a new revision of it",
    request=DeployRequest, query=CanaryQuery, response=FunctionStatus, statuses=(200, 201),
)  # fmt: skip
async def deploy(services: Services, request: Request) -> Response:
    """Deploy; 201 when the function is new."""
    key = key_in(request)
    canary = read_query(request, CanaryQuery).policy()
    spec = (await read_json(request, DeployRequest)).spec(key)
    services.namespaces.get(key.namespace)  # raises NotFound
    if spec.runtime == "image" and not spec.bundle:
        spec = await services.images.resolve(spec)
    await check_deployable(spec, services)
    try:
        return json_answer(await services.plane.deploy(spec, mode="create", canary=canary), 201)
    except Conflict:
        return json_answer(await services.plane.deploy(spec, mode="upsert", canary=canary), 200)


@routes.route("DELETE", FUNCTION, access="deploy", scope=IN_PATH, summary="Remove a function", statuses=(204,))
async def remove(services: Services, request: Request) -> Response:
    """Remove the function and its revisions."""
    await services.plane.remove(key_in(request))
    return Response(status_code=204)


@routes.route(
    "POST", FUNCTION + "/scale", access="deploy", scope=IN_PATH,
    summary="Set the number of replicas, or give it back to the scaler", request=ScaleRequest, response=FunctionStatus,
)  # fmt: skip
async def scale(services: Services, request: Request) -> Response:
    """Set the number by hand; null lets the scaler decide again."""
    key = key_in(request)
    wanted = await read_json(request, ScaleRequest)
    return json_answer(await services.plane.scale(key, wanted.replicas))


@routes.route(
    "GET", FUNCTION + "/build-log", access="deploy", scope=IN_PATH,
    summary="Show what installing the dependencies printed", media_type="text/plain",
)  # fmt: skip
async def build_log(services: Services, request: Request) -> Response:
    """Return the log of the newest revision's dependencies; empty when it names none."""
    newest = services.plane.newest(key_in(request))
    return PlainTextResponse(await services.build_log(newest.spec) if services.build_log else "")
