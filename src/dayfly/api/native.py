"""The native API as a whole: its routes, the document that describes them, and the ways to the console."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dayfly.api import bundles, functions, info, logs, openapi, rollouts
from dayfly.api.responses import json_answer
from dayfly.api.routes import Route, Routes
from dayfly.api.services import Services
from dayfly.model.errors import NotFound

redirects = Routes()
_description = Routes()


@redirects.route("GET", "/", access="public", summary="Lead to the console", statuses=(307,))
@redirects.route("GET", "/ui/", access="public", summary="Lead to the console", statuses=(307,))
async def to_console(services: Services, _request: Request) -> Response:
    """Lead a browser to the console's own origin."""
    if not services.info.console_url:
        raise NotFound("This installation has no console")
    return RedirectResponse(services.info.console_url.rstrip("/") + "/", 307)


@_description.route("GET", "/v1/openapi.json", access="public", summary="Describe this API")
async def openapi_document(_services: Services, _request: Request) -> Response:
    """Return the OpenAPI document."""
    return json_answer(DOCUMENT)


ROUTES: tuple[Route, ...] = (
    *info.health,
    *_description,
    *info.native,
    *functions.routes,
    *rollouts.routes,
    *logs.routes,
    *bundles.routes,
)
DOCUMENT = openapi.describe(ROUTES)
