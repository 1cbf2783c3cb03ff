"""Routes in the control plane: what is refused, what gateways hear, and that whatever goes wrong closes a route."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.model.errors import Conflict, Forbidden, InvalidSpec, NotFound, SecretsLocked, StoreUnavailable
from dayfly.model.names import DEFAULT_NAMESPACE, NamespaceName
from dayfly.model.namespace import NamespaceChange
from dayfly.model.route import HostGrant, RouteSpec

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig

KEY = b"a-key-that-nobody-guesses"
KEYED = {"kind": "key", "secret": "keys"}
BEE = NamespaceName("bee")


def spec_of(name: str = "shop", **fields: object) -> RouteSpec:
    return msgspec.convert({"name": name, "targets": [{"function": "hello"}], **fields}, RouteSpec)


async def put(rig: Rig, name: str = "shop", *, everywhere: bool = True, **fields: object) -> str:
    _, done = await rig.plane.routes.put(spec_of(name, **fields), everywhere=everywhere)
    return done


def test_a_change_is_in_every_gateway_and_in_those_that_come_later(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        one, two = await rig.gateway("gw0"), await rig.gateway("gw1")
        assert await put(rig, path="/a/*", methods=["GET"], strip=True) == "created"
        await rig.until(lambda: "shop.openfaas-fn" in one.routes and "shop.openfaas-fn" in two.routes)
        entry = one.routes["shop.openfaas-fn"]
        assert (entry.path, entry.methods, entry.strip) == ("/a/*", ("GET",), True)
        assert entry.targets == (("hello.openfaas-fn", 1),)
        assert await put(rig, path="/b") == "updated"
        await rig.until(lambda: one.routes["shop.openfaas-fn"].path == "/b")
        late = await rig.gateway("gw2")
        assert late.routes["shop.openfaas-fn"].path == "/b"
        await rig.plane.routes.remove(DEFAULT_NAMESPACE, "shop")
        await rig.until(lambda: not (one.routes or two.routes or late.routes))
        with pytest.raises(NotFound):
            await rig.plane.routes.remove(DEFAULT_NAMESPACE, "shop")

    play(story)


def test_routes_outlive_the_control_plane(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        await rig.plane.secrets.put(DEFAULT_NAMESPACE, "keys", KEY)
        await put(rig, auth=KEYED)
        await rig.plane.routes.grant(HostGrant(host="a.example", namespace=DEFAULT_NAMESPACE))
        before = (
            rig.plane.routes.entries(),
            rig.plane.routes.granted(),
            rig.plane.routes.in_namespace(DEFAULT_NAMESPACE),
        )
        await rig.restart()
        routes = rig.plane.routes
        assert (routes.entries(), routes.granted(), routes.in_namespace(DEFAULT_NAMESPACE)) == before

    play(story)


def test_what_is_refused_leaves_nothing(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        routes = rig.plane.routes
        await put(rig, "there", path="/there")
        gateway = await rig.gateway()
        for error, fields in (
            (InvalidSpec, {"targets": [{"function": "nobody"}]}), (InvalidSpec, {"path": "/system/*"}),
            (InvalidSpec, {"auth": KEYED}), (Conflict, {"path": "/there"}), (NotFound, {"namespace": "nowhere"}),
        ):  # fmt: skip
            with pytest.raises(error):
                await routes.put(spec_of(**fields), everywhere=True)
        with pytest.raises(Conflict) as caught:
            await routes.put(spec_of("there"), mode="create", everywhere=True)
        assert "--name" in caught.value.hint
        with pytest.raises(NotFound):
            await routes.put(spec_of(), mode="update", everywhere=True)
        rig.store.broken = "the disk is gone"
        with pytest.raises(StoreUnavailable):
            await put(rig)
        rig.store.broken = ""
        await rig.rounds()
        assert list(gateway.routes) == ["there.openfaas-fn"]
        assert [each.spec.name for each in routes.in_namespace(DEFAULT_NAMESPACE)] == ["there"]

    play(story)


def test_a_tenant_has_the_hosts_that_it_was_granted_and_no_other(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        await rig.deployed("hello", namespace="bee")
        routes = rig.plane.routes
        await put(rig, host="a.example.org")
        for host in ("a.example.org", "b.example.org", ""):
            with pytest.raises(Forbidden, match="was not granted"):
                await put(rig, namespace="bee", host=host, path="/x", everywhere=False)
        with pytest.raises(Conflict, match="another namespace's"):
            await put(rig, namespace="bee", host="a.example.org", path="/x")
        await routes.grant(HostGrant(host="*.example.org", namespace=BEE))
        for host in ("a.example.org", "b.example.org"):
            await put(rig, host[0], namespace="bee", host=host, path="/x", everywhere=False)
        with pytest.raises(Conflict, match="another namespace's route"):
            await put(rig, "c", namespace="bee", host="a.example.org", everywhere=False)
        await routes.revoke(HostGrant(host="*.example.org", namespace=BEE))
        with pytest.raises(NotFound):
            await routes.revoke(HostGrant(host="*.example.org", namespace=BEE))
        with pytest.raises(NotFound):
            await routes.grant(HostGrant(host="a.example.org", namespace=NamespaceName("nowhere")))
        with pytest.raises(Forbidden):
            await put(rig, "d", namespace="bee", host="d.example.org", everywhere=False)
        with pytest.raises(Forbidden) as caught:
            await put(rig, "e", namespace="bee", host="", path="/x", everywhere=False)
        assert "grant '*' --namespace bee" in caught.value.hint  # as a shell takes it

    play(story)


def test_a_namespace_with_routes_is_kept_and_with_force_they_go_with_its_hosts(play: Play) -> None:
    async def story(rig: Rig) -> None:
        key = await rig.deployed("hello", namespace="bee")
        gateway = await rig.gateway()
        await put(rig, namespace="bee")
        await rig.plane.routes.grant(HostGrant(host="b.example.org", namespace=BEE))
        await rig.plane.remove(key)
        with pytest.raises(Conflict, match="1 routes"):
            await rig.plane.namespaces.remove(BEE)
        await rig.plane.namespaces.remove(BEE, force=True)
        assert (rig.plane.routes.entries(), rig.plane.routes.granted()) == ((), [])
        await rig.until(lambda: not gateway.routes)

    play(story)


def test_a_secret_that_changes_is_in_every_gateway_and_none_of_it_is_shown(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        gateway = await rig.gateway()
        await rig.plane.secrets.put(DEFAULT_NAMESPACE, "keys", b"ci:" + KEY + b"\n\n" + KEY[::-1])
        await put(rig, auth=KEYED)
        await rig.until(lambda: gateway.routes)
        auth = gateway.routes["shop.openfaas-fn"].auth
        assert auth is not None
        assert [key.name for key in auth.keys] == ["ci", ""]
        said = repr(rig.plane.routes.in_namespace(DEFAULT_NAMESPACE)) + repr(rig.plane.routes.entries())
        assert KEY.decode() not in said
        assert repr(auth.keys[0].digest) not in said
        await rig.plane.secrets.put(DEFAULT_NAMESPACE, "keys", KEY + KEY)
        await rig.until(lambda: gateway.routes["shop.openfaas-fn"].auth != auth)

    play(story)


def test_a_route_without_its_secret_is_closed_until_it_is_back(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        gateway = await rig.gateway()
        await rig.plane.secrets.put(DEFAULT_NAMESPACE, "keys", KEY)
        await put(rig, auth=KEYED)
        await put(rig, "open", path="/open")

        def trouble() -> str:
            return rig.plane.routes.get(DEFAULT_NAMESPACE, "shop").trouble

        with pytest.raises(Conflict, match="is used by the route shop"):
            await rig.plane.secrets.remove(DEFAULT_NAMESPACE, "keys", force=False)
        assert trouble() == ""
        for content in (b"short", b"\xff" * 20, b"blank in the middle of it"):
            await rig.plane.secrets.put(DEFAULT_NAMESPACE, "keys", content)
            await rig.until(trouble)
            entry = rig.plane.routes.entries()[0]
            assert entry.auth is None
            await rig.plane.secrets.put(DEFAULT_NAMESPACE, "keys", KEY)
            await rig.until(lambda: not trouble())
        await rig.plane.secrets.remove(DEFAULT_NAMESPACE, "keys", force=True)
        await rig.until(lambda: gateway.routes["shop.openfaas-fn"].trouble)
        assert "there is no secret keys" in trouble()
        await rig.restart()
        assert "there is no secret keys" in trouble()
        assert not rig.plane.routes.get(DEFAULT_NAMESPACE, "open").trouble

    play(story)


def test_secrets_that_cannot_be_read_at_the_start_close_their_routes_and_nothing_else(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        await rig.plane.secrets.put(DEFAULT_NAMESPACE, "keys", KEY)
        await put(rig, auth=KEYED)
        await put(rig, "open", path="/open")

        async def locked(*_: object) -> dict[str, object]:
            raise SecretsLocked("the key is not there")

        rig.secrets.contents = locked  # type: ignore[method-assign, assignment] # it is locked from now on
        await rig.restart()
        found = {entry.name: entry.trouble for entry in rig.plane.routes.entries()}
        assert "the key is not there" in found.pop("shop")
        assert found == {"open": ""}

    play(story)


def test_a_function_that_is_gone_is_told(play: Play) -> None:
    async def story(rig: Rig) -> None:
        key = await rig.deployed()
        await put(rig)
        await rig.plane.namespaces.create(BEE, NamespaceChange())
        await rig.plane.remove(key)
        assert rig.plane.routes.get(DEFAULT_NAMESPACE, "shop").trouble == "there is no function hello"

    play(story)
