"""/system/namespaces and /system/namespace/NAME: the namespaces, and what OpenFaaS's clients do with them.

A new one is posted to the path with nothing behind its last slash, and named in the body. OpenFaaS tells its own
namespaces from others by the label `openfaas` with the value `1`: clients send it with every change, and a body without
it is refused. Here every namespace is one for functions, so that the label is made for answers and never kept.
"""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_json
from dayfly.api.info import visible
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.dialects.openfaas.wire import FunctionNamespace
from dayfly.model.errors import Conflict, InvalidName, InvalidRequest
from dayfly.model.names import NamespaceName, parse_namespace
from dayfly.model.namespace import NamespaceChange, Quota

NAMESPACE = "/system/namespace/{namespace}"
LABEL, VALUE = "openfaas", "1"

routes = Routes(errors="plain")


@routes.route("GET", "/system/namespaces", access="deploy", scope="visible", summary="List the namespaces",
              response=list[str])  # fmt: skip
async def list_namespaces(services: Services, request: Request) -> Response:
    """Return the names of the namespaces that the credential is good for."""
    return json_answer(visible(services, request))


@routes.route("GET", NAMESPACE, access="deploy", scope=IN_PATH, summary="Describe a namespace",
              response=FunctionNamespace, statuses=(200, 404))  # fmt: skip
async def describe(services: Services, request: Request) -> Response:
    """Return the namespace with its labels."""
    found = services.namespaces.get(namespace_of(request))
    return json_answer(FunctionNamespace(found.name, found.annotations, {**found.labels, LABEL: VALUE}))


@routes.route("POST", "/system/namespace/", access="admin", scope="installation", summary="Make a namespace",
              request=FunctionNamespace, statuses=(201,))  # fmt: skip
async def create(services: Services, request: Request) -> Response:
    """Make the namespace that the body names; 409 when it exists."""
    asked = await _read(request)
    if not asked.name:
        raise InvalidName("name: is required")
    await services.namespaces.create(parse_namespace(asked.name), _change(asked))
    return Response(status_code=201)


@routes.route("PUT", NAMESPACE, access="admin", scope="installation", summary="Change a namespace's labels",
              request=FunctionNamespace, statuses=(202, 404))  # fmt: skip
async def update(services: Services, request: Request) -> Response:
    """Replace labels and annotations; the quota, of which OpenFaaS knows nothing, stays."""
    asked, name = await _read(request), _named(request)
    _check_same(asked, name)
    quota = services.namespaces.get(name).quota
    await services.namespaces.update(name, _change(asked, quota=quota))
    return Response(status_code=202)


@routes.route("DELETE", NAMESPACE, access="admin", scope="installation", summary="Remove a namespace",
              request=FunctionNamespace, statuses=(202, 404))  # fmt: skip
async def remove(services: Services, request: Request) -> Response:
    """Remove the namespace; 400 while something is in it."""
    asked, name = await _read(request), _named(request)
    _check_same(asked, name)
    try:
        await services.namespaces.remove(name)
    except Conflict as error:
        raise InvalidRequest(error.message) from error
    return Response(status_code=202)


async def _read(request: Request) -> FunctionNamespace:
    asked = await read_json(request, FunctionNamespace)
    if (asked.labels or {}).get(LABEL) != VALUE:
        raise InvalidRequest(f'labels: the label {LABEL}="{VALUE}" is required')
    return asked


def _named(request: Request) -> NamespaceName:
    return parse_namespace(request.path_params["namespace"])


def _check_same(asked: FunctionNamespace, name: NamespaceName) -> None:
    if asked.name != name:
        raise InvalidName(f"name: {(asked.name or '')[:80]!r} in the body is not the path's namespace {name}")


def _change(asked: FunctionNamespace, *, quota: Quota | None = None) -> NamespaceChange:
    labels = {name: value for name, value in (asked.labels or {}).items() if name != LABEL}
    return NamespaceChange(labels=labels, annotations=asked.annotations or {}, quota=quota or Quota())
