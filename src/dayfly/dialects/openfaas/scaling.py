"""/system/scale-function/NAME: set the number of replicas; zero is allowed, the next call wakes the function."""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_json
from dayfly.api.routes import Routes
from dayfly.api.services import Services
from dayfly.dialects.openfaas.functions import query_namespace
from dayfly.dialects.openfaas.mapping import to_key
from dayfly.dialects.openfaas.wire import ScaleServiceRequest

routes = Routes(errors="plain")


@routes.route("POST", "/system/scale-function/{name}", access="admin", summary="Scale a function",
              request=ScaleServiceRequest, statuses=(202, 404))  # fmt: skip
async def scale(services: Services, request: Request) -> Response:
    """Set the replicas of the function in the path; a name in the body is not looked at."""
    asked = await read_json(request, ScaleServiceRequest)
    key = to_key(request.path_params["name"], asked.namespace, query_namespace(request))
    await services.plane.scale(key, asked.replicas)
    return Response(status_code=202)
