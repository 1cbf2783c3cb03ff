"""Rollouts through the control plane: what is written, what survives, what people may ask for."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.control.rollouts import RETRY_S
from dayfly.model.errors import Conflict, InvalidRequest, InvalidSpec, NotFound
from dayfly.model.function import Function, FunctionSpec
from dayfly.model.names import ReplicaId, parse_function_key
from dayfly.model.rollout import Canary
from dayfly.model.table import RevisionLoad
from dayfly.providers.fake import FakePlan
from dayfly.storage.memory import MemoryStore

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig, ScriptedGateway

HELLO = "hello.openfaas-fn"
KEY = parse_function_key(HELLO)
BUNDLE = "sha256:" + "a" * 64
SLOW = FakePlan(ready_after_s=5)
CANARY = Canary(weight=10, window="60s", calls=10)


def spec_of(**fields: object) -> FunctionSpec:
    return msgspec.convert({"name": "hello", "bundle": BUNDLE, **fields}, FunctionSpec)


def revisions(gateway: ScriptedGateway) -> list[int]:
    return [endpoint.revision for endpoint in gateway.table[HELLO].endpoints]


async def serves(rig: Rig, number: int) -> None:
    """Let the rollout end, and the store know."""
    await rig.until(lambda: rig.plane._reconciler.machine(KEY).function.revision.number == number, f"{number} serves")
    await rig.plane._changes.drain()
    assert (await rig.store.get(KEY)).revision.number == number


async def canary_of(rig: Rig, canary: Canary = CANARY) -> ScriptedGateway:
    """Revision 1 serves, revision 2 is on trial."""
    gateway = await rig.gateway()
    await rig.deployed()
    await rig.plane.deploy(spec_of(), mode="update", canary=canary)
    await rig.until(lambda: sorted(revisions(gateway)) == [1, 2])
    return gateway


def called(rig: Rig, gateway: ScriptedGateway, revision: int, calls: int, failed: int = 0) -> None:
    rig.meter.sides[HELLO] = (RevisionLoad(revision, calls, failed, (calls,)),)
    gateway.report(HELLO, finished=calls)


def test_a_promotion_is_told_and_written(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        rig.provider.plan = SLOW
        status = await rig.plane.deploy(spec_of(env={"A": "2"}), mode="update")
        assert (status.revision, status.state, status.spec.env) == (2, "building", {"A": "2"})
        assert status.rollout is not None
        assert (status.rollout.revision, status.rollout.serving, status.rollout.state) == (2, 1, "building")
        await rig.until(lambda: rig.state(KEY) == "starting")
        status = await rig.plane.status(KEY)
        assert status.rollout is not None
        assert (status.rollout.state, status.ready_replicas) == ("starting", 1)
        stored = await rig.store.get(KEY)
        assert (stored.revision.number, stored.newest.number) == (1, 2)
        with caplog.at_level(logging.INFO):
            rig.clock.advance(5)
            await serves(rig, 2)
        assert "hello.openfaas-fn: revision 2 was promoted: its replica was ready" in caplog.text
        status = await rig.plane.status(KEY)
        assert (status.rollout, status.state) == (None, "ready")
        assert status.outcome is not None
        assert (status.outcome.verdict, status.outcome.ended_unix_ms) == ("promoted", rig.clock.unix_ms())
        assert (await rig.store.get(KEY)).outcome == status.outcome
        assert rig.plane.rollouts[KEY, "promoted"] == 1
        assert any("revision 2 was promoted" in line.text for line in rig.logs.lines)

    play(story)


def test_a_candidate_that_fails_is_told_with_its_reason_and_goes_on_trying(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed()
        rig.provider.plan = FakePlan(ready_after_s=None, exit_after_s=0, exit_reason="import_failed", exit_detail="No")
        await rig.plane.deploy(spec_of(), mode="update")
        await rig.until(lambda: rig.state(KEY) == "failing")
        status = await rig.plane.status(KEY)
        assert status.rollout is not None
        assert (status.rollout.state, status.ready_replicas) == ("failing", 1)
        assert "could not be imported" in status.rollout.reason
        assert revisions(gateway) == [1]
        assert gateway.table[HELLO].failing == ""
        await rig.restart()
        gateway = await rig.gateway("gw1")
        assert revisions(gateway) == [1]
        await rig.until(lambda: rig.state(KEY) == "failing", "it is tried again after a restart")
        rig.provider.plan = FakePlan()
        rig.clock.advance(1)
        await serves(rig, 2)
        assert revisions(gateway) == [2]

    play(story)


def test_numbers_are_never_given_twice(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        rig.provider.plan = SLOW
        await rig.plane.deploy(spec_of(), mode="update")
        await rig.plane.rollback(KEY)
        assert (await rig.plane.deploy(spec_of(), mode="update")).revision == 3
        await rig.plane.rollback(KEY)
        await rig.restart()
        assert (await rig.plane.deploy(spec_of(), mode="update")).revision == 4

    play(story)


def test_going_back_to_what_served_before(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        for number in (1, 2):
            await rig.plane.deploy(spec_of(), mode="upsert")
            await serves(rig, number)
        rig.provider.plan = SLOW
        await rig.plane.deploy(spec_of(), mode="update")
        await rig.plane.rollback(KEY)
        rig.provider.plan = FakePlan()
        await rig.plane.deploy(spec_of(), mode="update")
        await serves(rig, 4)
        roles = [(each.number, each.role) for each in await rig.plane.revisions(KEY)]
        assert roles == [(4, "serving"), (3, "kept"), (2, "kept"), (1, "kept")]
        # The third never served, so that nobody means it.
        status = await rig.plane.rollback(KEY)
        assert status.revision == 2
        await serves(rig, 2)
        assert revisions(gateway) == [2]
        assert rig.plane.newest(KEY).number == 2
        await rig.plane.rollback(KEY)
        await serves(rig, 1)
        with pytest.raises(InvalidRequest, match="no revision of hello that served before revision 1"):
            await rig.plane.rollback(KEY)
        await rig.plane.rollback(KEY, to=3)
        await serves(rig, 3)

    play(story)


def test_going_back_to_where_nobody_can(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        with pytest.raises(InvalidRequest, match="serves already"):
            await rig.plane.rollback(KEY, to=1)
        with pytest.raises(NotFound, match="revision 7 of hello is not kept"):
            await rig.plane.rollback(KEY, to=7)
        with pytest.raises(NotFound, match="no function other"):
            await rig.plane.rollback(parse_function_key("other"))
        rig.provider.plan = SLOW
        await rig.plane.deploy(spec_of(bundle="sha256:" + "b" * 64), mode="update")
        with pytest.raises(InvalidRequest, match="about to take over"):
            await rig.plane.rollback(KEY, to=2)
        with pytest.raises(InvalidRequest, match="name the revision"):
            await rig.plane.rollback(KEY, canary=CANARY)
        with pytest.raises(InvalidSpec, match="between 1 and 99"):
            await rig.plane.rollback(KEY, canary=Canary(weight=0))
        with pytest.raises(InvalidSpec, match="between 1 and 99"):
            await rig.plane.deploy(spec_of(), mode="update", canary=Canary(weight=100))
        await rig.plane.rollback(KEY)
        rig.blobs.missing.add("sha256:" + "b" * 64)
        with pytest.raises(InvalidSpec, match="was not uploaded"):
            await rig.plane.rollback(KEY, to=2)

    play(story)


def test_ending_a_rollout_by_hand(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed()
        rig.provider.plan = SLOW
        await rig.plane.deploy(spec_of(), mode="update")
        status = await rig.plane.rollback(KEY)
        assert (status.revision, status.rollout, status.state) == (1, None, "ready")
        assert status.outcome is not None
        assert (status.outcome.revision, status.outcome.verdict) == (2, "returned")
        rig.clock.advance(10)
        await rig.rounds()
        assert revisions(gateway) == [1]
        assert (await rig.store.get(KEY)).candidate is None

    play(story)


def test_a_decision_that_comes_too_late_says_so(play: Play) -> None:
    class GatedStore(MemoryStore):
        gate: asyncio.Event | None = None

        async def put(self, function: Function) -> None:
            await super().put(function)
            if self.gate is not None:
                await self.gate.wait()

    async def story(rig: Rig) -> None:
        rig.store = store = GatedStore()
        await rig.restart()
        await rig.deployed()
        rig.provider.plan = SLOW
        await rig.plane.deploy(spec_of(), mode="update")
        await rig.until(lambda: len(rig.running(KEY)) == 2)
        store.gate = asyncio.Event()
        asked = asyncio.create_task(rig.plane.rollback(KEY))
        await rig.rounds()
        rig.clock.advance(5)
        store.gate.set()
        with pytest.raises(Conflict, match="revision 2 of hello was promoted just before"):
            await asked
        await serves(rig, 2)

    play(story)


def test_a_canary_is_split_judged_and_returned(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await canary_of(rig)
        row = gateway.table[HELLO]
        assert (row.canary, row.canary_percent) == (2, 10)
        called(rig, gateway, 1, 90)
        called(rig, gateway, 2, 5)
        await rig.until(lambda: not rig.meter.sides)
        status = await rig.plane.status(KEY)
        assert status.rollout is not None
        assert (status.rollout.state, status.rollout.canary) == ("canary", CANARY)
        assert status.rollout.ends_unix_ms == rig.clock.unix_ms() + 60_000
        assert [(side.revision, side.calls) for side in status.rollout.sides] == [(2, 5), (1, 0)]
        called(rig, gateway, 1, 90)
        await rig.until(lambda: not rig.meter.sides)
        called(rig, gateway, 2, 20, failed=20)
        await rig.until(lambda: revisions(gateway) == [1], "it is given back")
        await rig.plane._changes.drain()
        stored = await rig.store.get(KEY)
        assert stored.candidate is None
        assert stored.outcome is not None
        assert stored.outcome.verdict == "returned"
        assert "80 % of 25 calls failed" in stored.outcome.reason
        assert rig.plane.rollouts[KEY, "returned"] == 1

    play(story)


def test_a_canary_is_promoted_by_hand(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await canary_of(rig)
        await rig.plane.promote(KEY)
        await serves(rig, 2)
        assert revisions(gateway) == [2]
        with pytest.raises(Conflict, match="no canary of hello is under way"):
            await rig.plane.promote(KEY)

    play(story)


def test_a_canary_goes_on_after_a_restart(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await canary_of(rig)
        await rig.restart()
        gateway = await rig.gateway("gw1")
        assert (gateway.table[HELLO].canary, sorted(revisions(gateway))) == (2, [1, 2])
        called(rig, gateway, 1, 90)
        await rig.until(lambda: not rig.meter.sides)
        called(rig, gateway, 2, 10)
        await rig.until(lambda: not rig.meter.sides)
        rig.clock.advance(60)
        await serves(rig, 2)

    play(story)


def test_a_first_deployment_has_nothing_to_be_compared_with(play: Play) -> None:
    async def story(rig: Rig) -> None:
        status = await rig.plane.deploy(spec_of(), mode="create", canary=CANARY)
        assert status.rollout is None
        assert status.outcome is not None
        assert (status.outcome.verdict, status.outcome.revision) == ("promoted", 1)
        assert status.outcome.ended_unix_ms == rig.clock.unix_ms()

    play(story)


def test_a_promotion_that_cannot_be_written_is_written_later(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.deployed()
        rig.provider.plan = SLOW
        await rig.plane.deploy(spec_of(), mode="update")
        await rig.until(lambda: len(rig.running(KEY)) == 2)
        rig.store.broken = "disk full"
        rig.clock.advance(5)
        await rig.until(lambda: revisions(gateway) == [2], "calls do not wait for the disk")
        await rig.plane._changes.drain()
        rig.store.broken = ""
        assert (await rig.store.get(KEY)).revision.number == 1
        rig.clock.advance(RETRY_S)
        await serves(rig, 2)

    play(story)


def test_scaling_by_hand_leaves_a_rollout_alone(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        rig.provider.plan = SLOW
        await rig.plane.deploy(spec_of(), mode="update")
        await rig.plane.scale(KEY, 2)
        stored = await rig.store.get(KEY)
        assert (stored.revision.number, stored.newest.number, stored.replicas) == (1, 2, 2)
        await rig.until(lambda: len(rig.provider.started) == 3)
        rig.clock.advance(5)
        await rig.until(lambda: len(rig.provider.started) == 4)
        rig.clock.advance(5)
        await serves(rig, 2)
        assert (await rig.store.get(KEY)).replicas == 2

    play(story)


def test_replicas_of_what_was_returned_do_not_serve_after_a_restart(play: Play) -> None:
    async def story(rig: Rig) -> None:
        rig.provider.plan = FakePlan(stop_after_s=None)
        gateway = await canary_of(rig)
        good, bad = (
            [ReplicaId(e.replica) for e in gateway.table[HELLO].endpoints if e.revision == revision]
            for revision in (1, 2)
        )
        await rig.plane.rollback(KEY)
        rig.provider.plan = FakePlan(ready_after_s=None)
        await rig.plane.deploy(spec_of(), mode="update")
        # Nothing else serves, and yet it must not.
        rig.provider.end(good[0], "crashed")
        await rig.restart()
        gateway = await rig.gateway("gw1")
        assert revisions(gateway) == []
        assert bad[0] in [name for name, _ in rig.provider.stopped]

    play(story)
