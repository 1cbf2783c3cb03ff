"""Replicas follow the load that gateways report, and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dayfly.model.names import parse_function_key

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig

HELLO = "hello.openfaas-fn"
KEY = parse_function_key(HELLO)


def test_load_of_all_gateways_together_starts_replicas_at_once(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        first, second = await rig.gateway("gw0"), await rig.gateway("gw1")
        first.report(HELLO, inflight=14)
        second.report(HELLO, inflight=10, waiting=3)
        # 24 / 1.5 calls a replica can bear for a moment, and 3 that none bears: 19, at 9 a replica.
        await rig.until(lambda: len(first.endpoints(HELLO)) == 3)
        rig.clock.advance(61)
        await rig.until(lambda: rig.state(KEY) == "ready" and len(first.endpoints(HELLO)) == 3)
        first.report(HELLO)
        second.report(HELLO, inflight=5)
        await rig.until(lambda: rig.meter.inflight(KEY) == 5)
        rig.clock.advance(60)
        assert (await rig.plane.status(KEY)).desired_replicas == 3
        rig.clock.advance(62)
        await rig.until(lambda: len(first.endpoints(HELLO)) == 1)

    play(story)


def test_the_calls_of_a_gateway_that_leaves_are_forgotten(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        leaving, staying = await rig.gateway("gw0"), await rig.gateway("gw1")
        leaving.report(HELLO, inflight=50)
        await rig.until(lambda: len(staying.endpoints(HELLO)) == 4)
        await leaving.disconnect()
        await rig.until(lambda: rig.meter.left)
        rig.clock.advance(62)
        assert (await rig.plane.status(KEY)).desired_replicas == 1

    play(story)


def test_an_idle_function_goes_to_zero_and_a_busy_one_does_not(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed("hello")
        await rig.deployed("busy")
        gateway.report("busy.openfaas-fn", inflight=1)
        await rig.until(lambda: rig.meter.inflight(parse_function_key("busy.openfaas-fn")) == 1)
        rig.clock.advance(899)
        await rig.rounds()
        assert gateway.endpoints(HELLO)
        rig.clock.advance(2)
        await rig.until(lambda: not gateway.endpoints(HELLO))
        rig.clock.advance(5000)
        await rig.rounds()
        assert gateway.endpoints("busy.openfaas-fn")
        assert rig.state(KEY) == "idle"

    play(story)


def test_short_calls_between_two_reports_keep_a_function_awake(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed()
        rig.clock.advance(800)
        gateway.report(HELLO, finished=1)
        await rig.until(lambda: rig.meter.invocations(KEY) == 1)
        rig.clock.advance(800)
        await rig.rounds()
        assert gateway.endpoints(HELLO)
        rig.clock.advance(100)
        await rig.until(lambda: not gateway.endpoints(HELLO))

    play(story)


def test_calls_a_second_are_those_that_began_wherever_they_ended(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed(labels={"com.openfaas.scale.type": "rps", "com.openfaas.scale.target": "10"})
        first, second = await rig.gateway("gw0"), await rig.gateway("gw1")
        first.report(HELLO, finished=40)
        second.report(HELLO, finished=30, inflight=5)
        await rig.until(lambda: rig.meter.begun(KEY) == 75)
        # At first 40, then 35 of 75 calls in one second; each look counts its own, at 9 x 1.5 a replica.
        await rig.until(lambda: len(first.endpoints(HELLO)) == 3)
        rig.clock.advance(200)
        await rig.until(lambda: len(first.endpoints(HELLO)) == 1)

    play(story)


def test_a_report_of_waiting_calls_wakes_as_a_demand_does(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.at_zero()
        gateway.report(HELLO, waiting=1)
        await rig.until(lambda: gateway.endpoints(HELLO))

    play(story)
