"""Quotas on the real control plane: refused with what is lacking, waited for where load asks, never exceeded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.model.errors import InvalidSpec, QuotaExceeded, StoreUnavailable
from dayfly.model.function import FunctionSpec
from dayfly.model.names import FunctionKey, FunctionName, parse_namespace
from dayfly.model.namespace import NamespaceChange, Quota
from dayfly.providers.fake import FakePlan

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig

TEAM = parse_namespace("team")
BUNDLE = "sha256:" + "a" * 64


def spec(name: str, scale: dict[str, str] | None = None, **fields: object) -> FunctionSpec:
    labels = {f"com.openfaas.scale.{key}": value for key, value in (scale or {}).items()}
    given = {"name": name, "namespace": "team", "bundle": BUNDLE, "labels": labels, **fields}
    return msgspec.convert(given, FunctionSpec)


def key(name: str) -> FunctionKey:
    return FunctionKey(TEAM, FunctionName(name))


async def limit(rig: Rig, quota: str) -> None:
    change = NamespaceChange(quota=Quota.parse(quota))
    known = TEAM in rig.plane.namespaces.names()
    await (rig.plane.namespaces.update(TEAM, change) if known else rig.plane.namespaces.create(TEAM, change))


async def deploy(rig: Rig, name: str, scale: dict[str, str] | None = None, **fields: object) -> FunctionKey:
    await rig.plane.deploy(spec(name, scale, **fields), mode="upsert")
    await rig.until(lambda: rig.state(key(name)) in ("ready", "idle"), f"{name} is ready")
    return key(name)


def running(rig: Rig) -> int:
    return sum(fake.order.key.namespace == TEAM for fake in rig.provider.replicas.values())


def test_one_function_too_many_is_refused_with_what_would_help(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await limit(rig, "functions=1")
        await deploy(rig, "one")
        with pytest.raises(QuotaExceeded, match="team has 1 functions and may have 1") as refused:
            await rig.plane.deploy(spec("two"), mode="create")
        assert "dayfly namespace update team --quota functions=2" in refused.value.hint
        await deploy(rig, "one", timeout="7s")
        await rig.deployed("elsewhere")
        await rig.plane.remove(key("one"))
        await deploy(rig, "two")
        assert {function.key.name for function in await rig.store.all()} == {"two", "elsewhere"}

    play(story)


def test_two_deployments_at_once_do_not_both_get_the_last_place(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await limit(rig, "functions=3,replicas=3")
        always = {"zero": "false"}
        results = await asyncio.gather(
            *(rig.plane.deploy(spec(f"f{n}", always), mode="create") for n in range(9)), return_exceptions=True
        )
        assert [type(result) for result in results].count(QuotaExceeded) == 6
        assert rig.plane.namespaces.status(TEAM).used.functions == len(await rig.store.all()) == 3

    play(story)


def test_a_place_is_free_again_when_the_deployment_could_not_be_written(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await limit(rig, "functions=1")
        rig.store.broken = "disk full"
        with pytest.raises(StoreUnavailable):
            await rig.plane.deploy(spec("one"), mode="create")
        rig.store.broken = ""
        await deploy(rig, "two")
        assert rig.plane.namespaces.status(TEAM).used.functions == 1

    play(story)


def test_a_number_set_by_hand_is_judged_beside_those_of_others(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await limit(rig, "replicas=5")
        await deploy(rig, "always", {"min": "2", "zero": "false"})
        await deploy(rig, "other")
        with pytest.raises(QuotaExceeded, match="others always take 2 of it, and this function would take 4"):
            await rig.plane.scale(key("other"), 4)
        await rig.plane.scale(key("other"), 3)
        await rig.until(lambda: running(rig) == 5)
        with pytest.raises(QuotaExceeded):
            await rig.plane.scale(key("always"), 3)
        await rig.plane.scale(key("other"), None)
        await rig.plane.scale(key("always"), 3)

    play(story)


def test_a_revision_that_needs_more_than_there_is_is_refused_also_on_the_way_back(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await deploy_unlimited(rig)
        await limit(rig, "memory=256Mi,body=1Mi")
        for fields in ({"limits": {"memory": "512Mi"}}, {}):
            with pytest.raises(QuotaExceeded, match="memory=256Mi, and this function alone would take 512Mi"):
                await rig.plane.deploy(spec("fat", **fields), mode="upsert")
        await rig.plane.deploy(spec("thin", limits={"memory": "64Mi"}), mode="upsert")
        with pytest.raises(QuotaExceeded, match="max_body: 2Mi is more than the 1Mi"):
            await rig.plane.deploy(spec("thin", limits={"memory": "64Mi"}, max_body="2Mi"), mode="upsert")
        with pytest.raises(QuotaExceeded, match="memory"):
            await rig.plane.rollback(key("slim"), 1)
        await rig.plane.scale(key("slim"), 1)

    async def deploy_unlimited(rig: Rig) -> None:
        await limit(rig, "")
        await deploy(rig, "slim", limits={"memory": "1Gi"})
        await deploy(rig, "slim", limits={"memory": "64Mi"})

    play(story)


def test_load_gets_what_there_is_room_for_and_the_rest_waits_and_says_why(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await limit(rig, "replicas=3")
        gateway = await rig.gateway()
        busy = await deploy(rig, "busy", {"target": "1"})
        quiet = await deploy(rig, "quiet", {"zero": "false"})
        gateway.report("busy.team", inflight=10)
        await rig.until(lambda: running(rig) == 3)
        await rig.rounds()
        status = await rig.plane.status(busy)
        assert (status.ready_replicas, status.state) == (2, "ready")
        assert status.desired_replicas > 2, "what is wanted is told all the same"
        assert status.reason == (
            "a replica waits until the namespace team has room: its quota of replicas is used up, 3 of 3"
        )
        assert (await rig.plane.status(quiet)).reason == ""
        told = [line.text for line in rig.logs.lines if line.key == busy and line.stream == "platform"]
        assert told == [status.reason]
        await limit(rig, "replicas=6")
        await rig.until(lambda: running(rig) == 6)
        await rig.plane.remove(quiet)
        rig.clock.advance(1)
        await rig.until(lambda: len(rig.running(busy)) == 6, "what became free is taken")
        await limit(rig, "replicas=2")
        await rig.rounds()
        assert running(rig) == 6, "a lowered quota stops nothing"
        rig.provider.end(rig.running(busy)[0], "crashed")  # type: ignore[arg-type]  # its keys are ids
        rig.clock.advance(5)
        await rig.rounds()
        assert running(rig) == 5, "and nothing starts above it"

    play(story)


def test_a_function_that_is_called_has_an_idle_one_rest_for_it(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await limit(rig, "replicas=1")
        gateway = await rig.gateway()
        first = await deploy(rig, "first")
        rig.clock.advance(5)
        await rig.plane.deploy(spec("second"), mode="upsert")
        await rig.until(lambda: not gateway.endpoints("first.team"), "the idle one is withdrawn")
        rig.clock.advance(1)
        await rig.until(lambda: gateway.endpoints("second.team"))
        assert running(rig) == 1
        rig.clock.advance(5)
        gateway.demand("first.team")
        await rig.until(lambda: not gateway.endpoints("second.team"))
        rig.clock.advance(1)
        await rig.until(lambda: gateway.endpoints("first.team"))
        gateway.report("first.team", inflight=1)
        rig.clock.advance(5)
        gateway.demand("second.team")
        await rig.rounds()
        rig.clock.advance(5)
        await rig.rounds()
        assert rig.running(first), "one that is called stays"
        assert running(rig) == 1

    play(story)


def test_a_rollout_ends_though_there_is_room_for_one_revision_only(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await limit(rig, "replicas=2")
        gateway = await rig.gateway()
        function = await deploy(rig, "hello", {"min": "2", "max": "2"})
        await rig.plane.deploy(spec("hello", {"min": "2", "max": "2"}, timeout="9s"), mode="update")
        for _ in range(6):
            await rig.rounds()
            rig.clock.advance(1)
            assert running(rig) <= 2
            assert gateway.endpoints("hello.team"), "one serves all the time"
        status = await rig.plane.status(function)
        assert (status.revision, status.rollout, status.ready_replicas) == (2, None, 2)
        assert {replica.revision for replica in status.replicas} == {2}

    play(story)


def test_a_candidate_that_fails_takes_no_second_replicas_place(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await limit(rig, "replicas=1")
        gateway = await rig.gateway()
        await deploy(rig, "hello")
        rig.provider.plan = FakePlan(ready_after_s=None, exit_after_s=0.0, exit_reason="import_failed")
        await rig.plane.deploy(spec("hello", timeout="9s"), mode="update")
        await rig.rounds()
        rig.clock.advance(1)
        await rig.rounds()
        rig.provider.plan = FakePlan()
        rig.clock.advance(1)
        await rig.until(lambda: gateway.endpoints("hello.team"), "the one before serves again")
        served = gateway.endpoints("hello.team")
        for _ in range(20):
            rig.clock.advance(10)
            await rig.rounds()
            assert gateway.endpoints("hello.team") == served
        assert running(rig) == 1

    play(story)


def test_after_a_restart_all_that_runs_is_counted_before_anything_starts(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await limit(rig, "replicas=3")
        for name in ("a", "b", "c"):
            await deploy(rig, name, {"zero": "false"})
        rig.provider.end(rig.running(key("a"))[0], "crashed")  # type: ignore[arg-type]  # its keys are ids
        rig.provider.plan = FakePlan(stop_after_s=None)
        await rig.plane.remove(key("c"))
        assert len(rig.running(key("c"))) == 1
        before = len(rig.provider.started)
        await rig.restart()
        await rig.rounds()
        assert running(rig) <= 3
        assert rig.plane.namespaces.status(TEAM).used.replicas == running(rig)
        # "a" was missing one and had room for it; the one that nobody wants is counted until it has ended.
        assert len(rig.provider.started) == before + 1
        await limit(rig, "replicas=4")
        await deploy(rig, "d", {"zero": "false"})
        await rig.plane.scale(key("d"), 2)
        await rig.rounds()
        assert running(rig) == 4
        rig.clock.advance(61)
        await rig.until(lambda: not rig.running(key("c")))
        await rig.until(lambda: len(rig.running(key("d"))) == 2, "the room of what nobody wanted is taken")

    play(story)


def test_the_least_of_the_functions_and_the_namespaces_limits_holds(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await limit(rig, "")
        gateway = await rig.gateway()
        await deploy(rig, "bare")
        await deploy(rig, "own", max_body="2Mi", max_log_rate="2M")
        assert [gateway.table[f"{name}.team"].body_bytes for name in ("bare", "own")] == [0, 2 << 20]
        await limit(rig, "body=1Mi,log-rate=500k")
        await rig.until(lambda: gateway.table["own.team"].body_bytes == 1 << 20, "gateways hear of it at once")
        assert gateway.table["bare.team"].body_bytes == 1 << 20
        await rig.plane.scale(key("own"), 2)
        await rig.plane.scale(key("bare"), 2)
        await rig.until(lambda: running(rig) == 4)
        rates = {(order.key.name, order.log_rate_bytes) for order in rig.provider.started}
        assert rates == {("bare", 1_000_000), ("own", 2_000_000), ("bare", 500_000), ("own", 500_000)}

    play(story)


def test_a_body_larger_than_gateways_take_is_refused_at_once(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await limit(rig, "")
        rig.plane._deployments._max_body_bytes = 10 << 20
        with pytest.raises(InvalidSpec, match="max_body: 11Mi is more than the gateway takes, 10Mi"):
            await rig.plane.deploy(spec("big", max_body="11Mi"), mode="upsert")
        await deploy(rig, "big", max_body="10Mi")

    play(story)
