"""/system/info: what runs here, in a form whose every part clients dereference; and the telemetry that there is not."""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.services import Services
from dayfly.dialects.openfaas.wire import GatewayInfo, ProviderInfo, VersionInfo

_GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}

routes = Routes(errors="plain")


@routes.route("GET", "/system/info", access="known", scope="visible", summary="Describe the installation",
              response=GatewayInfo)  # fmt: skip
async def info(services: Services, _request: Request) -> Response:
    """Return provider, version and architecture."""
    facts = services.info
    # An installed package knows its version and not the commit it was built from; clients want some text there.
    version = VersionInfo(sha=f"v{facts.version}", release=facts.version)
    provider = ProviderInfo(provider="dayfly", version=version, orchestration=facts.provider)
    arch = _GO_ARCHITECTURES.get(facts.architecture, facts.architecture)
    return json_answer(
        GatewayInfo(provider=provider, version=version, arch=arch, sandbox=facts.sandbox(), engine=facts.engine())
    )


@routes.route("GET", "/system/telemetry", access="known", scope="visible", summary="Tell that nothing is gathered",
              response=dict[str, str])  # fmt: skip
async def telemetry(_services: Services, _request: Request) -> Response:
    """Return an empty document: nothing is gathered about anybody."""
    return json_answer({})
