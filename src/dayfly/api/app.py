"""The three apps, one a listener: which routes each serves and which headers its answers carry.

| app | routes |
|---|---|
| public | native /v1, OpenFaaS's /system, /healthz, `/` and `/ui/` as redirects to the console's origin |
| console | the page, and the /v1 it works with, on an origin that no function's answer can script |
| metrics | /metrics, /healthz |
"""

import dataclasses

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dayfly.api import bundles, functions, info, logs, metrics, openapi
from dayfly.api.asgi import ListenerApp
from dayfly.api.credentials import Credentials
from dayfly.api.responses import json_answer
from dayfly.api.routes import Route, Routes
from dayfly.api.services import BuildLog, Bundles, InstanceInfo, Plane, Services
from dayfly.dialects import openfaas
from dayfly.model.errors import NotFound
from dayfly.observe.logs import LogStore
from dayfly.observe.meter import Meter
from dayfly.web import page

__all__ = ["Apps", "InstanceInfo", "build_apps"]

NATIVE = (*info.native, *functions.routes, *logs.routes, *bundles.routes)
API_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))

redirects = Routes()
description = Routes()


@dataclasses.dataclass(frozen=True, slots=True)
class Apps:
    """The ASGI apps of the three listeners."""

    public: ListenerApp
    console: ListenerApp
    metrics: ListenerApp


def build_apps(
    plane: Plane,
    logs: LogStore,
    meter: Meter,
    blobs: Bundles,
    credentials: Credentials,
    info: InstanceInfo,
    *,
    build_log: BuildLog | None = None,
) -> Apps:
    """Return the apps over these services."""
    services = Services(plane=plane, logs=logs, meter=meter, bundles=blobs, info=info, build_log=build_log)
    return Apps(
        public=ListenerApp(PUBLIC_ROUTES, services, credentials, API_HEADERS),
        console=ListenerApp(CONSOLE_ROUTES, services, credentials, page.HEADERS),
        metrics=ListenerApp(METRICS_ROUTES, services, credentials, API_HEADERS),
    )


@redirects.route("GET", "/", access="public", summary="Lead to the console", statuses=(307,))
@redirects.route("GET", "/ui/", access="public", summary="Lead to the console", statuses=(307,))
async def to_console(services: Services, _request: Request) -> Response:
    """Lead a browser to the console's own origin."""
    if not services.info.console_url:
        raise NotFound("This installation has no console")
    return RedirectResponse(services.info.console_url.rstrip("/") + "/", 307)


@description.route("GET", "/v1/openapi.json", access="public", summary="Describe this API")
async def openapi_document(_services: Services, _request: Request) -> Response:
    """Return the OpenAPI document."""
    return json_answer(DOCUMENT)


PUBLIC_ROUTES: tuple[Route, ...] = (*info.health, *redirects, *description, *NATIVE, *openfaas.ROUTES)
CONSOLE_ROUTES: tuple[Route, ...] = (*page.routes, *info.health, *description, *NATIVE)
METRICS_ROUTES: tuple[Route, ...] = (*metrics.routes, *info.health)
DOCUMENT = openapi.describe((*info.health, *description, *NATIVE))
