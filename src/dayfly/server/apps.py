"""The three apps, one a listener: which routes each serves and which headers its answers carry.

| app | routes |
|---|---|
| public | native /v1, OpenFaaS's /system, /hooks, /healthz, `/` and `/ui/` as redirects to the console's origin |
| console | the page, the /v1 it works with and calls of functions, whose answers cannot script this origin |
| metrics | /metrics, /healthz; the first without a credential where an operator said so |
"""

import dataclasses

from dayfly.api import events, invoke, metrics, native
from dayfly.api import info as about
from dayfly.api.asgi import ListenerApp
from dayfly.api.credentials import Credentials
from dayfly.api.routes import Route
from dayfly.api.services import Services
from dayfly.dialects import openfaas
from dayfly.web import page

API_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))

PUBLIC_ROUTES: tuple[Route, ...] = (*native.redirects, *native.ROUTES, *events.hooks, *openfaas.ROUTES)
CONSOLE_ROUTES: tuple[Route, ...] = (*page.routes, *native.ROUTES, *invoke.routes)
METRICS_ROUTES: tuple[Route, ...] = (*metrics.routes, *about.health)
OPEN_METRICS_ROUTES: tuple[Route, ...] = (*metrics.for_anybody, *about.health)


@dataclasses.dataclass(frozen=True, slots=True)
class Apps:
    """The ASGI apps of the three listeners."""

    public: ListenerApp
    console: ListenerApp
    metrics: ListenerApp


def build_apps(services: Services, credentials: Credentials, *, metrics_open: bool = False) -> Apps:
    """Return the apps over these services; with `metrics_open` Prometheus needs no credential."""
    metrics_routes = OPEN_METRICS_ROUTES if metrics_open else METRICS_ROUTES
    return Apps(
        public=ListenerApp(PUBLIC_ROUTES, services, credentials, API_HEADERS),
        console=ListenerApp(CONSOLE_ROUTES, services, credentials, page.HEADERS),
        metrics=ListenerApp(metrics_routes, services, credentials, API_HEADERS),
    )
