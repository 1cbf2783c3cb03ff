"""The control plane goes away and comes back; what still runs is adopted or stopped, and no number is used twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dayfly.model.function import FunctionSpec
from dayfly.model.names import ReplicaId, parse_function_key
from dayfly.model.replica import RecoveredReplica
from dayfly.providers.fake import FakePlan, FakeProvider

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig

HELLO = "hello.openfaas-fn"
KEY = parse_function_key(HELLO)
FIXED = {"com.openfaas.scale.zero": "false", "com.openfaas.scale.min": "2"}


def spec_of(name: str = "hello", **fields: object) -> FunctionSpec:
    return msgspec.convert({"name": name, "bundle": "sha256:" + "a" * 64, **fields}, FunctionSpec)


def test_replicas_are_adopted_and_go_on(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed(labels=FIXED)
        await rig.until(lambda: len(rig.running(KEY)) == 2)
        before = rig.running(KEY)
        await rig.restart()
        gateway = await rig.gateway()
        assert sorted(gateway.endpoints(HELLO)) == sorted(before)
        assert len(rig.provider.started) == 2
        assert rig.provider.stopped == []
        rig.provider.end(ReplicaId(before[0]), "crashed")
        await rig.until(lambda: len(gateway.endpoints(HELLO)) == 1)
        rig.clock.advance(1)
        await rig.until(lambda: len(gateway.endpoints(HELLO)) == 2)

    play(story)


def test_functions_that_may_be_at_zero_start_there_and_others_do_not(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed("hello")
        await rig.deployed("fixed", labels=FIXED)
        await rig.plane.shutdown()
        rig.provider.started.clear()
        await rig.restart()
        await rig.until(lambda: len(rig.provider.started) == 2)
        await rig.rounds()
        assert {order.key.name for order in rig.provider.started} == {"fixed"}
        assert rig.state(KEY) == "idle"

    play(story)


def test_replicas_that_nobody_wants_are_stopped(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed(timeout="9s")
        await rig.store.delete(KEY)
        await rig.restart()
        await rig.until(lambda: not rig.running(KEY))
        assert [grace for _, grace in rig.provider.stopped] == [9.0]

    play(story)


def test_an_old_revision_serves_until_the_new_one_does(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        (old,) = rig.running(KEY)
        rig.provider.plan = FakePlan(ready_after_s=None)
        await rig.plane.deploy(spec_of(), mode="update")
        await rig.until(lambda: len(rig.running(KEY)) == 2)
        rig.provider.end(rig.provider.started[1].replica, "killed")
        rig.provider.plan = FakePlan(ready_after_s=3)
        await rig.restart()
        gateway = await rig.gateway()
        assert gateway.endpoints(HELLO) == [old]
        await rig.until(lambda: len(rig.running(KEY)) == 2)
        rig.clock.advance(3)
        await rig.until(lambda: gateway.endpoints(HELLO) == [rig.provider.started[-1].replica])

    play(story)


def test_a_replica_that_is_ready_between_listening_and_recovery_is_not_missed(play: Play) -> None:
    class EagerProvider(FakeProvider):
        async def recover(self) -> list[RecoveredReplica]:
            found = await super().recover()
            for replica in found:
                self.make_ready(replica.order.replica)
            return found

    async def story(rig: Rig) -> None:
        rig.provider = EagerProvider(FakePlan(ready_after_s=None))
        await rig.restart()
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.until(lambda: rig.running(KEY))
        await rig.restart()
        assert rig.state(KEY) == "ready"
        assert len(rig.provider.started) == 1

    play(story)


def test_the_number_of_an_unwanted_living_replica_is_not_given_again(play: Play) -> None:
    async def story(rig: Rig) -> None:
        rig.provider.plan = FakePlan(stop_after_s=None)
        await rig.deployed()
        await rig.store.delete(KEY)
        await rig.restart()
        assert (await rig.plane.deploy(spec_of(), mode="create")).revision == 2

    play(story)


def test_a_replica_newer_than_what_is_wanted_is_stopped(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        before = await rig.store.get(KEY)
        await rig.deployed()
        rig.clock.advance(1)
        await rig.until(
            lambda: [rig.provider.replicas[ReplicaId(name)].order.revision for name in rig.running(KEY)] == [2]
        )
        await rig.store.delete(KEY)
        await rig.store.put(before)
        await rig.restart()
        gateway = await rig.gateway()
        assert gateway.endpoints(HELLO) == []
        await rig.until(lambda: not rig.running(KEY))

    play(story)


def test_a_number_set_by_hand_survives(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        await rig.plane.scale(KEY, 3)
        await rig.until(lambda: len(rig.running(KEY)) == 3)
        await rig.plane.shutdown()
        await rig.restart()
        await rig.until(lambda: len(rig.running(KEY)) == 3)

    play(story)
