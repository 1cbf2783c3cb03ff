"""/system/scale-function/NAME: set the number of replicas; zero is allowed, the next call wakes the function."""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_json
from dayfly.api.routes import Routes
from dayfly.api.scope import Place, function_in
from dayfly.api.services import Services
from dayfly.dialects.openfaas.wire import ScaleServiceRequest

routes = Routes(errors="plain")


@routes.route("POST", "/system/scale-function/{name}", access="deploy", summary="Scale a function",
              scope=Place(path_name="name", query="namespace", body="namespace"), request=ScaleServiceRequest,
              statuses=(202, 404))  # fmt: skip
async def scale(services: Services, request: Request) -> Response:
    """Set the replicas of the function in the path; a name in the body is not looked at."""
    asked = await read_json(request, ScaleServiceRequest)
    await services.plane.scale(function_in(request, request.path_params["name"]), asked.replicas)
    return Response(status_code=202)
