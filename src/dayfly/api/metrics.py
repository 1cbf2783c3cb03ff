"""The metrics listener's page for Prometheus."""

import asyncio
import itertools

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.routes import Routes
from dayfly.api.services import Services
from dayfly.observe import metrics as prometheus

routes = Routes()


@routes.route("GET", "/metrics", access="admin", summary="Figures for Prometheus", media_type="text/plain")
async def metrics(services: Services, _request: Request) -> Response:
    """Return the metrics of all namespaces."""
    plane = services.plane
    statuses = await asyncio.gather(*(plane.statuses(namespace) for namespace in await plane.namespaces()))
    text = prometheus.render(
        services.meter,
        itertools.chain.from_iterable(statuses),
        gateways=plane.gateways(),
        rollouts=plane.rollouts,
        dropped_log_lines=services.logs.dropped,
        sandbox=services.info.sandbox(),
    )
    return Response(text, headers={"Content-Type": prometheus.CONTENT_TYPE})
