"""Budgets of their own: what they bound, beside what annotations say, and who may write which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.control.conftest import make_spec, until
from tests.unit.control.test_spending import CALLS, HELLO, allowed, hears

from dayfly.control import budgets as module
from dayfly.model.budget import Budget, BudgetSpec, Counts
from dayfly.model.errors import Conflict, Forbidden, InvalidSpec, LimitExceeded, NotFound, StoreUnavailable
from dayfly.model.names import DEFAULT_NAMESPACE, NamespaceName
from dayfly.model.namespace import NamespaceChange

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig, ScriptedGateway

SPACE = DEFAULT_NAMESPACE
KEY = make_spec().key


def spec(name: str = "b", function: str = "hello", **calls: int) -> BudgetSpec:
    return BudgetSpec(name=name, namespace=SPACE, function=function, calls=Counts(**calls))


async def left(gateway: ScriptedGateway, calls: int) -> None:
    def heard() -> bool:
        found = allowed(gateway)
        return found is not None and found.calls_left == calls

    await until(heard, f"the gateway hears that {calls} calls may begin")


def test_a_budget_bounds_its_function_at_once_and_says_whose_it_is(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed()
        assert allowed(gateway) is None
        assert await rig.plane.budgets.put(spec(day=5)) == "created"
        await left(gateway, 5)
        assert await rig.plane.budgets.put(spec(day=2)) == "updated"
        await left(gateway, 2)
        gateway.report(HELLO, finished=2)
        await hears(gateway, False)
        shut = allowed(gateway)
        assert shut is not None
        assert "(the budget b)" in shut.detail
        assert "dayfly budget put b calls=AMOUNT/day --function hello" in shut.hint
        standing = rig.plane.spending.standing(rig.plane.budgets.get(SPACE, "b"))
        assert [(each.used, each.state, each.budget) for each in standing.allowances] == [(2.0, "used up", "b")]
        await rig.plane.budgets.remove(SPACE, "b")
        await until(lambda: allowed(gateway) is None, "nothing bounds it")

    play(story)


def test_what_annotations_say_holds_beside_it(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed(annotations={CALLS: "3/day"})
        await left(gateway, 3)
        await rig.plane.budgets.put(spec(day=10))
        await rig.plane.budgets.put(spec("c", day=7))
        told = rig.plane.spending.budgets(SPACE, KEY)
        assert [(each.amount, each.budget) for each in told] == [(3.0, ""), (10.0, "b"), (7.0, "c")]
        await left(gateway, 3)
        await rig.plane.deploy(make_spec(), mode="update")
        await left(gateway, 7)

    play(story)


def test_a_budget_of_all_functions_is_the_administrators(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed()
        whole = spec("whole", function="", day=4)
        with pytest.raises(Forbidden, match="bounds all of the namespace"):
            await rig.plane.budgets.put(whole)
        await rig.plane.budgets.put(whole, is_admin=True)
        await left(gateway, 4)
        hint = allowed(gateway)
        assert hint is not None
        assert "dayfly budget put whole calls=AMOUNT/day --namespace openfaas-fn" in hint.hint
        # Neither taken away, nor made one of a function alone.
        with pytest.raises(Forbidden):
            await rig.plane.budgets.remove(SPACE, "whole")
        with pytest.raises(Forbidden):
            await rig.plane.budgets.put(spec("whole", day=1000))
        await rig.plane.budgets.remove(SPACE, "whole", is_admin=True)
        await until(lambda: allowed(gateway) is None, "nothing bounds it")

    play(story)


def test_a_change_takes_over_what_annotations_say(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        budgets = rig.plane.budgets
        await budgets.change(KEY, {CALLS: "3/day,9/month"}, ["calls=5/day", "cpu_seconds=1.5/month"])
        assert budgets.get(SPACE, "hello").spec.allowances.text == "calls=5/day cpu_seconds=1.5/month"
        await budgets.change(KEY, {}, ["cpu_seconds=none"])
        assert budgets.get(SPACE, "hello").spec.function == "hello"
        assert budgets.get(SPACE, "hello").spec.allowances.text == "calls=5/day"
        await budgets.change(KEY, {}, ["calls=none"])
        with pytest.raises(NotFound):
            budgets.get(SPACE, "hello")
        await budgets.put(spec("hello", "other", day=1))
        with pytest.raises(Conflict, match="bounds other, not the function hello"):
            await budgets.change(KEY, {}, ["calls=5/day"])

    play(story)


def test_it_outlives_its_function_and_a_restart_but_not_its_namespace(play: Play) -> None:
    async def story(rig: Rig) -> None:
        team = NamespaceName("team")
        await rig.plane.namespaces.create(team, NamespaceChange())
        await rig.plane.budgets.put(BudgetSpec(name="b", namespace=team, function="hello", calls=Counts(day=1)))
        # Who may remove the namespace may remove what only the administrator takes away from it.
        whole = BudgetSpec(name="whole", namespace=team, function="", calls=Counts(day=1))
        await rig.plane.budgets.put(whole, is_admin=True)
        await rig.plane.budgets.put(spec(day=1))
        gateway = await rig.gateway()
        await rig.deployed()
        gateway.report(HELLO, finished=1)
        await hears(gateway, False)
        await rig.plane.remove(KEY)
        standing = rig.plane.spending.standing(rig.plane.budgets.get(SPACE, "b"))
        assert (standing.trouble, standing.allowances[0].used) == (
            "there is no function hello in the namespace openfaas-fn",
            1.0,
        )
        await rig.restart()
        assert [each.key for each in rig.plane.budgets.all()] == [(SPACE, "b"), (team, "b"), (team, "whole")]
        await rig.plane.namespaces.remove(team)
        assert [each.key for each in rig.plane.budgets.all()] == [(SPACE, "b")]
        assert [each.key for each in await rig.budgets.all()] == [(SPACE, "b")]

    play(story)


def test_what_somebody_else_wrote_bounds_until_it_is_something_better(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed()
        found: Budget | None = Budget(spec=spec(day=5), created_unix_ms=1, updated_unix_ms=1)

        async def read() -> Budget | None:
            return found

        await rig.plane.budgets.follow((SPACE, "b"), read)
        await left(gateway, 5)
        found = Budget(spec=BudgetSpec(name="b", namespace=SPACE), created_unix_ms=1, updated_unix_ms=1)
        with pytest.raises(InvalidSpec):
            await rig.plane.budgets.follow((SPACE, "b"), read)
        await left(gateway, 5)
        found = None
        await rig.plane.budgets.follow((SPACE, "b"), read)
        await until(lambda: allowed(gateway) is None, "nothing bounds it")

    play(story)


def test_there_is_an_end_to_how_many_and_a_store_that_is_away_changes_nothing(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(rig: Rig) -> None:
        monkeypatch.setattr(module, "MAX_NAMESPACE_BUDGETS", 1)
        await rig.plane.budgets.put(spec(day=5))
        await rig.plane.budgets.put(spec(day=6))
        with pytest.raises(LimitExceeded):
            await rig.plane.budgets.put(spec("c", day=5))
        rig.store.broken = "the disk is gone"
        with pytest.raises(StoreUnavailable):
            await rig.plane.budgets.put(spec(day=7))
        rig.store.broken = ""
        assert rig.plane.budgets.get(SPACE, "b").spec.calls == Counts(day=6)
        with pytest.raises(NotFound):
            await rig.plane.budgets.put(BudgetSpec(name="b", namespace="nowhere", calls=Counts(day=1)), is_admin=True)

    play(story)
