"""What a Budget's object tells: the tightest of its allowances, what is used up the longest, and its trouble."""

from typing import Any

from dayfly.model.budget import BudgetSpec, BudgetStanding, BudgetStatus, Counts, State
from dayfly.server.cluster.bounding import _conditions, _gist, _known

DAY_MS, MONTH_MS = 86_400_000, 30 * 86_400_000


def status(period: Any, used: float, state: State, ends_unix_ms: int) -> BudgetStatus:
    return BudgetStatus(
        namespace="n", measure="calls", period=period, amount=10, used=used, state=state, ends_unix_ms=ends_unix_ms
    )


def standing(*allowances: BudgetStatus, trouble: str = "") -> BudgetStanding:
    spec = BudgetSpec(name="b", calls=Counts(day=10, month=10))
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
