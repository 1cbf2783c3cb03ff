"""The API's calls about budgets and costs without their transport; see `calls`."""

from collections.abc import Iterable

import msgspec

from dayfly.client.calls import JSON, Call, nothing, reads
from dayfly.model.allowance import Allowances
from dayfly.model.budget import BudgetChange, BudgetSpec, BudgetStanding, BudgetStatus
from dayfly.model.cost import CostReport
from dayfly.model.names import FunctionKey, NamespaceName, parse_budget_name
from dayfly.model.status import FunctionStatus


def list_budgets(namespace: NamespaceName) -> Call[list[BudgetStatus]]:
    """How far a namespace's budget and those of its functions are used."""
    return Call("GET", f"/v1/namespaces/{namespace}/budgets", reads(list[BudgetStatus]))


def get_budget(name: str, namespace: NamespaceName) -> Call[BudgetStanding]:
    """One budget, and how far it is used."""
    return Call("GET", _path(name, namespace), reads(BudgetStanding))


def put_budget(spec: BudgetSpec) -> Call[BudgetStanding]:
    """Create or replace a budget."""
    spec.check()
    path = _path(spec.name, NamespaceName(spec.namespace))
    return Call("PUT", path, reads(BudgetStanding), content=msgspec.json.encode(spec), content_type=JSON)


def remove_budget(name: str, namespace: NamespaceName) -> Call[None]:
    """Take a budget away."""
    return Call("DELETE", _path(name, namespace), nothing, expected=(204,))


def set_budget(key: FunctionKey, budget: Iterable[str]) -> Call[FunctionStatus]:
    """Change a function's budget."""
    change = BudgetChange(tuple(budget))
    Allowances().changed(change.budget)  # a mistake is told before anything is asked
    path = f"/v1/namespaces/{key.namespace}/functions/{key.name}/budget"
    return Call("PUT", path, reads(FunctionStatus), content=msgspec.json.encode(change), content_type=JSON)


def get_costs(namespace: NamespaceName, period: str, since: str, until: str) -> Call[CostReport]:
    """What a namespace's functions used and cost."""
    given = (("period", period), ("since", since), ("until", until))
    query = tuple((name, value) for name, value in given if value)
    return Call("GET", f"/v1/namespaces/{namespace}/costs", reads(CostReport), query=query)


def _path(name: str, namespace: NamespaceName) -> str:
    return f"/v1/namespaces/{namespace}/budgets/{parse_budget_name(name)}"
