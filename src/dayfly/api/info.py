"""The installation itself: its health, its version, its namespaces, its own description as OpenAPI."""

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.services import Services
from dayfly.model.names import DEFAULT_NAMESPACE
from dayfly.model.status import PlatformInfo

health = Routes()
native = Routes()


@health.route(
    "GET", "/healthz", access="public", summary="Tell that the control plane answers", media_type="text/plain"
)
async def healthz(_services: Services, _request: Request) -> Response:
    """Answer 200 while the control plane's loop runs."""
    return PlainTextResponse("OK")


@native.route("GET", "/v1/info", access="admin", summary="Describe the installation", response=PlatformInfo)
async def info(services: Services, _request: Request) -> Response:
    """Return the facts of the installation."""
    plane, facts = services.plane, services.info
    counts = await asyncio.gather(*(plane.statuses(namespace) for namespace in await plane.namespaces()))
    return json_answer(
        PlatformInfo(
            version=facts.version,
            provider=facts.provider,
            architecture=facts.architecture,
            default_namespace=DEFAULT_NAMESPACE,
            gateway_url=facts.gateway_url,
            console_url=facts.console_url,
            metrics_url=facts.metrics_url,
            functions=sum(map(len, counts)),
            gateways=plane.gateways(),
            sandbox=facts.sandbox(),
        )
    )


@native.route("GET", "/v1/namespaces", access="admin", summary="List the namespaces", response=list[str])
async def namespaces(services: Services, _request: Request) -> Response:
    """Return the default namespace and those that hold functions."""
    return json_answer(await services.plane.namespaces())
