"""What the functions of a namespace do and use, for those who watch them."""

import time

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.model.status import FunctionStatus
from dayfly.model.table import LATENCY_BUCKETS_S
from dayfly.model.usage import FunctionUsage, Usage
from dayfly.observe.meter import Meter

routes = Routes()


@routes.route(
    "GET", "/v1/namespaces/{namespace}/usage", access="deploy", scope=IN_PATH,
    summary="Tell what a namespace's functions do and use", response=Usage,
)  # fmt: skip
async def usage(services: Services, request: Request) -> Response:
    """Return calls, latencies, processor time and memory as they are now."""
    statuses = await services.plane.statuses(services.namespaces.get(namespace_of(request)).name)
    functions = tuple(usage_of(status, services.meter) for status in statuses)
    return json_answer(Usage(at_s=time.monotonic(), bounds_s=LATENCY_BUCKETS_S, functions=functions))


def usage_of(status: FunctionStatus, meter: Meter) -> FunctionUsage:
    """Return a function's share."""
    key = status.spec.key
    codes = meter.figures(key).codes
    return FunctionUsage(
        name=status.spec.name,
        namespace=status.spec.namespace,
        revision=status.revision,
        state=status.state,
        desired_replicas=status.desired_replicas,
        ready_replicas=status.ready_replicas,
        inflight=meter.inflight(key),
        waiting=meter.waiting(key),
        calls=sum(figures.calls for figures in codes.values()),
        failed=sum(figures.calls for code, figures in codes.items() if code >= 500),
        latencies=tuple(sum(counts) for counts in zip(*(figures.buckets for figures in codes.values()), strict=True))
        or (0,) * (len(LATENCY_BUCKETS_S) + 1),
        exits=status.exits,
        cpu_s=status.cpu_s,
        memory_bytes=status.memory_bytes,
        replicas=status.replicas,
    )
