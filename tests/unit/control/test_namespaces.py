"""Namespaces come, change and go over the real control plane; nothing of one is left for the next of its name."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.model.errors import Conflict, InvalidRequest, InvalidSpec, NotFound, StoreUnavailable
from dayfly.model.function import FunctionSpec
from dayfly.model.log import LogLine
from dayfly.model.names import (
    DEFAULT_NAMESPACE,
    BundleDigest,
    FunctionKey,
    FunctionName,
    NamespaceName,
    ReplicaId,
    parse_namespace,
)
from dayfly.model.namespace import NamespaceChange, Quota

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig

TEAM = parse_namespace("team")
BUNDLE = "sha256:" + "a" * 64
CODE = b"what a function is made of"
DIGEST = BundleDigest("sha256:" + hashlib.sha256(CODE).hexdigest())
FULL = NamespaceChange(labels={"a": "1"}, annotations={"b": "2"}, quota=Quota(functions=3))


def spec(name: str = "hello", namespace: NamespaceName = TEAM) -> FunctionSpec:
    return FunctionSpec(name=name, namespace=namespace, bundle=BUNDLE)


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def test_the_default_namespace_is_there_and_stays(play: Play) -> None:
    async def story(rig: Rig) -> None:
        assert rig.plane.namespaces.names() == [DEFAULT_NAMESPACE]
        with pytest.raises(Conflict, match="default"):
            await rig.plane.namespaces.remove(DEFAULT_NAMESPACE, force=True)
        with pytest.raises(Conflict, match="exists already"):
            await rig.plane.namespaces.create(DEFAULT_NAMESPACE, FULL)
        await rig.plane.namespaces.update(DEFAULT_NAMESPACE, FULL)
        await rig.restart()
        assert rig.plane.namespaces.get(DEFAULT_NAMESPACE).labels == {"a": "1"}

    play(story)


def test_what_was_created_outlives_a_restart_and_changes_replace_it(play: Play) -> None:
    async def story(rig: Rig) -> None:
        status = await rig.plane.namespaces.create(TEAM, FULL)
        assert (status.labels, status.quota.functions, status.used.functions) == ({"a": "1"}, 3, 0)
        await rig.restart()
        assert rig.plane.namespaces.status(TEAM) == status
        changed = await rig.plane.namespaces.update(TEAM, NamespaceChange(labels={"c": "3"}))
        assert (changed.labels, changed.annotations, changed.quota) == ({"c": "3"}, {}, Quota())
        assert changed.created_unix_ms == status.created_unix_ms
        with pytest.raises(NotFound, match="there is no namespace other"):
            rig.plane.namespaces.get(parse_namespace("other"))

    play(story)


def test_of_two_that_create_it_at_once_one_does(play: Play) -> None:
    async def story(rig: Rig) -> None:
        both = (rig.plane.namespaces.create(TEAM, NamespaceChange(labels={"n": str(n)})) for n in range(2))
        results = await asyncio.gather(*both, return_exceptions=True)
        assert [type(result) for result in results].count(Conflict) == 1
        assert rig.plane.namespaces.get(TEAM).labels == {"n": "0"}

    play(story)


def test_what_could_not_be_written_is_not_so(play: Play) -> None:
    async def story(rig: Rig) -> None:
        with pytest.raises(InvalidSpec, match=r"quota\.memory"):
            await rig.plane.namespaces.create(TEAM, NamespaceChange(quota=Quota(memory="lots")))
        rig.store.broken = "disk full"
        with pytest.raises(StoreUnavailable):
            await rig.plane.namespaces.create(TEAM, FULL)
        rig.store.broken = ""
        assert rig.plane.namespaces.names() == [DEFAULT_NAMESPACE]
        await rig.plane.namespaces.create(TEAM, FULL)
        rig.store.broken = "disk full"
        for change in (rig.plane.namespaces.update(TEAM, NamespaceChange()), rig.plane.namespaces.remove(TEAM)):
            with pytest.raises(StoreUnavailable):
                await change
        rig.store.broken = ""
        assert rig.plane.namespaces.get(TEAM).quota == Quota(functions=3)

    play(story)


def test_nothing_is_deployed_into_a_namespace_that_is_not_there(play: Play) -> None:
    async def story(rig: Rig) -> None:
        with pytest.raises(NotFound, match="there is no namespace team") as refused:
            await rig.plane.deploy(spec(), mode="upsert")
        assert "dayfly namespace create team" in refused.value.hint
        assert await rig.store.all() == []

    play(story)


def test_one_that_holds_functions_goes_by_force_only_and_takes_them_with_it(play: Play) -> None:
    async def story(rig: Rig) -> None:
        for name in ("a", "b"):
            await rig.deployed(name, namespace="team")
        kept = await rig.deployed("c")
        with pytest.raises(Conflict, match=r"not empty: it holds 2 functions \(a, b\)"):
            await rig.plane.namespaces.remove(TEAM)
        assert len(await rig.store.all()) == 3
        await rig.plane.namespaces.remove(TEAM, force=True)
        assert rig.plane.namespaces.names() == [DEFAULT_NAMESPACE]
        assert [function.key for function in await rig.store.all()] == [kept]
        with pytest.raises(NotFound):
            await rig.plane.deploy(spec(), mode="upsert")
        with pytest.raises(NotFound):
            await rig.plane.namespaces.remove(TEAM)

    play(story)


def test_an_empty_one_goes_and_its_listeners_are_told(play: Play) -> None:
    async def story(rig: Rig) -> None:
        told: list[str] = []
        rig.plane.namespaces.on_removed.append(told.append)
        await rig.plane.namespaces.create(TEAM, FULL)
        await rig.plane.namespaces.remove(TEAM)
        assert told == ["team"]

    play(story)


@pytest.mark.parametrize("force", [False, True])
def test_a_deployment_and_the_removal_of_its_namespace_do_not_cross(play: Play, force: bool) -> None:
    async def story(rig: Rig) -> None:
        await rig.plane.namespaces.create(TEAM, FULL)
        deploying = asyncio.ensure_future(rig.plane.deploy(spec(), mode="upsert"))
        removing = asyncio.ensure_future(rig.plane.namespaces.remove(TEAM, force=force))
        late = asyncio.ensure_future(rig.plane.deploy(spec("late"), mode="upsert"))
        await asyncio.wait([deploying, removing, late])
        there = TEAM in rig.plane.namespaces.names()
        held = [function.key.name for function in await rig.store.all()]
        assert there or not held, "no function is left without its namespace"
        assert there is not force

    play(story)


def test_a_new_one_of_the_same_name_begins_empty(play: Play) -> None:
    async def story(rig: Rig) -> None:
        key = await rig.deployed("hello", namespace="team")
        rig.logs.write(LogLine(1, key, ReplicaId("r" * 10), "stdout", "", "the first tenant's"))
        rig.logs.write(
            LogLine(1, FunctionKey(DEFAULT_NAMESPACE, FunctionName("hello")), ReplicaId(""), "stdout", "", "y")
        )
        await rig.plane.namespaces.remove(TEAM, force=True)
        assert [line.key.namespace for line in rig.logs.lines] == [DEFAULT_NAMESPACE]
        with pytest.raises(Conflict, match="still finish their calls"):
            await rig.plane.namespaces.create(TEAM, FULL)
        rig.logs.write(LogLine(1, key, ReplicaId("r" * 10), "stdout", "", "the last of it"))
        rig.clock.advance(1)
        await rig.until(lambda: not rig.running(key))
        await rig.plane.namespaces.create(TEAM, FULL)
        assert [line.key.namespace for line in rig.logs.lines] == [DEFAULT_NAMESPACE]

    play(story)


def test_code_that_another_tenant_uploaded_is_not_here(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.plane.namespaces.create(TEAM, NamespaceChange())
        rig.tenancy.foreign.add(BUNDLE)
        await rig.plane.bundles.put(DEFAULT_NAMESPACE, DIGEST, once(CODE), 100)
        rig.tenancy.foreign.add(DIGEST)
        assert await rig.plane.bundles.has(DEFAULT_NAMESPACE, DIGEST)
        assert not await rig.plane.bundles.has(TEAM, DIGEST)
        for digest in (BUNDLE, DIGEST):
            with pytest.raises(InvalidSpec, match="not uploaded into the namespace team"):
                await rig.plane.deploy(msgspec.structs.replace(spec(), bundle=digest), mode="upsert")
        with pytest.raises(InvalidRequest):
            await rig.plane.bundles.put(TEAM, DIGEST, once(b"guessed"), 100)
        assert not await rig.plane.bundles.has(TEAM, DIGEST)
        await rig.plane.bundles.put(TEAM, DIGEST, once(CODE), 100)
        await rig.plane.deploy(msgspec.structs.replace(spec(), bundle=DIGEST), mode="upsert")

    play(story)
