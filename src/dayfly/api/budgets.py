"""Budgets of a namespace and its functions, and what they cost."""

import time
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_json, read_query
from dayfly.api.functions import FUNCTION, key_in
from dayfly.api.logs import parse_since
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.decide.budget import bounds
from dayfly.model.budget import Budget, BudgetChange, BudgetStatus
from dayfly.model.cost import MAX_DAYS, CostReport, FunctionCost
from dayfly.model.errors import InvalidRequest
from dayfly.model.status import FunctionStatus

HOUR_MS = 3_600_000
routes = Routes()


class CostQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which time a report is of: the present day or month, or from `since` to `until`."""

    period: Literal["day", "month"] = "month"
    since: str = ""
    """A time in RFC 3339's form, or how long ago, as 36h."""
    until: str = ""
    """The same; now when it is empty."""


@routes.route(
    "GET", "/v1/namespaces/{namespace}/budgets", access="deploy", scope=IN_PATH,
    summary="Tell how far budgets are used", response=list[BudgetStatus],
)  # fmt: skip
async def budgets(services: Services, request: Request) -> Response:
    """Return the namespace's budget and those of its functions, each allowance with what is used of it."""
    namespace = services.namespaces.get(namespace_of(request)).name
    functions = await services.plane.statuses(namespace)  # which asks the gateways, so that the sum is right too
    own = services.namespaces.status(namespace).budgets
    return json_answer([*own, *(each for status in functions for each in status.budgets)])


@routes.route(
    "PUT", FUNCTION + "/budget", access="deploy", scope=IN_PATH, summary="Change a function's budget",
    request=BudgetChange, response=FunctionStatus,
)  # fmt: skip
async def set_budget(services: Services, request: Request) -> Response:
    """Deploy the function as it is, with another budget; it holds at once."""
    key = key_in(request)
    change = await read_json(request, BudgetChange)
    spec = services.plane.newest(key).spec
    annotations = Budget.told(spec.annotations).changed(change.budget).written(spec.annotations)
    changed = msgspec.structs.replace(spec, annotations=annotations)
    return json_answer(await services.plane.deploy(changed, mode="update"))


@routes.route(
    "GET", "/v1/namespaces/{namespace}/costs", access="deploy", scope=IN_PATH,
    summary="Tell what functions used and cost", query=CostQuery, response=CostReport,
)  # fmt: skip
async def costs(services: Services, request: Request) -> Response:
    """Return calls, processor time, memory and money by function, for whole hours in UTC."""
    namespace = services.namespaces.get(namespace_of(request)).name
    asked, now_ns = read_query(request, CostQuery), time.time_ns()
    now = now_ns // 1_000_000
    since = parse_since(asked.since, now_ns) // 1_000_000 if asked.since else bounds(asked.period, now).starts_unix_ms
    until = parse_since(asked.until, now_ns) // 1_000_000 if asked.until else now
    if not now - MAX_DAYS * 24 * HOUR_MS <= since <= until:
        raise InvalidRequest(f"since: must be within the last {MAX_DAYS} days, and not after until")
    first, last = since // HOUR_MS, -(-until // HOUR_MS)
    await services.plane.statuses(namespace)  # which asks the gateways
    used = await services.spending.used(namespace, first, last)
    return json_answer(
        CostReport(
            namespace=namespace,
            since_unix_ms=first * HOUR_MS,
            until_unix_ms=last * HOUR_MS,
            prices=services.prices,
            functions=tuple(
                FunctionCost(
                    name=key.name,
                    namespace=namespace,
                    calls=each.calls,
                    cpu_seconds=each.cpu_seconds,
                    gib_seconds=each.gib_seconds,
                    cost=services.prices.of(each),
                )
                for key, each in sorted(used.items())
            ),
        )
    )
