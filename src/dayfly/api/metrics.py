"""Figures for Prometheus: all that a credential is good for on the metrics listener, one namespace's on the API.

`for_anybody` is in the first one's place where an operator lets a Prometheus without a credential in.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.info import visible
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of, principal_of
from dayfly.api.services import Services
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.model.namespace import NamespaceStatus
from dayfly.model.status import FunctionStatus
from dayfly.observe import metrics as prometheus
from dayfly.observe.budget_metrics import of_budgets
from dayfly.observe.family import Family
from dayfly.observe.flow_metrics import of_flows
from dayfly.observe.machine import of_machine
from dayfly.observe.meter import Figures
from dayfly.observe.queue_metrics import of_queue
from dayfly.observe.trigger_metrics import of_triggers
from dayfly.queue.questions import Figures as QueueFigures

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


async def everything(services: Services, figures: Callable[[FunctionKey], Figures]) -> Callable[[], list[Family]]:
    """Return what makes all figures, in any thread: of functions that were ever called or have replicas, and all else.

    What was counted is read in the same turn of the loop as this returns.
    """
    names = services.namespaces.names()
    statuses, queue = await _asked(services, names, lively=True)
    functions = [prometheus.metered(services.meter, status, figures) for status in statuses]
    counted = {each.status.spec.key: each.figures for each in functions}
    tenants, rollouts = _tenants(services, names), dict(services.plane.rollouts)
    installation = _installation(services)
    further = _further(services, names, statuses, queue, counted.__getitem__, is_whole=True)
    return lambda: prometheus.families(
        functions, tenants, rollouts=rollouts, installation=installation, further=further
    )


async def _answer(
    services: Services, namespaces: Iterable[NamespaceName], installation: prometheus.Installation | None
) -> Response:
    names = list(namespaces)
    functions, queue = await _asked(services, names, lively=False)
    figures, is_whole = services.meter.figures, installation is not None
    machine = of_machine(services.machine.usage()) if is_whole and services.machine is not None else ()
    text = prometheus.render(
        services.meter,
        functions,
        _tenants(services, names),
        rollouts=services.plane.rollouts,
        installation=installation,
        further=itertools.chain(_further(services, names, functions, queue, figures, is_whole=is_whole), machine),
    )
    return Response(text, headers={"Content-Type": prometheus.CONTENT_TYPE})


async def _asked(
    services: Services, names: list[NamespaceName], *, lively: bool
) -> tuple[list[FunctionStatus], QueueFigures]:
    statuses, queue = await asyncio.gather(
        asyncio.gather(*(services.plane.statuses(name, lively=lively) for name in names)), services.queue.figures()
    )
    return list(itertools.chain.from_iterable(statuses)), queue


def _tenants(services: Services, names: list[NamespaceName]) -> list[NamespaceStatus]:
    # One may have been removed while the gateways were asked.
    return [services.namespaces.status(name) for name in names if name in services.namespaces.names()]


def _further(
    services: Services,
    names: list[NamespaceName],
    functions: list[FunctionStatus],
    queue: QueueFigures,
    figures: Callable[[FunctionKey], Figures],
    *,
    is_whole: bool,
) -> Iterator[Family]:
    """Yield them when they are wanted; what they are made of is looked at now."""
    flows = [each for name in names for each in services.flows.figures(name)]
    triggers = [each for name in names for each in services.triggers.in_namespace(name)]
    return itertools.chain(
        of_queue(queue, {str(status.spec.key) for status in functions}, is_whole=is_whole),
        of_triggers(triggers),
        of_flows(flows),
        of_budgets(figures, functions, _tenants(services, names)),
    )
