"""Figures for Prometheus: all that a credential is good for on the metrics listener, one namespace's on the API.

`for_anybody` is in the first one's place where an operator lets a Prometheus without a credential in.
"""

import asyncio
import itertools
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.info import visible
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of, principal_of
from dayfly.api.services import Services
from dayfly.model.names import NamespaceName
from dayfly.observe import metrics as prometheus
from dayfly.observe.budget_metrics import of_budgets
from dayfly.observe.flow_metrics import of_flows
from dayfly.observe.queue_metrics import of_queue
from dayfly.observe.trigger_metrics import of_triggers

routes = Routes()
for_anybody = Routes()
native = Routes()


@routes.route(
    "GET", "/metrics", access="deploy", scope="visible", summary="Figures for Prometheus", media_type="text/plain"
)
async def metrics(services: Services, request: Request) -> Response:
    """Return the metrics of the namespaces that the credential is good for; the installation's own if it is for all."""
    everywhere = principal_of(request).is_everywhere
    return await _answer(services, visible(services, request), _installation(services) if everywhere else None)


@for_anybody.route(
    "GET", "/metrics", access="public", scope="open", summary="Figures for Prometheus", media_type="text/plain",
)  # fmt: skip
async def metrics_for_anybody(services: Services, _request: Request) -> Response:
    """Return the metrics of all namespaces and of the installation."""
    return await _answer(services, services.namespaces.names(), _installation(services))


@native.route(
    "GET", "/v1/namespaces/{namespace}/metrics", access="deploy", scope=IN_PATH,
    summary="A namespace's figures for Prometheus", media_type="text/plain",
)  # fmt: skip
async def metrics_of_namespace(services: Services, request: Request) -> Response:
    """Return the metrics of the namespace's functions, and what it uses of its quota."""
    return await _answer(services, [services.namespaces.get(namespace_of(request)).name], None)


def _installation(services: Services) -> prometheus.Installation:
    return prometheus.Installation(
        gateways=services.plane.gateways(),
        dropped_log_lines=services.logs.dropped,
        dropped_records=services.records.dropped,
        sandbox=services.info.sandbox(),
        engine_up=services.info.engine().is_up,
    )


async def _answer(
    services: Services, namespaces: Iterable[NamespaceName], installation: prometheus.Installation | None
) -> Response:
    names = list(namespaces)
    statuses, queue = await asyncio.gather(
        asyncio.gather(*(services.plane.statuses(name) for name in names)), services.queue.figures()
    )
    functions = list(itertools.chain.from_iterable(statuses))
    flows = [figures for name in names for figures in services.flows.figures(name)]
    keys = {str(status.spec.key) for status in functions}
    # One may have been removed while the gateways were asked.
    tenants = [services.namespaces.status(name) for name in names if name in services.namespaces.names()]
    text = prometheus.render(
        services.meter,
        functions,
        tenants,
        rollouts=services.plane.rollouts,
        installation=installation,
        further=itertools.chain(
            of_queue(queue, keys, is_whole=installation is not None),
            of_triggers(each for name in names for each in services.triggers.in_namespace(name)),
            of_flows(flows),
            of_budgets(services.meter, functions, tenants),
        ),
    )
    return Response(text, headers={"Content-Type": prometheus.CONTENT_TYPE})
