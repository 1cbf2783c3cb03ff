"""The native API as a whole: its routes, the document that describes them, and the ways to the console."""

import functools
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dayfly.api import (
    alert_receivers,
    alerts,
    audit,
    budgets,
    builder,
    bundles,
    call_records,
    calls,
    custom_routes,
    events,
    flow_runs,
    flows,
    functions,
    history,
    info,
    live,
    log_search,
    logs,
    machine,
    metrics,
    namespaces,
    openapi,
    prometheus_rules,
    query,
    replays,
    reports,
    rollouts,
    saved_queries,
    schedules,
    secrets,
    source_code,
    store,
    tokens,
    triggers,
    usage,
)
from dayfly.api.responses import json_answer
from dayfly.api.routes import Route, Routes
from dayfly.api.services import Services
from dayfly.model.errors import NotFound

redirects = Routes()
_description = Routes()


@redirects.route("GET", "/", access="public", scope="open", summary="Lead to the console", statuses=(307,))
@redirects.route(
    "GET", "/ui/", access="public", scope="open", summary="Lead to the console", statuses=(307,), heeds=True
)
async def to_console(services: Services, _request: Request) -> Response:
    """Lead a browser to the console's own origin."""
    if not services.info.console_url:
        raise NotFound("This installation has no console")
    return RedirectResponse(services.info.console_url.rstrip("/") + "/", 307)


@_description.route("GET", "/v1/openapi.json", access="public", scope="open", summary="Describe this API")
async def openapi_document(_services: Services, _request: Request) -> Response:
    """Return the OpenAPI document."""
    return json_answer(document())


ROUTES: tuple[Route, ...] = (
    *info.health,
    *_description,
    *info.native,
    *namespaces.routes,
    *tokens.routes,
    *audit.routes,
    *functions.routes,
    *live.routes,
    *source_code.routes,
    *rollouts.routes,
    *secrets.routes,
    *custom_routes.routes,
    *flows.routes,
    *flow_runs.routes,
    *triggers.routes,
    *schedules.routes,
    *events.routes,
    *alerts.routes,
    *alert_receivers.routes,
    *reports.routes,
    *logs.routes,
    *log_search.routes,
    *metrics.native,
    *history.routes,
    *prometheus_rules.routes,
    *machine.routes,
    *usage.routes,
    *budgets.routes,
    *bundles.routes,
    *calls.routes,
    *call_records.routes,
    *replays.routes,
    *query.routes,
    *saved_queries.routes,
    *builder.routes,
    *store.routes,
)


@functools.cache
def document() -> dict[str, Any]:
    """Return what describes the routes, made when somebody first asks."""
    return openapi.describe(ROUTES)
