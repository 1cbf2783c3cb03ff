"""Routes and granted hosts over the API: what is written comes back, and who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

ROUTES = "/v1/namespaces/openfaas-fn/routes"
SHOP = {"path": "/shop/*", "targets": [{"function": "hello", "weight": 3}], "methods": ["GET"]}


async def bearer(stage: Stage, role: str, namespace: str | None) -> dict[str, str]:
    path = f"/v1/namespaces/{namespace}/tokens" if namespace else "/v1/tokens"
    issued = await stage.ask("POST", path, data={"role": role})
    return {"authorization": f"Bearer {issued.json()['token']}"}


def test_a_route_is_made_looked_at_changed_and_removed(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        made = await stage.ask("PUT", f"{ROUTES}/shop", data=SHOP)
        assert made.status == 201
        assert made.json()["spec"] == {**SHOP, "name": "shop", "namespace": "openfaas-fn"}
        assert (await stage.ask("GET", f"{ROUTES}/shop")).json() == made.json()
        changed = await stage.ask("PUT", f"{ROUTES}/shop", data={**SHOP, "strip": True})
        assert (changed.status, changed.json()["spec"]["strip"]) == (200, True)
        assert (await stage.ask("GET", ROUTES)).json() == [changed.json()]
        assert (await stage.ask("PUT", f"{ROUTES}/shop?mode=create", data=SHOP)).status == 409
        assert (await stage.ask("PUT", f"{ROUTES}/other?mode=update", data=SHOP)).status == 404
        assert (await stage.ask("DELETE", f"{ROUTES}/shop")).status == 204
        assert (await stage.ask("DELETE", f"{ROUTES}/shop")).status == 404
        assert (await stage.ask("GET", f"{ROUTES}/shop")).status == 404
        assert (await stage.ask("GET", ROUTES)).json() == []

    play(story)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("shop", {**SHOP, "path": "/v1/*"}, "platform's own"),
        ("shop", {**SHOP, "targets": [{"function": "nobody"}]}, "no function nobody"),
        ("shop", {**SHOP, "name": "other"}, "names another route"),
        ("shop", {**SHOP, "namespace": "team"}, "names another route"),
        ("Shop", SHOP, "not a route name"),
        ("shop", {**SHOP, "hots": "a.example.org"}, "hots"),
        ("shop", {**SHOP, "host": "A.example.org"}, "not a host"),
        ("shop", {**SHOP, "auth": {"kind": "key", "secret": "nobody"}}, "no secret nobody"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(play: Play, name: str, data: object, says: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        answer = await stage.ask("PUT", f"{ROUTES}/{name}", data=data)
        assert answer.status == 400
        assert says in answer.json()["detail"]
        assert (await stage.ask("GET", ROUTES)).json() == []

    play(story)


def test_nothing_of_a_secret_is_told(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        await stage.secrets.put(stage.namespaces.names()[0], "keys", b"ci:canary-of-the-routes")
        made = await stage.ask("PUT", f"{ROUTES}/shop", data={**SHOP, "auth": {"kind": "key", "secret": "keys"}})
        assert made.status == 201
        assert b"canary" not in made.body + (await stage.ask("GET", ROUTES)).body
        assert (await stage.ask("DELETE", "/v1/namespaces/openfaas-fn/secrets/keys")).status == 409

    play(story)


@pytest.mark.parametrize(
    ("role", "namespace", "statuses"),
    [
        # look, write, remove a route of team; the same in the default namespace; list, grant and revoke hosts
        ("view", "team", (200, 403, 403, 403, 403, 403, 200, 403, 403)),
        ("invoke", "team", (403, 403, 403, 403, 403, 403, 403, 403, 403)),
        ("deploy", "team", (200, 201, 204, 403, 403, 403, 200, 403, 403)),
        ("admin", "team", (200, 201, 204, 403, 403, 403, 200, 403, 403)),
        ("view", None, (200, 403, 403, 200, 403, 403, 200, 403, 403)),
        ("deploy", None, (200, 201, 204, 200, 201, 204, 200, 403, 403)),
        ("admin", None, (200, 201, 204, 200, 201, 204, 200, 200, 204)),
    ],
)
def test_who_may_do_what(play: Play, role: str, namespace: str | None, statuses: tuple[int, ...]) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        await stage.deploy("hello", namespace="team")
        assert (await stage.ask("PUT", "/v1/hosts/t.example.org", data={"namespace": "team"})).status == 200
        headers = await bearer(stage, role, namespace)
        found = []
        for where, host in (("team", "t.example.org"), ("openfaas-fn", "o.example.org")):
            path = f"/v1/namespaces/{where}/routes"
            found.append((await stage.ask("GET", path, headers=headers)).status)
            data = {**SHOP, "host": host}
            found.append((await stage.ask("PUT", f"{path}/shop", headers=headers, data=data)).status)
            found.append((await stage.ask("DELETE", f"{path}/shop", headers=headers)).status)
        found.append((await stage.ask("GET", "/v1/hosts", headers=headers)).status)
        found.append((await stage.ask("PUT", "/v1/hosts/*", headers=headers, data={"namespace": "team"})).status)
        found.append((await stage.ask("DELETE", "/v1/hosts/*?namespace=team", headers=headers)).status)
        assert tuple(found) == statuses

    play(story)


def test_a_tenant_sees_its_own_hosts_and_gets_no_other(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("hello", namespace="team")
        await stage.deploy()
        for host, namespace in (("t.example.org", "team"), ("%2A.o.org", "openfaas-fn"), ("%2A", "openfaas-fn")):
            assert (await stage.ask("PUT", f"/v1/hosts/{host}", data={"namespace": namespace})).status == 200
        headers = await bearer(stage, "deploy", "team")
        assert (await stage.ask("GET", "/v1/hosts", headers=headers)).json() == [
            {"host": "t.example.org", "namespace": "team"}
        ]
        assert [each["host"] for each in (await stage.ask("GET", "/v1/hosts")).json()] == [
            "",
            "*.o.org",
            "t.example.org",
        ]
        for host in ("", "x.example.org", "a.o.org"):
            data = {**SHOP, "host": host}
            answer = await stage.ask("PUT", "/v1/namespaces/team/routes/shop", headers=headers, data=data)
            assert (answer.status, answer.json()["code"]) == (403, "forbidden")
            assert "dayfly route grant" in answer.json()["hint"]
        for host in ("localhost", "127.0.0.1", "a.example.org%3A80", "*.*.org"):
            assert (await stage.ask("PUT", f"/v1/hosts/{host}", data={"namespace": "team"})).status == 400
        assert (await stage.ask("PUT", "/v1/hosts/a.org", data={"namespace": "nowhere"})).status == 404
        assert (await stage.ask("DELETE", "/v1/hosts/a.org?namespace=team")).status == 404

    play(story)
