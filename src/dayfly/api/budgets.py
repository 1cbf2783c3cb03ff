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
from dayfly.api.scope import IN_PATH, namespace_of, principal_of
from dayfly.api.services import Services
from dayfly.decide.budget import bounds
from dayfly.model.allowance import Allowances
from dayfly.model.budget import BudgetChange, BudgetSpec, BudgetStanding, BudgetStatus
from dayfly.model.cost import MAX_DAYS, CostReport, FunctionCost
from dayfly.model.errors import InvalidRequest
from dayfly.model.names import NamespaceName, parse_budget_name
from dayfly.model.status import FunctionStatus

HOUR_MS = 3_600_000
BUDGETS = "/v1/namespaces/{namespace}/budgets"
BUDGET = BUDGETS + "/{name}"
routes = Routes()


class BudgetRequest(BudgetSpec, kw_only=True, frozen=True):
    """A budget; its name and namespace may be left out, since the path says them."""

    name: str = ""
    namespace: str = ""

    def spec(self, namespace: NamespaceName, name: str) -> BudgetSpec:
        """Return the budget of this name. Raises InvalidRequest when the body names another."""
        if self.name not in ("", name) or self.namespace not in ("", namespace):
            raise InvalidRequest(f"The body names another budget than the path, which names {name}.{namespace}")
        return BudgetSpec(**(msgspec.structs.asdict(self) | {"name": name, "namespace": namespace}))


class CostQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which time a report is of: the present day or month, or from `since` to `until`."""

    period: Literal["day", "month"] = "month"
    since: str = ""
    """A time in RFC 3339's form, or how long ago, as 36h."""
    until: str = ""
    """The same; now when it is empty."""


@routes.route(
    "GET", BUDGETS, access="deploy", scope=IN_PATH, summary="Tell how far budgets are used", response=list[BudgetStatus]
)
async def budgets(services: Services, request: Request) -> Response:
    """Return each allowance with what is used of it: the namespace's, its functions', and those of absent ones."""
    namespace = services.namespaces.get(namespace_of(request)).name
    functions = await services.plane.statuses(namespace)  # which asks the gateways, so that the sum is right too
    own = services.namespaces.status(namespace).budgets
    known = {status.spec.name for status in functions}
    absent = [
        each
        for budget in services.budgets.all()
        if budget.key[0] == namespace and budget.spec.function and budget.spec.function not in known
        for each in services.spending.standing(budget).allowances
    ]
    return json_answer([*own, *(each for status in functions for each in status.budgets), *absent])


@routes.route("GET", BUDGET, access="deploy", scope=IN_PATH, summary="Describe a budget", response=BudgetStanding)
async def describe(services: Services, request: Request) -> Response:
    """Return what it states and how far that is used."""
    await services.plane.statuses(namespace_of(request))  # which asks the gateways
    return json_answer(services.spending.standing(services.budgets.get(*_named(request))))


@routes.route(
    "PUT", BUDGET, access="deploy", scope=IN_PATH, summary="Create or replace a budget", request=BudgetRequest,
    response=BudgetStanding, statuses=(200, 201),
)  # fmt: skip
async def put(services: Services, request: Request) -> Response:
    """Let the budget be this; 201 when it is new. One of a whole namespace is the installation's administrator's."""
    spec = (await read_json(request, BudgetRequest)).spec(*_named(request))
    done = await services.budgets.put(spec, is_admin=_is_admin(request))
    standing = services.spending.standing(services.budgets.get(*_named(request)))
    return json_answer(standing, 201 if done == "created" else 200)


@routes.route("DELETE", BUDGET, access="deploy", scope=IN_PATH, summary="Remove a budget", statuses=(204,))
async def remove(services: Services, request: Request) -> Response:
    """Remove it; what annotations state stays."""
    await services.budgets.remove(*_named(request), is_admin=_is_admin(request))
    return Response(status_code=204)


@routes.route(
    "PUT", FUNCTION + "/budget", access="deploy", scope=IN_PATH, summary="Change a function's budget",
    request=BudgetChange, response=FunctionStatus,
)  # fmt: skip
async def set_budget(services: Services, request: Request) -> Response:
    """Change the budget of the function's name, and take what annotations state into it; it holds at once."""
    key = key_in(request)
    change = await read_json(request, BudgetChange)
    spec = services.plane.newest(key).spec
    await services.budgets.change(key, spec.annotations, change.budget)
    annotations = Allowances().written(spec.annotations)
    if annotations != spec.annotations:
        # Only now: at no moment is there neither.
        changed = msgspec.structs.replace(spec, annotations=annotations)
        return json_answer(await services.plane.deploy(changed, mode="update"))
    return json_answer(await services.plane.status(key))


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


def _named(request: Request) -> tuple[NamespaceName, str]:
    return namespace_of(request), parse_budget_name(request.path_params["name"])


def _is_admin(request: Request) -> bool:
    principal = principal_of(request)
    return principal.is_everywhere and principal.role == "admin"
