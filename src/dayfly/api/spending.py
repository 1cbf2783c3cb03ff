"""What the HTTP handlers know of budgets and of what functions use."""

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from dayfly.model.allowance import Used
from dayfly.model.budget import Budget, BudgetSpec, BudgetStanding
from dayfly.model.names import FunctionKey, NamespaceName


class Budgets(Protocol):
    """The use cases of budgets."""

    def all(self) -> list[Budget]:
        """Return every budget of every namespace, ordered."""
        ...

    def get(self, namespace: NamespaceName, name: str) -> Budget:
        """Return the budget. Raises NotFound."""
        ...

    async def put(self, spec: BudgetSpec, *, is_admin: bool = False) -> Literal["created", "updated"]:
        """Let the budget be this from now on; one of a whole namespace takes the installation's administrator.

        Raises InvalidName, InvalidSpec, NotFound (no such namespace), Forbidden, LimitExceeded, StoreUnavailable.
        """
        ...

    async def change(self, key: FunctionKey, annotations: Mapping[str, str], parts: Iterable[str]) -> None:
        """Change what the budget of the function's name and its annotations together state.

        Raises InvalidSpec, Conflict where that budget bounds something else, LimitExceeded, StoreUnavailable.
        """
        ...

    async def remove(self, namespace: NamespaceName, name: str, *, is_admin: bool = False) -> None:
        """Remove the budget. Raises NotFound, Forbidden, StoreUnavailable."""
        ...


class Spending(Protocol):
    """What functions used."""

    async def used(self, namespace: NamespaceName, since_hour: int, until_hour: int) -> dict[FunctionKey, Used]:
        """Return what the namespace's functions used between two hours since 1970. Raises StoreUnavailable."""
        ...

    def standing(self, budget: Budget) -> BudgetStanding:
        """Return how far the budget is used, and what keeps it from counting."""
        ...
