"""What both clients have for budgets and costs. A namespace that a call leaves empty is the client's own."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TypeVar

from dayfly.client import budget_calls as calls
from dayfly.client.calls import Call
from dayfly.client.gateway import Target
from dayfly.model.budget import BudgetSpec, BudgetStanding, BudgetStatus
from dayfly.model.cost import CostReport
from dayfly.model.status import FunctionStatus

T = TypeVar("T")


class Budgeting(ABC):
    """The methods of the client for programs without asyncio."""

    _target: Target

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def list_budgets(self, namespace: str = "") -> list[BudgetStatus]:
        """Return each allowance of a namespace and of its functions, and what is used of it."""
        return self._send(calls.list_budgets(self._target.namespace(namespace)))

    def get_budget(self, name: str, *, namespace: str = "") -> BudgetStanding:
        """Return one budget, and how far it is used. Raises NotFound."""
        return self._send(calls.get_budget(name, self._target.namespace(namespace)))

    def put_budget(self, spec: BudgetSpec) -> BudgetStanding:
        """Let the budget be this, new or not. Raises InvalidSpec, Forbidden where it bounds a whole namespace."""
        return self._send(calls.put_budget(spec))

    def remove_budget(self, name: str, *, namespace: str = "") -> None:
        """Take a budget away; what annotations state stays. Raises NotFound, Forbidden."""
        self._send(calls.remove_budget(name, self._target.namespace(namespace)))

    def set_budget(self, name: str, budget: Iterable[str], *, namespace: str = "") -> FunctionStatus:
        """Change a function's budget: `calls=10000/day`, or `calls=none`. Raises NotFound, InvalidSpec."""
        return self._send(calls.set_budget(self._target.key(name, namespace), budget))

    def get_costs(self, namespace: str = "", *, period: str = "", since: str = "", until: str = "") -> CostReport:
        """Return what functions used and cost in the present `day` or `month`, or between two times.

        Raises InvalidRequest.
        """
        return self._send(calls.get_costs(self._target.namespace(namespace), period, since, until))


class AsyncBudgeting(ABC):
    """The methods of the client for asyncio."""

    _target: Target

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def list_budgets(self, namespace: str = "") -> list[BudgetStatus]:
        """Return each allowance of a namespace and of its functions, and what is used of it."""
        return await self._send(calls.list_budgets(self._target.namespace(namespace)))

    async def get_budget(self, name: str, *, namespace: str = "") -> BudgetStanding:
        """Return one budget, and how far it is used. Raises NotFound."""
        return await self._send(calls.get_budget(name, self._target.namespace(namespace)))

    async def put_budget(self, spec: BudgetSpec) -> BudgetStanding:
        """Let the budget be this, new or not. Raises InvalidSpec, Forbidden where it bounds a whole namespace."""
        return await self._send(calls.put_budget(spec))

    async def remove_budget(self, name: str, *, namespace: str = "") -> None:
        """Take a budget away; what annotations state stays. Raises NotFound, Forbidden."""
        await self._send(calls.remove_budget(name, self._target.namespace(namespace)))

    async def set_budget(self, name: str, budget: Iterable[str], *, namespace: str = "") -> FunctionStatus:
        """Change a function's budget: `calls=10000/day`, or `calls=none`. Raises NotFound, InvalidSpec."""
        return await self._send(calls.set_budget(self._target.key(name, namespace), budget))

    async def get_costs(self, namespace: str = "", *, period: str = "", since: str = "", until: str = "") -> CostReport:
        """Return what functions used and cost in the present `day` or `month`, or between two times.

        Raises InvalidRequest.
        """
        return await self._send(calls.get_costs(self._target.namespace(namespace), period, since, until))
