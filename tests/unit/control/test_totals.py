"""Call totals outlive the control plane, and end with their function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dayfly.model.names import parse_function_key

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig

HELLO = "hello.openfaas-fn"
KEY = parse_function_key(HELLO)


def test_totals_are_saved_at_intervals(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        gateway = await rig.gateway()
        gateway.report(HELLO, finished=5)
        await rig.until(lambda: rig.meter.invocations(KEY) == 5)
        rig.clock.advance(30)
        await rig.rounds()
        assert await rig.store.totals() == {HELLO: 5}

    play(story)


def test_totals_are_saved_at_the_end_and_restored(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        gateway = await rig.gateway()
        gateway.count(HELLO, finished=6)
        await rig.restart()
        assert (await rig.plane.status(KEY)).invocations == 6

    play(story)


def test_a_store_that_fails_is_tried_again(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        gateway = await rig.gateway()
        gateway.report(HELLO, finished=5)
        await rig.until(lambda: rig.meter.invocations(KEY) == 5)
        rig.store.broken = "away"
        rig.clock.advance(30)
        await rig.rounds()
        rig.store.broken = ""
        rig.clock.advance(30)
        await rig.rounds()
        assert await rig.store.totals() == {HELLO: 5}

    play(story)


def test_what_a_removed_function_counted_is_forgotten(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        gateway = await rig.gateway()
        gateway.report(HELLO, finished=5)
        await rig.until(lambda: rig.meter.invocations(KEY) == 5)
        rig.clock.advance(30)
        await rig.rounds()
        await rig.plane.remove(KEY)
        assert rig.meter.forgotten == [KEY]
        rig.clock.advance(30)
        await rig.rounds()
        assert await rig.store.totals() == {}

    play(story)


def test_what_else_the_meter_keeps_is_kept_until_it_is_not(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        rig.meter.base = {HELLO: 2, f"{HELLO}@gw0@boot": 2, "unknown.openfaas-fn": 7}
        rig.meter.totals = lambda: dict(rig.meter.base)  # type: ignore[method-assign]  # only what is in base
        rig.clock.advance(30)
        await rig.rounds()
        assert await rig.store.totals() == {HELLO: 2, f"{HELLO}@gw0@boot": 2}
        del rig.meter.base[f"{HELLO}@gw0@boot"]
        rig.clock.advance(30)
        await rig.rounds()
        assert await rig.store.totals() == {HELLO: 2}

    play(story)


def test_how_far_gateways_had_counted_outlives_the_function(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        rig.meter.totals = lambda: {HELLO: 2, f"{HELLO}@gw0@boot": 2}  # type: ignore[method-assign]  # as a real one
        await rig.plane.remove(KEY)
        rig.clock.advance(1)
        await rig.until(lambda: KEY not in rig.plane._reconciler.machines)
        rig.clock.advance(30)
        await rig.rounds()
        assert await rig.store.totals() == {f"{HELLO}@gw0@boot": 2}

    play(story)
