"""The installation itself: its health, its version, and who asks."""

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import own_namespace, principal_of
from dayfly.api.services import Services
from dayfly.model.names import NamespaceName
from dayfly.model.status import PlatformInfo

health = Routes()
native = Routes()


@health.route(
    "GET",
    "/healthz",
    access="public",
    scope="open",
    summary="Tell that the control plane answers",
    media_type="text/plain",
)
async def healthz(_services: Services, _request: Request) -> Response:
    """Answer 200 while the control plane's loop runs."""
    return PlainTextResponse("OK")


@native.route(
    "GET", "/v1/info", access="known", scope="visible", summary="Describe the installation, and who asks",
    response=PlatformInfo,
)  # fmt: skip
async def info(services: Services, request: Request) -> Response:
    """Return the facts of the installation; functions are counted where the credential is good."""
    plane, facts, principal = services.plane, services.info, principal_of(request)
    counts = await asyncio.gather(*(plane.statuses(namespace) for namespace in visible(services, request)))
    return json_answer(
        PlatformInfo(
            version=facts.version,
            provider=facts.provider,
            architecture=facts.architecture,
            default_namespace=own_namespace(principal),
            gateway_url=facts.gateway_url,
            console_url=facts.console_url,
            metrics_url=facts.metrics_url,
            functions=sum(map(len, counts)),
            gateways=plane.gateways(),
            sandbox=facts.sandbox(),
            engine=facts.engine(),
            caller=principal,
        )
    )


def visible(services: Services, request: Request) -> list[NamespaceName]:
    """Return the namespaces that the request's credential is good for, ordered."""
    principal = principal_of(request)
    return [namespace for namespace in services.namespaces.names() if principal.sees(namespace)]
