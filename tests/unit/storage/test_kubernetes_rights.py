"""The rights that an installation gives its control plane are those that the stores need, and no others are needed."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lightkube.config.kubeconfig import KubeConfig
from tests.cluster.access import Deed
from tests.cluster.rights import KINDS, grant, unused, used
from tests.cluster.server import Double
from tests.unit.server.cluster.stage import TO_HELLO, staged

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import POD
from dayfly.cluster.refusals import NotAllowed
from dayfly.cluster.schema import crds
from dayfly.model.budget import Budget
from dayfly.model.builder import BuiltImage
from dayfly.model.errors import Forbidden, InvalidSpec
from dayfly.model.flow import Flow
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import BundleDigest, NamespaceName, parse_function_key
from dayfly.model.namespace import Namespace
from dayfly.model.route import HostGrant, Route
from dayfly.model.token import Token
from dayfly.model.trigger import Trigger
from dayfly.server.cluster import versions
from dayfly.server.cluster.install import permissions
from dayfly.server.cluster.install.permissions import Rule
from dayfly.server.cluster.names import LEASE
from dayfly.storage.kubernetes import function_objects
from dayfly.storage.kubernetes.functions import LEFTOVER_S, KubernetesStore
from dayfly.storage.kubernetes.lease import Lease
from dayfly.storage.kubernetes.secrets import KubernetesSecrets
from dayfly.storage.kubernetes.tenancy import KubernetesTenancy
from dayfly.storage.kubernetes.things import KubernetesRoutes, KubernetesTriggers, budgets_in, flows_in
from dayfly.storage.kubernetes.wishes import Wishes

HOME, SPACES = "dayfly", ("openfaas-fn", "team")
TEAM = NamespaceName("team")
DIGEST = BundleDigest("sha256:" + "a" * 64)


def installed(double: Double, bounds: tuple[str, ...] = ()) -> str:
    """Give the control plane its rights; return its token."""
    double.define(crds())
    double.namespaces(HOME, *SPACES, "foreign")
    return grant(double, HOME, () if bounds else SPACES, bounds)


def run(story: Callable[[Connection, Double], Awaitable[None]], namespaces: tuple[str, ...] = ()) -> None:
    async def main(double: Double) -> None:
        config = KubeConfig.from_dict(double.kubeconfig(installed(double, namespaces))).get()
        assert config is not None
        async with Connection(config, namespaces=namespaces) as api:
            await story(api, double)

    with Double() as double:
        asyncio.run(main(double))


def kept(struct: Any, **spec: Any) -> Any:
    fields = {"spec": {"name": "a", "namespace": "team"} | spec, "created_unix_ms": 1, "updated_unix_ms": 1}
    return msgspec.convert(fields, struct)


FOLLOWED: dict[str, dict[str, Any]] = {
    "tenants": {}, "routes": TO_HELLO, "triggers": {"source": {"kind": "event"}}, "budgets": {"calls": {"day": 1}},
    "flows": {"steps": [{"do": "set", "name": "a", "value": "a"}]},
}  # fmt: skip


@pytest.mark.parametrize("bounds", [(), SPACES], ids=["everywhere", "bounded"])
def test_everything_that_is_kept_can_be_kept_read_and_removed_and_takes_every_right_that_is_given(
    bounds: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(api: Connection, double: Double) -> None:
        store, secrets, tenancy = KubernetesStore(api, HOME), KubernetesSecrets(api, HOME), KubernetesTenancy(api, HOME)
        routes, triggers, flows = KubernetesRoutes(api, HOME), KubernetesTriggers(api, HOME), flows_in(api)
        budgets = budgets_in(api)
        key = parse_function_key("hello.team")
        spec = FunctionSpec(name="hello", namespace="team", bundle=DIGEST)
        await store.open()
        await tenancy.put_namespace(Namespace(name=TEAM))
        await tenancy.put_namespace(Namespace(name=TEAM, labels={"a": "b"}))
        for number in (1, 2):
            revision = Revision(number=number, spec=spec, created_unix_ms=1)
            await store.put(Function(key=key, revision=revision, created_unix_ms=1, replicas=number))
        await store.pin(key, 2, "a@b")
        assert await store.pinned(key, 2) == "a@b"
        for _ in range(2):
            await store.save_totals({"hello.team": 1}, ["x"])
        assert await store.totals() == {"hello.team": 1}
        assert [each.key for each in await store.all()] == [key]
        assert (await store.served(key), await store.bundles()) == ({1, 2}, {DIGEST})
        monkeypatch.setattr(function_objects, "KEPT_REVISIONS", 1)
        revision = Revision(number=3, spec=spec, created_unix_ms=1)
        await store.put(Function(key=key, revision=revision, created_unix_ms=1, replicas=1))
        for content in (b"1", b"2"):
            await secrets.put(TEAM, "pass", content, mode="upsert", unix_ms=1)
        assert [each.name for each in await secrets.all()] == ["pass"]
        assert (await secrets.contents(TEAM, ["pass"]))["pass"].data == b"2"
        await secrets.delete(TEAM, "pass")
        token = Token(id="a" * 12, namespace=TEAM, role="deploy", created_unix_ms=1, hash=b"x")
        for _ in range(2):
            await tenancy.put_token(token)
        assert await tenancy.tokens() == [token]
        await tenancy.delete_token(token.id)
        await tenancy.put_token(token)
        await tenancy.claim_bundle(TEAM, DIGEST)
        built = BuiltImage(image="a", bundle=DIGEST, runtime="python", lang="python")
        for number in range(2):
            await tenancy.put_built(TEAM, msgspec.structs.replace(built, built_unix_ms=number))
        for _ in range(2):
            await routes.put(kept(Route, targets=[{"function": "hello"}]))
            await routes.put_grant(HostGrant(host="a.b", namespace=TEAM))
            await triggers.put(kept(Trigger, source={"kind": "event"}))
            await triggers.follow(5)
            await flows.put(kept(Flow, steps=[{"do": "set", "name": "a", "value": "a"}]))
            await budgets.put(kept(Budget, calls={"day": 1}))
        lists = (routes.all, triggers.all, flows.all, budgets.all, routes.grants)
        assert [len(await each()) for each in lists] == [1] * 5
        await routes.delete_grant(HostGrant(host="a.b", namespace=TEAM))
        await routes.delete(TEAM, "a")
        await triggers.delete(TEAM, "a")
        await flows.delete(TEAM, "a")
        await budgets.delete(TEAM, "a")
        await store.delete(key)
        await tenancy.delete_namespace(TEAM)
        assert await tenancy.tokens() == []
        await store.collect(0.0)
        await store.collect(LEFTOVER_S)
        lease = Lease(api, HOME, LEASE, "me")
        assert await lease.contend()
        assert await lease.contend()
        await lease.release()
        if not bounds:
            await tenancy.put_namespace(Namespace(name=NamespaceName("new")))
            await tenancy.delete_namespace(NamespaceName("new"))
        await versions.check(api)
        async with staged(double, tmp_path, double.token(HOME, "control"), bounds) as stage:
            await stage.followed()
            stage.apply("functions", "wished", image="a/b:1")
            for kind, wanted in FOLLOWED.items():
                name = "team" if kind == "tenants" else "b"
                stage.apply(kind, name, **wanted)
                await stage.rig.until(functools.partial(stage.said, kind, name, "Accepted"))
            async with aclosing(Wishes(api).follow()) as wishes:
                wish = await asyncio.wait_for(anext(wishes), 60)
            await Wishes(api).refused(wish, InvalidSpec("no"))
        used_here = used(double, HOME)
        rules = permissions.with_functions(KINDS) if bounds else permissions.in_the_cluster(KINDS)
        home = [rule for rule in permissions.in_our_namespace() if rule.resources[0] not in ("pods", "pods/log")]
        # What has to do with pods and nodes the provider does: tests/contract/provider/test_kubernetes_rights.py.
        assert unused([each for each in rules if each.resources != ("nodes",)], used_here) == set()
        assert unused(home, used_here, HOME) == set()

    run(story, bounds)


@pytest.mark.parametrize(("verb", "group", "resource"), [("watch", "", "secrets"), ("get", "apps", "deployments")])
def test_a_right_that_nothing_uses_is_found(verb: str, group: str, resource: str) -> None:
    rule = Rule(group=group, resources=(resource,), verbs=("list", verb), why="")
    deeds = {Deed("list", group, resource, HOME), Deed(verb, group, resource, "other"), Deed(verb, "x", resource, HOME)}
    assert unused([rule], deeds, HOME) == {f"{verb} {resource}"}
    named = Rule(group=group, resources=(resource,), verbs=("list",), why="", names=("a",))
    assert unused([named], {Deed("list", group, resource, HOME, "b")}) == {f"list {resource}"}


def test_wishes_come_from_all_namespaces_that_are_dayflys_and_no_other() -> None:
    async def story(api: Connection, double: Double) -> None:
        for space in ("foreign", *SPACES):
            double.create("functions", space, {"metadata": {"name": "f"}, "spec": {"image": "a/b:1"}})
        async with aclosing(Wishes(api).follow()) as wishes:
            found = [await asyncio.wait_for(anext(wishes), 60) for _ in SPACES]
        assert sorted(each.key.namespace for each in found) == sorted(SPACES)

    run(story, SPACES)


def test_a_namespace_that_was_made_goes_again_and_one_that_was_there_stays() -> None:
    async def story(api: Connection, double: Double) -> None:
        tenancy = KubernetesTenancy(api, HOME)
        for name in ("new", "team"):
            await tenancy.put_namespace(Namespace(name=NamespaceName(name)))
            assert double.object("namespaces", "", name)
            await tenancy.delete_namespace(NamespaceName(name))
            assert (double.object("namespaces", "", name) is not None) == (name == "team")

    run(story)


def test_what_was_not_given_is_told_with_what_to_do() -> None:
    async def story(api: Connection, _double: Double) -> None:
        with pytest.raises(Forbidden) as caught:
            await KubernetesTenancy(api, HOME).put_namespace(Namespace(name=NamespaceName("new")))
        assert "functions.namespaces" in caught.value.hint
        with pytest.raises(NotAllowed, match='cannot get resource "pods"'):
            await api.get(POD, "pod", "foreign")

    run(story, SPACES)
