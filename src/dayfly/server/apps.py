"""The three apps, one a listener: which routes each serves and which headers its answers carry.

| app | routes |
|---|---|
| public | native /v1, OpenFaaS's /system, /healthz, `/` and `/ui/` as redirects to the console's origin |
| console | the page, and the /v1 it works with, on an origin that no function's answer can script |
| metrics | /metrics, /healthz |
"""

import dataclasses

from dayfly.api import info as about
from dayfly.api import metrics, native
from dayfly.api.asgi import ListenerApp
from dayfly.api.credentials import Credentials
from dayfly.api.routes import Route
from dayfly.api.services import BuildLog, Bundles, InstanceInfo, Plane, Services
from dayfly.dialects import openfaas
from dayfly.observe.logs import LogStore
from dayfly.observe.meter import Meter
from dayfly.web import page

API_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))

PUBLIC_ROUTES: tuple[Route, ...] = (*native.redirects, *native.ROUTES, *openfaas.ROUTES)
CONSOLE_ROUTES: tuple[Route, ...] = (*page.routes, *native.ROUTES)
METRICS_ROUTES: tuple[Route, ...] = (*metrics.routes, *about.health)


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
