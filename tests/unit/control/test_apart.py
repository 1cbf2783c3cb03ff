"""Replicas apart: of whatever revision is kept, shared by those who ask, for them only, and gone afterwards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from dayfly.control.apart import LINGER_S
from dayfly.decide.replicas import START_LIMIT_S, STOP_AGAIN_S
from dayfly.model.apart import Apart
from dayfly.model.errors import DayflyError, FunctionFailed, InvalidSpec, NotFound, QuotaExceeded, Unavailable
from dayfly.model.names import FunctionKey, ReplicaId, parse_function_key
from dayfly.model.namespace import NamespaceChange, Quota
from dayfly.model.rollout import Canary
from dayfly.model.table import Delta
from dayfly.providers.fake import FakePlan

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig

KEY = parse_function_key("hello.openfaas-fn")


async def two_revisions(rig: Rig, **fields: Any) -> FunctionKey:
    """Have revision 2 serve and revision 1 kept, with one replica in all."""
    await rig.deployed(timeout="9s", env={"WHO": "first"}, **fields)
    await rig.deployed(timeout="5s", env={"WHO": "second"}, **fields)
    await rig.until(lambda: rig.plane._reconciler.machine(KEY).function.revision.number == 2, "2 serves")
    rig.clock.advance(1)
    await rig.until(lambda: len(rig.running(KEY)) == 1, "only 2 runs")
    return KEY


async def used(rig: Rig, number: int) -> Apart:
    """Use the revision's replica for a moment."""
    async with rig.plane.apart(KEY, number) as apart:
        return apart


def apart(rig: Rig) -> list[str]:
    """Return the replicas apart that were ever started."""
    return [order.replica for order in rig.provider.started if order.apart]


async def refused(rig: Rig, number: int) -> DayflyError:
    """Return why the revision cannot be used."""
    with pytest.raises(DayflyError) as refusal:
        await used(rig, number)
    return refusal.value


def test_an_older_revision_runs_as_it_was_deployed_beside_what_serves(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await rig.plane.secrets.put(KEY.namespace, "key", b"hush")
        await two_revisions(rig, secrets=["key"], limits={"memory": "64Mi", "cpu": "250m"})
        await rig.until(lambda: gateway.endpoints(str(KEY)) == rig.running(KEY), "gateways know")
        serving = gateway.endpoints(str(KEY))
        async with rig.plane.apart(KEY, 1) as found:
            order = rig.provider.started[-1]
            assert (order.apart, order.revision, order.env, order.timeout_s) == (True, 1, {"WHO": "first"}, 9.0)
            assert (order.secrets, order.memory_bytes, order.cpu_millicores) == ({"key": b"hush"}, 64 * 2**20, 250)
            assert order.ceilings == rig.provider.started[0].ceilings
            assert (found.endpoint.replica, found.endpoint.revision, found.timeout_s) == (order.replica, 1, 9.0)
            assert found.endpoint.address == f"unix:/fake/{order.replica}.sock"
            await rig.rounds()
            assert gateway.endpoints(str(KEY)) == serving, "no table names it"
            assert (await rig.plane.status(KEY)).ready_replicas == 1
        rig.clock.advance(LINGER_S - 1)
        await rig.rounds()
        assert len(rig.running(KEY)) == 2, "somebody may ask again"
        rig.clock.advance(1)
        await rig.until(lambda: len(rig.running(KEY)) == 1, "it is gone")
        assert gateway.endpoints(str(KEY)) == serving
        assert rig.plane.namespaces.status(KEY.namespace).used.replicas == 1

    play(story)


def test_a_batch_has_one_replica_and_those_who_ask_at_once_share_it(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await two_revisions(rig)
        for _ in range(3):
            await used(rig, 1)
            rig.clock.advance(LINGER_S - 1)
        rig.provider.plan = FakePlan(ready_after_s=None)
        rig.clock.advance(2)
        await rig.until(lambda: len(rig.running(KEY)) == 1, "the batch is over")
        together = [asyncio.ensure_future(used(rig, 1)) for _ in range(3)]
        await rig.until(lambda: len(apart(rig)) == 2, "another was started")
        together[0].cancel()
        rig.provider.make_ready(ReplicaId(apart(rig)[1]))
        assert {found.endpoint.replica for found in await asyncio.gather(*together[1:])} == {apart(rig)[1]}
        assert len(apart(rig)) == 2

    play(story)


def test_a_function_at_zero_stays_there(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await two_revisions(rig)
        rig.clock.advance(901)
        rig.clock.advance(1)
        await rig.until(lambda: not rig.running(KEY), "it is at zero")
        for number in (1, 2):
            async with rig.plane.apart(KEY, number):
                assert [order.revision for order in rig.provider.started][-1] == number
                assert len(rig.running(KEY)) == 1 + (number - 1)
                await rig.until(lambda: gateway.endpoints(str(KEY)) == [], "no table names it")
        rig.clock.advance(LINGER_S)
        await rig.until(lambda: not rig.running(KEY), "they are gone")
        assert rig.state(KEY) == "idle"

    play(story)


def test_a_candidate_is_used_beside_its_canary(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        machine = rig.plane._reconciler.machine(KEY)
        spec = msgspec.structs.replace(machine.function.revision.spec, env={"WHO": "second"})
        await rig.plane.deploy(spec, mode="update", canary=Canary(weight=50, window="10m"))
        await rig.until(lambda: machine.ready == 2, "the canary runs")
        assert (await used(rig, 2)).endpoint.revision == 2
        assert (len(apart(rig)), machine.ready, machine.canary is not None) == (1, 2, True)

    play(story)


def test_what_is_not_kept_is_refused_with_what_is(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await two_revisions(rig)
        refusal = await refused(rig, 7)
        assert isinstance(refusal, NotFound)
        assert str(refusal) == "revision 7 of hello is not kept; these are: 1, 2"
        with pytest.raises(NotFound, match="there is no function other"):
            async with rig.plane.apart(parse_function_key("other"), 1):
                pass
        assert apart(rig) == []

    play(story)


def test_what_does_not_start_says_why_and_is_tried_anew(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await two_revisions(rig)
        rig.provider.plan = FakePlan(ready_after_s=None, exit_after_s=0.0, exit_reason="import_failed",
                                     exit_detail="Traceback\nKeyError: 'X'")  # fmt: skip
        refusal = await refused(rig, 1)
        assert isinstance(refusal, FunctionFailed)
        assert str(refusal) == ("revision 1 of hello does not start: its handler could not be imported (KeyError: 'X')")
        assert "KeyError: 'X'" in [line.text for line in rig.logs.lines]
        rig.provider.plan = FakePlan(refuse_start="the zygote is away")
        assert "the zygote is away" in str(await refused(rig, 1))
        rig.preparer.error = Unavailable("no such bundle")
        assert str(await refused(rig, 1)) == "no such bundle"
        rig.preparer.error = None
        rig.provider.plan = FakePlan(ready_after_s=None)
        slow = asyncio.ensure_future(refused(rig, 1))
        await rig.until(lambda: len(apart(rig)) == 2, "it was ordered")
        rig.clock.advance(START_LIMIT_S)
        assert "not ready 120 s after its start" in str(await slow)
        await rig.until(lambda: len(rig.running(KEY)) == 1, "it is gone")
        rig.provider.plan = FakePlan()
        assert (await used(rig, 1)).endpoint.replica == apart(rig)[2]

    play(story)


def test_a_quota_counts_it_and_leaves_none_where_there_is_no_room(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await two_revisions(rig)
        namespace = KEY.namespace
        await rig.plane.namespaces.update(namespace, NamespaceChange(quota=Quota(replicas=1)))
        refusal = await refused(rig, 1)
        assert isinstance(refusal, QuotaExceeded)
        assert "no room for a replica of revision 1: its quota of replicas is used up, 1 of 1" in str(refusal)
        await rig.plane.namespaces.update(namespace, NamespaceChange(quota=Quota(replicas=2)))
        async with rig.plane.apart(KEY, 1):
            assert rig.plane.namespaces.status(namespace).used.replicas == 2
        rig.clock.advance(LINGER_S)
        await rig.until(lambda: rig.plane.namespaces.status(namespace).used.replicas == 1, "it counts no more")

    play(story)


def test_one_that_holds_an_outdated_secret_is_shared_no_more(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.plane.secrets.put(KEY.namespace, "key", b"old")
        await two_revisions(rig, secrets=["key"])
        await used(rig, 1)
        await rig.plane.secrets.put(KEY.namespace, "key", b"new")
        await used(rig, 1)
        assert [order.secrets["key"] for order in rig.provider.started if order.apart] == [b"old", b"new"]
        await rig.until(lambda: ReplicaId(apart(rig)[0]) not in rig.provider.replicas, "the old one is gone")
        await rig.plane.secrets.remove(KEY.namespace, "key", force=True)
        rig.clock.advance(LINGER_S)
        await rig.until(lambda: ReplicaId(apart(rig)[1]) not in rig.provider.replicas, "the new one is gone")
        assert isinstance(await refused(rig, 1), InvalidSpec)

    play(story)


def test_who_loses_a_call_with_it_is_told_why(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await two_revisions(rig)
        async with rig.plane.apart(KEY, 1) as found:
            rig.provider.end(ReplicaId(found.endpoint.replica), "oom", "it used 70 MiB")
            await rig.until(lambda: [m for m in gateway.heard if isinstance(m, Delta) and m.ended], "gateways are told")
            (told,) = [ended for m in gateway.heard if isinstance(m, Delta) for ended in m.ended]
            assert (told.replica, told.code) == (found.endpoint.replica, "function_out_of_memory")
        assert (await used(rig, 1)).endpoint.replica != found.endpoint.replica
        assert rig.plane._reconciler.machine(KEY).serving.trouble is None, "what serves has nothing to do with it"

    play(story)


def test_the_provider_is_asked_until_it_is_gone(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await two_revisions(rig)
        rig.provider.plan = FakePlan(refuse_stop="busy")
        await used(rig, 1)
        rig.clock.advance(LINGER_S)
        await rig.rounds()
        (lone,) = apart(rig)
        assert ReplicaId(lone) in rig.provider.replicas
        rig.provider.replicas[ReplicaId(lone)].plan = FakePlan()
        rig.clock.advance(10.0 + STOP_AGAIN_S)
        await rig.until(lambda: ReplicaId(lone) not in rig.provider.replicas, "it was stopped in the end")

    play(story)


def test_a_control_plane_that_died_leaves_none(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await two_revisions(rig)
        rig.clock.advance(901)
        rig.clock.advance(1)
        await rig.until(lambda: not rig.running(KEY), "it is at zero")
        # The replica runs on, as after a kill: this plane neither ends it nor hears of it any more.
        await used(rig, 1)
        rig.plane._apart._asked.clear()
        rig.plane._apart._ordered.clear()
        (lone,) = rig.running(KEY)
        await rig.restart()
        gateway = await rig.gateway()
        assert gateway.endpoints(str(KEY)) == [], "it serves nobody"
        await rig.until(lambda: not rig.running(KEY), "it was ended")
        assert [replica for replica, _ in rig.provider.stopped][-1] == lone
        assert rig.state(KEY) == "idle"

    play(story)


def test_a_control_plane_that_leaves_takes_them_along(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await two_revisions(rig)
        await used(rig, 1)
        rig.provider.plan = FakePlan(ready_after_s=None)
        rig.preparer.gate.clear()
        going = asyncio.ensure_future(refused(rig, 2))
        await rig.rounds()
        await rig.plane.stop()
        assert isinstance(await going, Unavailable)
        assert isinstance(await refused(rig, 1), Unavailable)
        assert [order.revision for order in rig.provider.started if order.apart] == [1]
        assert apart(rig)[0] not in rig.provider.replicas
        rig.preparer.gate.set()
        await rig.restart()

    play(story)
