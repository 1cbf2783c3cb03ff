"""The API's calls about budgets and costs without their transport; see `calls`."""

from collections.abc import Iterable

import msgspec

from dayfly.client.calls import JSON, Call, reads
from dayfly.model.budget import Budget, BudgetChange, BudgetStatus
from dayfly.model.cost import CostReport
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.model.status import FunctionStatus


def list_budgets(namespace: NamespaceName) -> Call[list[BudgetStatus]]:
    """How far a namespace's budget and those of its functions are used."""
    return Call("GET", f"/v1/namespaces/{namespace}/budgets", reads(list[BudgetStatus]))


def set_budget(key: FunctionKey, budget: Iterable[str]) -> Call[FunctionStatus]:
    """Change a function's budget."""
    change = BudgetChange(tuple(budget))
    Budget().changed(change.budget)  # a mistake is told before anything is asked
    path = f"/v1/namespaces/{key.namespace}/functions/{key.name}/budget"
    return Call("PUT", path, reads(FunctionStatus), content=msgspec.json.encode(change), content_type=JSON)


def get_costs(namespace: NamespaceName, period: str, since: str, until: str) -> Call[CostReport]:
    """What a namespace's functions used and cost."""
    given = (("period", period), ("since", since), ("until", until))
    query = tuple((name, value) for name, value in given if value)
    return Call("GET", f"/v1/namespaces/{namespace}/costs", reads(CostReport), query=query)
