"""What a Budget's object tells: the tightest of its allowances, what is used up the longest, and its trouble."""

import asyncio
from typing import Any, cast

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import Kind, Object
from dayfly.model.budget import BudgetSpec, BudgetStanding, BudgetStatus, Counts, State
from dayfly.model.errors import NotFound
from dayfly.server.cluster.bounding import _conditions, _gist, _known, telling_budgets

DAY_MS, MONTH_MS = 86_400_000, 30 * 86_400_000


def status(period: Any, used: float, state: State, ends_unix_ms: int) -> BudgetStatus:
    return BudgetStatus(
        namespace="n", measure="calls", period=period, amount=10, used=used, state=state, ends_unix_ms=ends_unix_ms
    )


def standing(*allowances: BudgetStatus, trouble: str = "", name: str = "b") -> BudgetStanding:
    spec = BudgetSpec(name=name, calls=Counts(day=10, month=10))
    return BudgetStanding(spec=spec, created_unix_ms=1, updated_unix_ms=1, trouble=trouble, allowances=allowances)


def test_the_tightest_is_told_and_what_is_used_up_the_longest() -> None:
    found = standing(status("day", 10, "used up", DAY_MS), status("month", 12, "used up", MONTH_MS))
    assert (_known(found)["percent"], _known(found)["renews"]) == (120, "1970-01-31T00:00:00Z")
    ready, spent = _conditions(found)
    assert (ready.status, spent.status) == ("True", "True")
    assert spent.message.endswith("until 1970-01-31T00:00:00Z")


def test_a_budget_in_trouble_is_not_ready() -> None:
    ready, _ = _conditions(standing(status("day", 1, "within", DAY_MS), trouble="there is no such function"))
    assert (ready.status, ready.message) == ("False", "there is no such function")


def test_a_threshold_a_new_period_and_trouble_are_told_at_once_and_a_call_is_not() -> None:
    before = _gist(standing(status("day", 1, "within", DAY_MS)))
    assert _gist(standing(status("day", 2, "within", DAY_MS))) == before
    assert _gist(standing(status("day", 1, "used up", DAY_MS))) != before
    assert _gist(standing(status("day", 1, "within", 2 * DAY_MS))) != before
    assert _gist(standing(status("day", 1, "within", DAY_MS), trouble="gone")) != before


class Objects:
    """The API server's budgets, by name."""

    def __init__(self, *names: str) -> None:
        self.told: list[str] = []
        self._names = names

    async def get(self, _kind: Kind, name: str, namespace: str) -> Object:
        if name not in self._names:
            raise NotFound(f"there is no budget {name}")
        return {"metadata": {"name": name, "namespace": namespace, "generation": 1}}

    async def replace(self, _kind: Kind, obj: Object, *, sub: str) -> Object:
        assert sub == "status"
        self.told.append(obj["metadata"]["name"])
        return obj


def test_a_budget_that_was_removed_a_moment_ago_keeps_none_from_being_told() -> None:
    api = Objects("b")
    allowance = status("day", 1, "within", DAY_MS)
    found = [standing(allowance, name="a"), standing(allowance)]
    asyncio.run(telling_budgets(cast("Connection", api), lambda: found)._tell_all())
    assert api.told == ["b"]
