"""The use cases of the control plane, on a fake provider and a clock that is turned by hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.model.errors import (
    BuildFailed,
    Conflict,
    InvalidRequest,
    InvalidSpec,
    NotFound,
    NotSupported,
    StoreUnavailable,
)
from dayfly.model.function import Function, FunctionSpec
from dayfly.model.names import FunctionKey, NamespaceName, parse_function_key
from dayfly.model.namespace import NamespaceChange
from dayfly.providers.fake import FakePlan
from dayfly.storage.memory import MemoryStore

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig

HELLO = "hello.openfaas-fn"
KEY = parse_function_key(HELLO)
BUNDLE = "sha256:" + "a" * 64


def spec_of(name: str = "hello", **fields: object) -> FunctionSpec:
    return msgspec.convert({"name": name, "bundle": BUNDLE, **fields}, FunctionSpec)


def test_a_deployment_starts_a_replica_and_is_published(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        status = await rig.plane.deploy(spec_of(), mode="create")
        assert (status.revision, status.desired_replicas, status.ready_replicas) == (1, 1, 0)
        assert status.state == "building"
        assert status.url == "http://127.0.0.1:8080/function/hello"
        await rig.until(lambda: gateway.endpoints(HELLO))
        status = await rig.plane.status(KEY)
        assert (status.state, status.ready_replicas, status.reason) == ("ready", 1, "")
        assert status.replicas[0].id == gateway.endpoints(HELLO)[0]
        assert status.replicas[0].memory_bytes == 10 << 20
        (order,) = rig.provider.started
        assert (order.code_dir, order.layer_dirs, order.revision) == ("/code/aaaaaaaa", ("/layers/x",), 1)

    play(story)


def test_what_a_function_uses_is_the_sum_of_its_replicas_and_stays_when_they_go(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.plane.scale(KEY, 2)
        await rig.until(lambda: len(gateway.endpoints(HELLO)) == 2)
        status = await rig.plane.status(KEY)
        each = status.replicas[0].cpu_s
        assert each > 0
        assert (status.cpu_s, status.memory_bytes) == (2 * each, 20 << 20)
        await rig.plane.scale(KEY, 0)
        await rig.until(lambda: not gateway.endpoints(HELLO))
        for replica in list(rig.provider.replicas):
            rig.provider.end(replica, "stopped")
        status = await rig.plane.status(KEY)
        assert (status.cpu_s, status.memory_bytes) == (2 * each, 0)
        await rig.plane.remove(KEY)
        await rig.plane.deploy(spec_of(), mode="create")
        assert (await rig.plane.status(KEY)).cpu_s <= each

    play(story)


def test_a_deployment_that_this_machine_has_not_the_means_for_is_refused_and_leaves_nothing(play: Play) -> None:
    async def story(rig: Rig) -> None:
        rig.preparer.refusal = NotSupported("There is no Node.js on this machine.")
        with pytest.raises(NotSupported, match=r"no Node\.js"):
            await rig.plane.deploy(spec_of(runtime="node"), mode="upsert")
        rig.preparer.refusal = None
        with pytest.raises(NotFound):
            await rig.plane.status(KEY)
        assert rig.preparer.asked == []

    play(story)


def test_modes_of_deployment(play: Play) -> None:
    async def story(rig: Rig) -> None:
        with pytest.raises(NotFound, match="no function hello"):
            await rig.plane.deploy(spec_of(), mode="update")
        await rig.plane.deploy(spec_of(), mode="create")
        with pytest.raises(Conflict, match="exists already"):
            await rig.plane.deploy(spec_of(), mode="create")
        assert (await rig.plane.deploy(spec_of(), mode="update")).revision == 2
        assert (await rig.plane.deploy(spec_of(), mode="upsert")).revision == 3
        assert [revision.number for revision in await rig.plane.revisions(KEY)] == [3, 2, 1]

    play(story)


def test_an_update_keeps_when_the_function_was_made(play: Play) -> None:
    async def story(rig: Rig) -> None:
        first = await rig.plane.deploy(spec_of(), mode="create")
        rig.clock.advance(5)
        second = await rig.plane.deploy(spec_of(), mode="update")
        assert second.created_unix_ms == first.created_unix_ms
        assert second.updated_unix_ms == first.updated_unix_ms + 5000

    play(story)


def test_bad_input_is_refused_and_leaves_nothing(play: Play) -> None:
    async def story(rig: Rig) -> None:
        rig.blobs.missing.add(BUNDLE)
        with pytest.raises(InvalidSpec, match="was not uploaded"):
            await rig.plane.deploy(spec_of(), mode="upsert")
        with pytest.raises(InvalidSpec, match="needs code"):
            await rig.plane.deploy(spec_of(bundle=""), mode="upsert")
        with pytest.raises(InvalidSpec, match="timeout"):
            await rig.plane.deploy(spec_of(timeout="25h"), mode="upsert")
        assert await rig.store.all() == []
        assert await rig.plane.statuses(KEY.namespace) == []

    play(story)


def test_a_store_that_fails_changes_nothing(play: Play) -> None:
    async def story(rig: Rig) -> None:
        key = await rig.deployed()
        rig.store.broken = "disk full"
        for change in (
            rig.plane.deploy(spec_of(timeout="5s"), mode="upsert"),
            rig.plane.scale(key, 5),
            rig.plane.remove(key),
        ):
            with pytest.raises(StoreUnavailable):
                await change
        rig.store.broken = ""
        status = await rig.plane.status(key)
        assert (status.revision, status.desired_replicas, status.state) == (1, 1, "ready")

    play(story)


def test_unknown_functions_are_not_found(play: Play) -> None:
    async def story(rig: Rig) -> None:
        for ask in (rig.plane.status(KEY), rig.plane.remove(KEY), rig.plane.scale(KEY, 1), rig.plane.revisions(KEY)):
            with pytest.raises(NotFound):
                await ask

    play(story)


def test_deployments_of_one_function_do_not_interleave(play: Play) -> None:
    class SlowStore(MemoryStore):
        async def put(self, function: Function) -> None:
            # The earlier, the slower: without an order they would overtake each other.
            for _ in range(100 // function.revision.number):
                await asyncio.sleep(0)
            await super().put(function)

    async def story(rig: Rig) -> None:
        rig.store = SlowStore()
        await rig.restart()
        deployments = [rig.plane.deploy(spec_of(env={"N": str(n)}), mode="upsert") for n in range(5)]
        statuses = await asyncio.gather(*deployments)
        assert [status.revision for status in statuses] == [1, 2, 3, 4, 5]
        assert (await rig.store.get(KEY)).newest.spec.env == {"N": "4"}
        assert (await rig.plane.status(KEY)).spec.env == {"N": "4"}

    play(story)


def test_a_change_is_carried_through_when_its_caller_goes_away(play: Play) -> None:
    class GatedStore(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.gate = asyncio.Event()

        async def put(self, function: Function) -> None:
            await super().put(function)
            await self.gate.wait()

    async def story(rig: Rig) -> None:
        rig.store = store = GatedStore()
        await rig.restart()
        caller = asyncio.create_task(rig.plane.deploy(spec_of(), mode="upsert"))
        await rig.rounds()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        store.gate.set()
        await rig.until(lambda: rig.provider.started, "the stored deployment is acted upon")

    play(story)


def test_removing_while_the_code_is_prepared_starts_nothing(play: Play) -> None:
    async def story(rig: Rig) -> None:
        rig.preparer.gate.clear()
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.until(lambda: rig.preparer.asked)
        await rig.plane.remove(KEY)
        rig.preparer.gate.set()
        await rig.rounds()
        assert rig.provider.started == []
        assert KEY not in rig.plane._reconciler.machines

    play(story)


def test_code_prepared_for_a_removed_function_is_not_given_to_its_successor(play: Play) -> None:
    async def story(rig: Rig) -> None:
        rig.preparer.gate.clear()
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.until(lambda: len(rig.preparer.asked) == 1)
        first_gate, rig.preparer.gate = rig.preparer.gate, asyncio.Event()
        await rig.plane.remove(KEY)
        status = await rig.plane.deploy(spec_of(bundle="sha256:" + "b" * 64), mode="create")
        assert status.revision == 1
        await rig.until(lambda: len(rig.preparer.asked) == 2)
        first_gate.set()
        await rig.rounds()
        assert rig.provider.started == []
        rig.preparer.gate.set()
        await rig.until(lambda: rig.provider.started)
        assert rig.provider.started[0].code_dir == "/code/bbbbbbbb"

    play(story)


def test_a_removed_function_drains_before_it_stops(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed(timeout="7s")
        await rig.plane.remove(key)
        await rig.until(lambda: HELLO not in gateway.table, "it leaves the table")
        assert rig.provider.stopped == []
        with pytest.raises(NotFound):
            await rig.plane.status(key)
        rig.clock.advance(1)
        await rig.until(lambda: rig.provider.stopped)
        assert rig.provider.stopped[0][1] == 7.0
        await rig.until(lambda: key not in rig.plane._reconciler.machines)

    play(story)


def test_a_function_that_somebody_took_out_of_the_store_is_removed_all_the_same(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed()
        await rig.store.delete(key)
        await rig.plane.remove(key)
        await rig.until(lambda: HELLO not in gateway.table, "it leaves the table")
        with pytest.raises(NotFound):
            await rig.plane.status(key)

    play(story)


def test_deploying_while_the_removed_one_drains_never_reuses_a_living_number(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        rig.provider.plan = FakePlan(stop_after_s=None)
        key = await rig.deployed()
        await rig.plane.remove(key)
        await rig.until(lambda: HELLO not in gateway.table)
        status = await rig.plane.deploy(spec_of(), mode="create")
        assert status.revision == 2
        await rig.until(lambda: HELLO in gateway.table)
        await rig.until(lambda: [e.revision for e in gateway.table[HELLO].endpoints] == [2])
        assert len(rig.running(key)) == 2
        rig.clock.advance(1)
        await rig.until(lambda: rig.provider.stopped)
        rig.clock.advance(60)
        await rig.until(lambda: len(rig.running(key)) == 1)

    play(story)


def test_a_new_revision_takes_over_once_it_is_ready(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed()
        old = gateway.endpoints(HELLO)
        rig.provider.plan = FakePlan(ready_after_s=5)
        await rig.plane.deploy(spec_of(), mode="update")
        await rig.until(lambda: len(rig.provider.started) == 2)
        assert gateway.endpoints(HELLO) == old
        assert rig.state(key) == "starting"
        rig.clock.advance(5)
        await rig.until(lambda: gateway.endpoints(HELLO) == [rig.provider.started[1].replica])
        rig.clock.advance(1)
        await rig.until(lambda: rig.running(key) == [rig.provider.started[1].replica])

    play(story)


def test_two_hundred_demands_start_one_replica(play: Play) -> None:
    async def story(rig: Rig) -> None:
        rig.provider.plan = FakePlan(ready_after_s=0)
        key = await rig.at_zero()
        rig.provider.plan = FakePlan(ready_after_s=1)
        first, second = await rig.gateway("gw0"), await rig.gateway("gw1")
        before = len(rig.provider.started)
        for number in range(100):
            first.demand(HELLO, number)
            second.demand(HELLO, number)
        await rig.until(lambda: len(rig.provider.started) > before)
        await rig.rounds(200)
        assert len(rig.provider.started) == before + 1
        rig.clock.advance(1)
        await rig.until(lambda: first.endpoints(HELLO) and second.endpoints(HELLO))
        assert (await rig.plane.status(key)).desired_replicas == 1

    play(story)


def test_scaled_to_zero_by_hand_a_call_still_wakes_one(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed()
        status = await rig.plane.scale(key, 0)
        assert (status.desired_replicas, status.state) == (0, "idle")
        await rig.until(lambda: gateway.endpoints(HELLO) == [])
        gateway.demand(HELLO)
        await rig.until(lambda: len(gateway.endpoints(HELLO)) == 1)
        rig.clock.advance(901)
        await rig.until(lambda: gateway.endpoints(HELLO) == [])

    play(story)


def test_a_number_set_by_hand_stands_until_the_next_deployment(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        key = await rig.deployed()
        await rig.plane.scale(key, 4)
        await rig.until(lambda: len(gateway.endpoints(HELLO)) == 4)
        gateway.report(HELLO, inflight=200)
        await rig.rounds(100)
        rig.clock.advance(2000)
        assert (await rig.plane.status(key)).desired_replicas == 4
        gateway.report(HELLO)
        await rig.until(lambda: rig.meter.inflight(key) == 0)
        rig.clock.advance(130)
        assert (await rig.plane.deploy(spec_of(), mode="update")).desired_replicas == 1

    play(story)


@pytest.mark.parametrize("replicas", [-1, 1001])
def test_absurd_numbers_are_refused(play: Play, replicas: int) -> None:
    async def story(rig: Rig) -> None:
        key = await rig.deployed()
        with pytest.raises(InvalidRequest, match="between 0 and 1000"):
            await rig.plane.scale(key, replicas)

    play(story)


def test_namespaces_hold_functions_apart(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.plane.namespaces.create(NamespaceName("other"), NamespaceChange())
        await rig.plane.deploy(spec_of(namespace="other", timeout="3s"), mode="create")
        assert [status.spec.timeout_s for status in await rig.plane.statuses(NamespaceName("other"))] == [3.0]
        assert len(await rig.plane.statuses(KEY.namespace)) == 1
        other = await rig.plane.status(FunctionKey(NamespaceName("other"), KEY.name))
        assert other.url.endswith("/function/hello.other")

    play(story)


def test_stopping_leaves_replicas_and_shutting_down_does_not(play: Play) -> None:
    async def story(rig: Rig) -> None:
        key = await rig.deployed()
        await rig.restart()
        assert len(rig.running(key)) == 1
        await rig.plane.shutdown()
        assert rig.running(key) == []
        assert len(rig.provider.started) == 1

    play(story)


def test_shutting_down_does_not_wait_for_ever(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        rig.provider.plan = FakePlan()
        for fake in rig.provider.replicas.values():
            fake.plan = FakePlan(stop_after_s=None)
        rig.provider._call_later = lambda _delay, _act: None
        ending = asyncio.create_task(rig.plane.shutdown(grace_s=3))
        await rig.until(lambda: rig.provider.stopped)
        await rig.rounds()
        assert not ending.done()
        rig.clock.advance(5)
        await ending

    play(story)


def test_what_cannot_be_prepared_says_why(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        rig.preparer.error = BuildFailed("no package named nonsuch")
        await rig.plane.deploy(spec_of(), mode="create")
        await rig.until(lambda: rig.state(KEY) == "failing")
        status = await rig.plane.status(KEY)
        assert "could not be prepared" in status.reason
        assert status.fault == "prepare_failed"
        assert "nonsuch" in status.reason
        await rig.until(lambda: "could not be prepared" in gateway.table[HELLO].failing)
        assert any("nonsuch" in line.text and line.stream == "platform" for line in rig.logs.lines)
        rig.preparer.error = None
        rig.clock.advance(1)
        await rig.until(lambda: gateway.endpoints(HELLO))
        assert gateway.table[HELLO].failing == ""

    play(story)
