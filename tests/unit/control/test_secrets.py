"""Secrets and the functions that use them: what a start needs, what a change brings about, what a removal leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.model.errors import Conflict, InvalidSpec, NotFound, SecretsLocked
from dayfly.model.function import FunctionSpec
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, NamespaceName
from dayfly.model.namespace import NamespaceChange
from dayfly.model.secret import MAX_FUNCTION_BYTES, MAX_SECRET_BYTES
from dayfly.providers.fake import FakePlan

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig

OTHERS = NamespaceName("others")
CANARY = b"canary-of-the-control-plane"


def spec_of(**fields: object) -> FunctionSpec:
    return msgspec.convert({"name": "hello", "bundle": "sha256:" + "a" * 64, **fields}, FunctionSpec)


async def put(rig: Rig, content: bytes, name: str = "password", namespace: NamespaceName = DEFAULT_NAMESPACE) -> None:
    await rig.plane.secrets.put(namespace, name, content)


def contents(rig: Rig, key: FunctionKey) -> list[bytes]:
    """Return what the running replicas hold."""
    return [fake.order.secrets.get("password", b"") for fake in rig.provider.replicas.values() if fake.order.key == key]


def test_a_replica_is_started_with_the_secrets_that_its_function_names(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await put(rig, b"1")
        await put(rig, b"2", "token")
        await rig.plane.namespaces.create(OTHERS, NamespaceChange())
        await put(rig, b"not ours", namespace=OTHERS)
        key = await rig.deployed(secrets=["token", "password", "token"])
        (order,) = [fake.order for fake in rig.provider.replicas.values()]
        assert order.secrets == {"token": b"2", "password": b"1"}
        assert order.secret_versions == {"token": 2, "password": 1}
        other = await rig.deployed("other", namespace="others", secrets=["password"])
        assert contents(rig, other) == [b"not ours"]
        assert [each.functions for each in rig.plane.secrets.in_namespace(DEFAULT_NAMESPACE)] == [
            ("hello",),
            ("hello",),
        ]
        await rig.plane.remove(key)
        assert [each.functions for each in rig.plane.secrets.in_namespace(DEFAULT_NAMESPACE)] == [(), ()]

    play(story)


def test_a_deployment_that_names_a_secret_which_is_not_there_is_refused_and_leaves_nothing(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.plane.namespaces.create(OTHERS, NamespaceChange())
        await put(rig, b"1", namespace=OTHERS)
        with pytest.raises(InvalidSpec, match="no secret password in the namespace openfaas-fn; create it with"):
            await rig.deployed(secrets=["password"])
        assert await rig.store.all() == []

    play(story)


def test_a_secret_that_is_written_anew_reaches_running_replicas_and_no_call_is_lost(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        await put(rig, b"old")
        labels = {"com.openfaas.scale.min": "4"}
        key = await rig.deployed(secrets=["password"], labels=labels)
        await rig.until(lambda: len(gateway.endpoints(str(key))) == 4)
        untouched = await rig.deployed("untouched")
        before = rig.running(untouched)
        rig.provider.plan = FakePlan(ready_after_s=1.0)
        await put(rig, b"new")
        least = 4
        for _ in range(40):
            rig.clock.advance(0.5)
            await rig.rounds(20)
            least = min(least, len(gateway.endpoints(str(key))))
        assert contents(rig, key) == [b"new"] * 4
        assert least == 4
        assert rig.running(untouched) == before
        assert rig.plane.newest(key).number == 1, "it is no new revision"

    play(story)


def test_a_content_that_is_there_already_restarts_nothing(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await put(rig, b"same")
        key = await rig.deployed(secrets=["password"])
        before = rig.running(key)
        await put(rig, b"same")
        await rig.rounds()
        assert rig.running(key) == before
        assert len(rig.provider.started) == 1

    play(story)


def test_a_function_at_zero_wakes_with_the_new_content(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await put(rig, b"old")
        key = await rig.at_zero(secrets=["password"])
        await put(rig, b"new")
        await rig.rounds()
        assert rig.running(key) == []
        gateway = await rig.gateway()
        gateway.demand(str(key))
        await rig.until(lambda: contents(rig, key) == [b"new"])

    play(story)


def test_a_secret_in_use_is_removed_by_force_only_and_its_replicas_go_on(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await put(rig, b"1")
        key = await rig.deployed(secrets=["password"])
        with pytest.raises(Conflict, match="is used by hello"):
            await rig.plane.secrets.remove(DEFAULT_NAMESPACE, "password", force=False)
        await rig.plane.secrets.remove(DEFAULT_NAMESPACE, "password", force=True)
        with pytest.raises(NotFound):
            await rig.plane.secrets.remove(DEFAULT_NAMESPACE, "password", force=False)
        await rig.rounds()
        assert contents(rig, key) == [b"1"]
        assert rig.state(key) == "ready"

    play(story)


def test_a_start_without_its_secret_fails_and_says_so_until_it_is_there_again(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await put(rig, CANARY)
        key = await rig.at_zero(secrets=["password"])
        await rig.plane.secrets.remove(DEFAULT_NAMESPACE, "password", force=True)
        gateway = await rig.gateway()
        gateway.demand(str(key))
        await rig.until(lambda: rig.state(key) == "failing")
        reason = (await rig.plane.status(key)).reason
        assert (
            "there is no secret password in the namespace openfaas-fn; create it with `dayfly secret create" in reason
        )
        assert any("there is no secret password" in line.text for line in rig.logs.lines)
        await put(rig, b"back")
        await rig.until(lambda: contents(rig, key) == [b"back"])
        assert CANARY.decode() not in str(rig.logs.lines) + reason

    play(story)


def test_a_rollback_to_a_revision_whose_secret_is_gone_fails_and_what_serves_goes_on(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await put(rig, b"1")
        key = await rig.deployed(secrets=["password"])
        await rig.deployed()
        rig.clock.advance(60)
        await rig.plane.secrets.remove(DEFAULT_NAMESPACE, "password", force=False)
        await rig.plane.rollback(key)
        await rig.until(lambda: rig.state(key) == "failing")
        status = await rig.plane.status(key)
        assert "there is no secret password" in status.reason
        assert status.ready_replicas == 1
        assert status.rollout is not None
        assert status.rollout.serving == 2

    play(story)


def test_a_key_that_is_not_there_is_told_of_each_function_that_needs_it(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await put(rig, b"1")
        rig.secrets.locked = "the key file /etc/x is not there"
        spec = spec_of(secrets=["password"])
        await rig.plane.deploy(spec, mode="create")
        await rig.until(lambda: rig.state(spec.key) == "failing")
        assert "/etc/x is not there" in (await rig.plane.status(spec.key)).reason
        with pytest.raises(SecretsLocked):
            await put(rig, b"2")
        await rig.deployed("without")

    play(story)


def test_all_secrets_of_one_function_are_bounded(play: Play) -> None:
    async def story(rig: Rig) -> None:
        names = [f"s{number}" for number in range(MAX_FUNCTION_BYTES // MAX_SECRET_BYTES + 1)]
        for name in names:
            await put(rig, b"x" * MAX_SECRET_BYTES, name)
        spec = spec_of(secrets=names)
        await rig.plane.deploy(spec, mode="create")
        await rig.until(lambda: rig.state(spec.key) == "failing")
        assert f"more than the {MAX_FUNCTION_BYTES}" in (await rig.plane.status(spec.key)).reason

    play(story)


def test_replicas_that_hold_an_old_content_are_found_and_replaced_after_a_restart(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await put(rig, b"old")
        key = await rig.deployed(secrets=["password"])
        await rig.plane.stop()
        await rig.secrets.put(DEFAULT_NAMESPACE, "password", b"new", mode="update", unix_ms=1)  # a life that was killed
        rig.plane = rig.new_plane()
        await rig.plane.start()
        await rig.until(lambda: b"new" in contents(rig, key))
        for _ in range(10):
            rig.clock.advance(0.5)
            await rig.rounds(10)
        assert contents(rig, key) == [b"new"]

    play(story)


@pytest.mark.parametrize("removed", [False, True])
def test_replicas_that_hold_what_is_current_or_was_removed_are_adopted(play: Play, removed: bool) -> None:
    async def story(rig: Rig) -> None:
        await put(rig, b"1")
        key = await rig.deployed(secrets=["password"])
        before = rig.running(key)
        if removed:
            await rig.plane.secrets.remove(DEFAULT_NAMESPACE, "password", force=True)
        await rig.restart()
        await rig.rounds()
        rig.clock.advance(5)
        await rig.rounds()
        assert rig.running(key) == before
        assert rig.state(key) == "ready"

    play(story)


def test_one_that_was_removed_and_created_anew_is_another(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await put(rig, b"old")
        key = await rig.deployed(secrets=["password"])
        await rig.plane.secrets.remove(DEFAULT_NAMESPACE, "password", force=True)
        await put(rig, b"new")
        await rig.until(lambda: b"new" in contents(rig, key))

    play(story)


def test_a_change_is_carried_through_when_whoever_asked_for_it_has_gone(play: Play) -> None:
    async def story(rig: Rig) -> None:
        asked = asyncio.create_task(put(rig, b"1"))
        await asyncio.sleep(0)
        asked.cancel()
        await rig.until(lambda: rig.plane.secrets.in_namespace(DEFAULT_NAMESPACE))

    play(story)


def test_what_a_lifecycle_knows_of_a_start_holds_no_content(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await put(rig, CANARY)
        key = await rig.deployed(secrets=["password"])
        machine = rig.plane._reconciler.machine(key)
        assert CANARY.decode() not in repr([machine._story, list(machine.replicas), rig.provider.started])

    play(story)


def test_a_namespace_with_secrets_in_it_goes_by_force_and_takes_them_with_it(play: Play) -> None:
    async def story(rig: Rig) -> None:
        with pytest.raises(NotFound, match="no namespace others"):
            await put(rig, b"1", namespace=OTHERS)
        await rig.plane.namespaces.create(OTHERS, NamespaceChange())
        await put(rig, b"ours")
        await put(rig, b"theirs", namespace=OTHERS)
        with pytest.raises(Conflict, match=r"it holds 1 secrets \(password\)"):
            await rig.plane.namespaces.remove(OTHERS)
        await rig.plane.namespaces.remove(OTHERS, force=True)
        assert [secret.namespace for secret in await rig.secrets.all()] == [DEFAULT_NAMESPACE]
        await rig.plane.namespaces.create(OTHERS, NamespaceChange())
        assert rig.plane.secrets.in_namespace(OTHERS) == []

    play(story)


@pytest.mark.parametrize("force", [False, True])
def test_a_secret_and_the_removal_of_its_namespace_do_not_cross(play: Play, force: bool) -> None:
    async def story(rig: Rig) -> None:
        await rig.plane.namespaces.create(OTHERS, NamespaceChange())
        writing = asyncio.ensure_future(put(rig, b"theirs", namespace=OTHERS))
        removing = asyncio.ensure_future(rig.plane.namespaces.remove(OTHERS, force=force))
        await asyncio.wait([writing, removing])
        there = OTHERS in rig.plane.namespaces.names()
        assert there or await rig.secrets.all() == [], "no secret is left without its namespace"

    play(story)
