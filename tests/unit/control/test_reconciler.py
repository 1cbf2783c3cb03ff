"""What goes wrong in the background is tried again, and told: in the status, in the log, to the callers."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.unit.control.conftest import CEILINGS

from dayfly.decide.events import Event
from dayfly.decide.lifecycle import Lifecycle
from dayfly.decide.replicas import InvalidTransition
from dayfly.model.function import FunctionSpec
from dayfly.model.names import ReplicaId, parse_function_key
from dayfly.model.replica import ReplicaReady, StartOrder
from dayfly.providers.fake import FakePlan, FakeProvider

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig

HELLO = "hello.openfaas-fn"
KEY = parse_function_key(HELLO)
BUNDLE = "sha256:" + "a" * 64


def spec_of(name: str = "hello", **fields: object) -> FunctionSpec:
    return msgspec.convert({"name": name, "bundle": BUNDLE, **fields}, FunctionSpec)


def test_a_crash_is_told_fully_to_its_author_and_briefly_to_callers(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        rig.provider.plan = FakePlan(
            exit_after_s=0,
            exit_reason="import_failed",
            exit_detail="ModuleNotFoundError: nonsuch",
            prints=("secret 42",),
        )
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.until(lambda: gateway.table.get(HELLO) and gateway.table[HELLO].failing)
        told = gateway.table[HELLO].failing
        assert "could not be imported" in told
        assert "ModuleNotFoundError" not in told
        assert "secret" not in told
        status = await rig.plane.status(KEY)
        assert status.state == "failing"
        assert status.fault == "import_failed"
        assert "ModuleNotFoundError: nonsuch" in status.reason
        assert "secret 42" in status.reason
        platform = [line.text for line in rig.logs.lines if line.stream == "platform"]
        assert "ModuleNotFoundError: nonsuch" in platform

    play(story)


def test_restarts_back_off_and_a_deployment_ends_that(play: Play) -> None:
    async def story(rig: Rig) -> None:
        rig.provider.plan = FakePlan(ready_after_s=None, exit_after_s=0)
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.until(lambda: len(rig.provider.started) == 1)
        for number, wait in enumerate([1, 2, 4, 8, 16, 32, 60, 60], start=1):
            await rig.rounds()
            assert len(rig.provider.started) == number
            rig.clock.advance(wait - 0.01)
            await rig.rounds()
            assert len(rig.provider.started) == number
            rig.clock.advance(0.02)
        await rig.rounds()
        rig.provider.plan = FakePlan()
        await rig.deployed()
        assert (await rig.plane.status(KEY)).reason == ""

    play(story)


def test_a_demand_during_the_back_off_starts_nothing_and_is_answered(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        rig.provider.plan = FakePlan(ready_after_s=None, exit_after_s=0)
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.until(lambda: gateway.table.get(HELLO) and gateway.table[HELLO].failing)
        heard = len(gateway.heard)
        gateway.demand(HELLO)
        await rig.until(lambda: len(gateway.heard) > heard)
        assert gateway.table[HELLO].failing
        assert len(rig.provider.started) == 1

    play(story)


def test_a_provider_that_refuses_makes_the_function_fail_with_its_reason(play: Play) -> None:
    async def story(rig: Rig) -> None:
        rig.provider.plan = FakePlan(refuse_start="the zygote is away")
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.until(lambda: rig.state(KEY) == "failing")
        assert "the zygote is away" in (await rig.plane.status(KEY)).reason
        rig.provider.plan = FakePlan()
        rig.clock.advance(1)
        await rig.until(lambda: rig.state(KEY) == "ready")

    play(story)


def test_bugs_of_provider_and_preparer_show_as_failing_functions(play: Play) -> None:
    class BrokenProvider(FakeProvider):
        async def start(self, order: StartOrder) -> None:
            raise ZeroDivisionError(f"oops {order.revision}")

    async def story(rig: Rig) -> None:
        rig.provider = BrokenProvider()
        await rig.restart()
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.until(lambda: rig.state(KEY) == "failing")
        assert "ZeroDivisionError: oops 1" in (await rig.plane.status(KEY)).reason
        rig.preparer.error = KeyError("prepared")
        await rig.plane.deploy(spec_of(), mode="update")
        await rig.until(lambda: rig.state(KEY) == "failing")
        assert "KeyError" in (await rig.plane.status(KEY)).reason

    play(story)


def test_a_stop_never_overtakes_the_start_it_is_meant_for(play: Play) -> None:
    class SlowProvider(FakeProvider):
        def __init__(self) -> None:
            super().__init__()
            self.gate = asyncio.Event()
            self.asked = 0

        async def start(self, order: StartOrder) -> None:
            self.asked += 1
            await self.gate.wait()
            await super().start(order)

    async def story(rig: Rig) -> None:
        rig.provider = provider = SlowProvider()
        await rig.restart()
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.until(lambda: provider.asked)
        await rig.plane.remove(KEY)
        await rig.rounds()
        assert provider.stopped == []
        provider.gate.set()
        await rig.until(lambda: provider.stopped and not provider.replicas)

    play(story)


def test_a_stop_that_fails_is_asked_again(play: Play) -> None:
    async def story(rig: Rig) -> None:
        key = await rig.deployed()
        (replica,) = rig.provider.replicas.values()
        replica.plan = FakePlan(refuse_stop="busy")
        await rig.plane.remove(key)
        rig.clock.advance(0.5)
        await rig.rounds()
        assert len(rig.running(key)) == 1
        replica.plan = FakePlan()
        rig.clock.advance(1)
        await rig.until(lambda: not rig.running(key))

    play(story)


def test_a_lost_replica_is_replaced_while_callers_are_held(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed()
        (first,) = gateway.endpoints(HELLO)
        rig.provider.end(ReplicaId(first), "lost")
        await rig.until(lambda: not gateway.endpoints(HELLO))
        assert gateway.table[HELLO].failing == ""
        rig.clock.advance(0.2)
        await rig.until(lambda: gateway.endpoints(HELLO))

    play(story)


def test_code_that_is_prepared_already_is_not_prepared_again(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.at_zero()
        asked = len(rig.preparer.asked)
        gateway.demand(HELLO)
        await rig.until(lambda: gateway.endpoints(HELLO))
        assert len(rig.preparer.asked) == asked

    play(story)


def test_words_of_unknown_replicas_are_ignored(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        rig.plane._reconciler.on_event(ReplicaReady(ReplicaId("nobodyknow"), "unix:/x", 0.1))
        assert len((await rig.plane.status(KEY)).replicas) == 1

    play(story)


def test_a_bug_in_one_lifecycle_leaves_the_rest_alone(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed("hello")
        await rig.at_zero("other")

        def broken(_self: Lifecycle, _event: Event, _now: float) -> list[object]:
            raise InvalidTransition("a bug")

        with monkeypatch.context() as patched, caplog.at_level(logging.ERROR, "dayfly.control"):
            patched.setattr(Lifecycle, "handle", broken)
            gateway.demand(HELLO)
            await rig.until(lambda: "the lifecycle broke" in caplog.text)
        gateway.demand("other.openfaas-fn")
        await rig.until(lambda: gateway.endpoints("other.openfaas-fn"))

    play(story)


def test_prepared_code_may_change_place_after_a_start_that_failed(play: Play) -> None:
    async def story(rig: Rig) -> None:
        rig.provider.plan = FakePlan(refuse_start="no such folder")
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.until(lambda: rig.state(KEY) == "failing")
        rig.provider.plan = FakePlan()

        rig.preparer.place = "/elsewhere"
        rig.clock.advance(1)
        await rig.until(lambda: rig.provider.started)
        assert rig.provider.started[0].code_dir == "/elsewhere/aaaaaaaa"

    play(story)


def test_replicas_start_with_what_the_operator_lets_each_have(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed("hello")
        assert {order.ceilings for order in rig.provider.started} == {CEILINGS}

    play(story)
