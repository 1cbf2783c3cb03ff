"""What every store of routes does. The one in memory says it by example; every other one must equal it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.contract.storage.stage import Play, player

from dayfly.model.errors import NotFound
from dayfly.model.names import NamespaceName, parse_namespace
from dayfly.model.route import HostGrant, Route, RouteSpec
from dayfly.storage.kubernetes.things import KubernetesRoutes
from dayfly.storage.memory_routes import MemoryRoutes
from dayfly.storage.sqlite_routes import SqliteRoutes

if TYPE_CHECKING:
    from dayfly.storage.routes import RouteStore

ANT, BEE = parse_namespace("ant"), parse_namespace("bee")
FULL: dict[str, Any] = {
    "host": "*.example.org", "path": "/größe/*", "strip": True, "methods": ["GET", "PUT"], "max_body": "1Mi",
    "targets": [{"function": "blue", "weight": 90}, {"function": "green", "weight": 0}],
    "auth": {
        "kind": "jwt", "issuer": "https://i/", "audience": ["a", "b"], "algorithms": ["ES256"], "leeway": "5s",
        "jwks": {"keys": [{"kty": "EC", "x": "ü"}]},
    },
    "cors": {"origins": ["https://a.example"], "headers": ["X-A"], "credentials": True, "max_age": "1h"},
    "rate": {"calls": 5, "window": "10s", "by": "caller"},
}  # fmt: skip


play = player(MemoryRoutes, SqliteRoutes, lambda api: KubernetesRoutes(api, "dayfly"))


def route(name: str = "shop", namespace: NamespaceName = ANT, updated: int = 2, **fields: Any) -> Route:
    spec = {"name": name, "namespace": namespace, "targets": [{"function": "shop"}], **fields}
    return Route(spec=msgspec.convert(spec, RouteSpec), created_unix_ms=1, updated_unix_ms=updated)


@pytest.mark.parametrize(
    "auth",
    [
        None, FULL["auth"], {"kind": "key", "secret": "keys", "header": "X-Key"}, {"kind": "basic", "secret": "logins"},
        {"kind": "hmac", "secret": "hook", "scheme": "stripe", "window": "1m", "max_body": "2Mi"},
    ],
)  # fmt: skip
def test_every_part_of_a_route_comes_back(play: Play, auth: object) -> None:
    async def story(store: RouteStore) -> None:
        full = route(**{**FULL, "auth": auth})
        await store.put(full)
        assert await store.all() == [full]

    play(story)


def test_a_host_is_granted_to_several_and_taken_back_from_one(play: Play) -> None:
    async def story(store: RouteStore) -> None:
        grants = [HostGrant(host=host, namespace=name) for host in ("", "*.x.org", "a.x.org") for name in (ANT, BEE)]
        for grant in reversed(grants):
            await store.put_grant(grant)
        await store.put_grant(grants[0])
        assert await store.grants() == grants
        await store.delete_grant(grants[2])
        with pytest.raises(NotFound):
            await store.delete_grant(grants[2])
        assert await store.grants() == [grant for grant in grants if grant is not grants[2]]

    play(story)
