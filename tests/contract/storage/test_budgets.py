"""What every store of budgets does. The one in memory says it by example; every other one must equal it."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.storage.stage import Play, player

from dayfly.model.budget import Amounts, Budget, BudgetSpec, Counts
from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.names import parse_namespace
from dayfly.storage.budgets import BudgetStore
from dayfly.storage.kubernetes.things import KubernetesBudgets
from dayfly.storage.memory_budgets import MemoryBudgets
from dayfly.storage.sqlite_budgets import SqliteBudgets

ANT = parse_namespace("ant")


play = player(MemoryBudgets, SqliteBudgets, KubernetesBudgets)


def budget(name: str = "bill", namespace: str = "ant", updated: int = 2) -> Budget:
    spec = BudgetSpec(name=name, namespace=namespace, function="f", calls=Counts(day=5), gib_seconds=Amounts(month=0.5))
    return Budget(spec=spec, created_unix_ms=1, updated_unix_ms=updated)


def test_budgets_are_kept_in_their_order(play: Play) -> None:
    async def story(store: BudgetStore) -> None:
        for each in (budget("b"), budget("a"), budget("a", "bee"), budget("b", updated=3)):
            await store.put_budget(each)
        assert await store.budgets() == [budget("a"), budget("b", updated=3), budget("a", "bee")]

    play(story)


def test_a_budget_goes_once(play: Play) -> None:
    async def story(store: BudgetStore) -> None:
        await store.put_budget(budget())
        await store.put_budget(budget(namespace="bee"))
        await store.delete_budget(ANT, "bill")
        assert await store.budgets() == [budget(namespace="bee")]
        with pytest.raises(NotFound, match="no budget bill"):
            await store.delete_budget(ANT, "bill")

    play(story)


def test_a_store_that_is_broken_says_so() -> None:
    async def main() -> None:
        store = MemoryBudgets(lambda: "broken")
        with pytest.raises(StoreUnavailable):
            await store.budgets()

    asyncio.run(main())
