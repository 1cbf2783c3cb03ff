"""What functions use is counted once, kept over restarts, and stops them where a budget says so."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from tests.unit.control.conftest import make_spec, until

from dayfly.control import spending
from dayfly.model.allowance import Used
from dayfly.model.errors import StoreUnavailable
from dayfly.model.names import FunctionKey
from dayfly.model.namespace import NamespaceChange
from dayfly.model.replica import ReplicaStats

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig, ScriptedGateway

    from dayfly.model.table import Allowed

CALLS = "com.dayfly.budget.calls"
HELLO = "hello.openfaas-fn"
DAY_S = 86_400.0


def allowed(gateway: ScriptedGateway, function: str = HELLO) -> Allowed | None:
    return gateway.table[function].allowed


async def hears(gateway: ScriptedGateway, is_open: bool, function: str = HELLO) -> None:
    def heard() -> bool:
        found = allowed(gateway, function)
        return found is not None and found.is_open == is_open

    await until(heard, f"the gateway hears that {function} is {'open' if is_open else 'shut'}")


async def used(rig: Rig, key: FunctionKey) -> Used:
    return (await rig.plane.spending.used(key.namespace, 0, 10**9)).get(key, Used())


def test_calls_stop_when_the_budget_is_used_up_and_go_on_when_it_is_raised(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed(annotations={CALLS: "5/day"})
        await hears(gateway, True)
        first = allowed(gateway)
        assert first is not None
        assert first.calls_left == 5
        gateway.report(HELLO, finished=4)
        await until(
            lambda: rig.plane.spending.budgets(make_spec().key.namespace, make_spec().key)[0].used == 4, "counted"
        )
        gateway.report(HELLO, finished=5)
        await hears(gateway, False)
        shut = allowed(gateway)
        assert shut is not None
        assert CALLS in shut.detail
        assert "dayfly budget set hello calls=AMOUNT/day" in shut.hint
        assert shut.turn == first.turn
        await rig.plane.deploy(make_spec(annotations={CALLS: "8/day"}), mode="update")
        await hears(gateway, True)
        raised = allowed(gateway)
        assert raised is not None
        assert raised.turn != first.turn
        assert raised.calls_left == 3

    play(story)


def test_the_next_day_begins_anew(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed(annotations={CALLS: "1/day"})
        gateway.report(HELLO, finished=1)
        await hears(gateway, False)
        shut = allowed(gateway)
        assert shut is not None
        assert "used up: 1 call a day" in shut.detail
        rig.clock.advance(shut.until_unix_s - rig.clock.unix_ms() / 1000 - 2)
        await hears(gateway, False)
        rig.clock.advance(3)
        await hears(gateway, True)
        again = allowed(gateway)
        assert again is not None
        assert again.turn != shut.turn
        assert again.calls_left == 1

    play(story)


def test_a_restart_counts_nothing_twice_and_nothing_less(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed(annotations={CALLS: "10/day"})
        gateway.report(HELLO, finished=4)
        await until(lambda: rig.meter.invocations(key) == 4, "counted")
        base = rig.meter.totals()
        await rig.restart()
        assert rig.plane.spending.budgets(key.namespace, key)[0].used == 4
        rig.meter.base = base
        rig.plane.spending.counted(key)
        assert (await used(rig, key)).calls == 4
        rig.meter.base[HELLO] = 6
        rig.plane.spending.counted(key)
        assert (await used(rig, key)).calls == 6
        assert rig.plane.spending.budgets(key.namespace, key)[0].used == 6

    play(story)


def test_a_namespaces_budget_stops_all_its_functions(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed("one", namespace="team-a")
        await rig.deployed("two", namespace="team-a")
        await rig.deployed("three", namespace="team-b")
        await rig.plane.namespaces.update(key.namespace, NamespaceChange(annotations={CALLS: "3/month"}))
        rig.clock.advance(1)
        await hears(gateway, True, "one.team-a")
        for name, calls in (("one", 1), ("two", 2)):
            gateway.report(f"{name}.team-a", finished=calls)
        await until(lambda: rig.plane.spending.budgets(key.namespace)[0].used == 3, "counted")
        rig.clock.advance(1)
        for name in ("one", "two"):
            await hears(gateway, False, f"{name}.team-a")
        found = allowed(gateway, "two.team-a")
        assert found is not None
        assert "namespace team-a" in found.detail
        assert "dayfly namespace update team-a --budget" in found.hint
        assert allowed(gateway, "three.team-b") is None
        await rig.plane.namespaces.update(key.namespace, NamespaceChange())
        rig.clock.advance(1)
        await until(lambda: allowed(gateway, "one.team-a") is None, "it is gone")

    play(story)


def test_a_function_s_own_budget_begins_its_own_count_anew_and_not_the_namespace_s(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed("one", namespace="team-a", annotations={CALLS: "2/day"})
        await rig.plane.namespaces.update(key.namespace, NamespaceChange(annotations={CALLS: "3/month"}))

        async def changes(before: int, what: str) -> Allowed:
            def other() -> bool:
                found = allowed(gateway, "one.team-a")
                return found is not None and found.turn != before

            await until(other, what)
            found = allowed(gateway, "one.team-a")
            assert found is not None
            return found

        none_shared = await changes(0, "its own budget is heard of")
        rig.clock.advance(1)
        first = await changes(none_shared.turn, "the namespace's is heard of")
        assert (none_shared.shared_left, first.calls_left, first.shared_left) == (-1, 2, 3)
        spec = make_spec("one", namespace="team-a", annotations={CALLS: "9/day"})
        await rig.plane.deploy(spec, mode="update")
        own = await changes(first.turn, "the function's change is heard of")
        assert (own.calls_left, own.shared_left, own.shared_turn) == (3, 3, first.shared_turn)
        await rig.plane.namespaces.update(key.namespace, NamespaceChange(annotations={CALLS: "5/month"}))
        rig.clock.advance(1)
        raised = await changes(own.turn, "the namespace's change is heard of")
        assert raised.shared_turn != own.shared_turn
        assert raised.shared_left == 5

    play(story)


def test_processor_time_and_memory_are_looked_at(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed(annotations={"com.dayfly.budget.cpu_seconds": "2/day"})
        cpu_s = 0.0

        async def stats() -> dict[object, ReplicaStats]:
            return {name: ReplicaStats(cpu_s, 2**29) for name in rig.provider.replicas}

        rig.provider.stats = stats  # type: ignore[method-assign, assignment]  # the fake's own never change
        for seen in (0.5, 1.9):
            cpu_s = seen
            rig.clock.advance(spending.LOOK_S)
            await rig.rounds()
        await hears(gateway, True)
        assert (await used(rig, key)).gib_seconds == pytest.approx(spending.LOOK_S / 2)
        cpu_s = 2.5
        rig.clock.advance(spending.LOOK_S)
        await rig.rounds()
        rig.clock.advance(1)
        await hears(gateway, False)
        assert (await used(rig, key)).cpu_seconds == pytest.approx(2.5)

    play(story)


def test_thresholds_are_logged_once(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed(annotations={CALLS: "100/day"})
        for calls in (10, 76, 77, 91, 100, 100):
            gateway.report(HELLO, finished=calls)
            await rig.rounds()
            assert rig.meter.invocations(make_spec().key) == calls
            rig.clock.advance(2)
        await hears(gateway, False)

    with caplog.at_level(logging.WARNING, "dayfly.control"):
        play(story)
    told = [record.getMessage() for record in caplog.records if "the budget of" in record.getMessage()]
    assert [line.partition(" is ")[2].partition(":")[0] for line in told] == ["over 75 %", "over 90 %", "used up"]


def test_a_ledger_that_fails_costs_nothing_once_it_works_again(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed()

        async def fails(*_: object) -> None:
            raise StoreUnavailable("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(rig.ledger, "add", fails)
            gateway.report(HELLO, finished=3)
            await until(lambda: rig.meter.invocations(key) == 3, "counted")
            await rig.plane.spending.save()
            assert await rig.ledger.used(0, 10**9) == {}
        assert (await used(rig, key)).calls == 3

    play(story)


def test_what_a_removed_function_used_stays_known_and_its_successor_counts_on(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed(annotations={CALLS: "5/day"})
        gateway.report(HELLO, finished=3)
        await until(lambda: rig.meter.invocations(key) == 3, "counted")
        await rig.plane.remove(key)
        assert (await used(rig, key)).calls == 3
        await rig.deployed(annotations={CALLS: "5/day"})
        assert rig.plane.spending.budgets(key.namespace, key)[0].used == 3

    play(story)


def test_another_tenant_of_the_same_name_begins_at_nothing(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed("one", namespace="team-a")
        gateway.report("one.team-a", finished=3)
        await until(lambda: rig.meter.invocations(key) == 3, "counted")
        await rig.plane.namespaces.remove(key.namespace, force=True)
        assert await used(rig, key) == Used()

    play(story)


def test_a_meter_that_a_crash_has_set_back_takes_nothing_away(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed()
        gateway.report(HELLO, finished=5)
        await until(lambda: rig.meter.invocations(key) == 5, "counted")
        rig.meter.loads.clear()
        rig.meter.base[HELLO] = 3
        rig.plane.spending.counted(key)
        assert (await used(rig, key)).calls == 5
        rig.meter.base[HELLO] = 4
        rig.plane.spending.counted(key)
        assert (await used(rig, key)).calls == 6

    play(story)
