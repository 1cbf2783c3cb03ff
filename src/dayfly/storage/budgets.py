"""The port behind budgets: which there are. What was used is another port's, `ledger`.

It keeps the state port's promise: when a write returns it is on the disk, and reads see every write that returned
before.
"""

import abc

from dayfly.model.budget import Budget
from dayfly.model.names import NamespaceName


class BudgetStore(abc.ABC):
    """Budgets; opened and closed with the state store beside it. All methods raise StoreUnavailable."""

    @abc.abstractmethod
    async def budgets(self) -> list[Budget]:
        """Return every budget of every namespace, ordered by namespace and name."""

    @abc.abstractmethod
    async def put_budget(self, budget: Budget) -> None:
        """Create or replace the budget."""

    @abc.abstractmethod
    async def delete_budget(self, namespace: NamespaceName, name: str) -> None:
        """Remove the budget. Raises NotFound."""


def missing(namespace: str, name: str) -> str:
    """Return what is said of a budget that is not there."""
    return f"there is no budget {name} in the namespace {namespace}"
