"""Budgets in memory: the port's executable specification."""

from collections.abc import Callable

from dayfly.model.budget import Budget
from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.storage.budgets import BudgetStore, missing


class MemoryBudgets(BudgetStore):
    """Everything in a dictionary. `broken` tells, with a text, that every call is to fail, for tests."""

    def __init__(self, broken: Callable[[], str] = str) -> None:
        self._broken = broken
        self._budgets: dict[tuple[str, str], Budget] = {}

    async def budgets(self) -> list[Budget]:
        """Return every budget, ordered by namespace and name."""
        self._check()
        return [self._budgets[key] for key in sorted(self._budgets)]

    async def put_budget(self, budget: Budget) -> None:
        """Create or replace the budget."""
        self._check()
        self._budgets[budget.spec.namespace, budget.spec.name] = budget

    async def delete_budget(self, namespace: NamespaceName, name: str) -> None:
        """Remove the budget. Raises NotFound."""
        self._check()
        if self._budgets.pop((namespace, name), None) is None:
            raise NotFound(missing(namespace, name))

    def _check(self) -> None:
        if text := self._broken():
            raise StoreUnavailable(text)
