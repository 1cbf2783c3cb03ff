"""/system/namespaces: the names of the namespaces."""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.services import Services

routes = Routes(errors="plain")


@routes.route("GET", "/system/namespaces", access="admin", summary="List the namespaces", response=list[str])
async def list_namespaces(services: Services, _request: Request) -> Response:
    """Return the default namespace and those that hold functions."""
    return json_answer(await services.plane.namespaces())
