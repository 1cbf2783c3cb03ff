"""Namespaces over HTTP: the native routes, and OpenFaaS's to the letter (its clients decide by status codes)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dayfly.model.namespace import NamespaceChange, Quota

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

NATIVE, OPENFAAS = "/v1/namespaces/team", "/system/namespace/team"
MARKED = {"openfaas": "1"}


def test_openfaas_creates_shows_changes_and_removes(play: Play) -> None:
    async def story(stage: Stage) -> None:
        assert (await stage.ask("GET", OPENFAAS)).status == 404
        asked = {"name": "team", "labels": {**MARKED, "a": "1"}, "annotations": {"openfaas": "1", "b": "2"}}
        created = await stage.ask("POST", "/system/namespace/", data=asked)
        assert (created.status, created.body) == (201, b"")
        again = await stage.ask("POST", "/system/namespace/", data=asked)
        assert (again.status, again.headers["content-type"]) == (409, "text/plain; charset=utf-8")
        assert (await stage.ask("GET", OPENFAAS)).json() == asked
        assert (await stage.ask("GET", "/system/namespaces")).json() == ["openfaas-fn", "team"]
        changed = await stage.ask("PUT", OPENFAAS, data={"name": "team", "labels": {**MARKED, "c": "3"}})
        assert (changed.status, changed.body) == (202, b"")
        assert (await stage.ask("GET", OPENFAAS)).json()["labels"] == {**MARKED, "c": "3"}, "replaced, not merged"
        removed = await stage.ask("DELETE", OPENFAAS, data={"name": "team", "labels": MARKED})
        assert (removed.status, removed.body) == (202, b"")
        for method in ("PUT", "DELETE"):
            assert (await stage.ask(method, OPENFAAS, data={"name": "team", "labels": MARKED})).status == 404

    play(story)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/system/namespace/", {"name": "team"}),
        ("POST", "/system/namespace/", {"name": "team", "labels": {"openfaas": "true"}}),
        ("POST", "/system/namespace/", {"name": "", "labels": MARKED}),
        ("POST", "/system/namespace/", {"labels": MARKED}),
        ("POST", "/system/namespace/", {"name": "A b", "labels": MARKED}),
        ("POST", "/system/namespace/", {"name": "team", "labels": {**MARKED, "a": 1}}),
        ("PUT", "/system/namespace/openfaas-fn", {"name": "team", "labels": MARKED}),
        ("PUT", "/system/namespace/openfaas-fn", {"name": "openfaas-fn", "labels": None}),
        ("DELETE", "/system/namespace/openfaas-fn", {"name": "openfaas-fn", "labels": {}}),
        ("DELETE", "/system/namespace/openfaas-fn", {"name": "other", "labels": MARKED}),
        ("DELETE", "/system/namespace/openfaas-fn", {"name": "openfaas-fn", "labels": MARKED}),
    ],
)
def test_openfaas_refuses_with_400_in_plain_text(play: Play, method: str, path: str, body: dict[str, Any]) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask(method, path, data=body)
        assert (answer.status, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")
        assert stage.namespaces.names() == ["openfaas-fn"]

    play(story)


def test_openfaas_keeps_a_namespace_with_functions_in_it_and_knows_nothing_of_quotas(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.namespaces.create(stage.team, NamespaceChange(quota=Quota(functions=3)))
        await stage.deploy(namespace="team")
        kept = await stage.ask("DELETE", OPENFAAS, data={"name": "team", "labels": MARKED})
        assert (kept.status, b"not empty" in kept.body) == (400, True)
        await stage.ask("PUT", OPENFAAS, data={"name": "team", "labels": MARKED})
        assert stage.namespaces.get(stage.team).quota.functions == 3

    play(story)


def test_functions_of_a_namespace_that_is_not_there(play: Play) -> None:
    async def story(stage: Stage) -> None:
        native = await stage.ask("PUT", NATIVE + "/functions/hello", data={"bundle": stage.bundle})
        assert (native.status, native.json()["code"]) == (404, "not_found")
        assert "dayfly namespace create team" in native.json()["hint"]
        assert (await stage.ask("GET", NATIVE + "/functions")).status == 404
        bundle = await stage.ask("PUT", f"{NATIVE}/bundles/sha256:{'c' * 64}", body=b"x")
        assert (bundle.status, stage.bundles.kept) == (404, {})
        deployment = {"service": "hello", "image": stage.bundle, "namespace": "team"}
        # An update is answered as for any function that is missing, upon which `faas-cli` goes on to create it.
        assert (await stage.ask("PUT", "/system/functions", data=deployment)).status == 404
        created = await stage.ask("POST", "/system/functions", data=deployment)
        assert (created.status, b"there is no namespace team" in created.body) == (400, True)
        assert (await stage.ask("GET", "/system/functions?namespace=team")).status == 400
        assert not stage.plane.changes

    play(story)


def test_the_native_routes(play: Play) -> None:
    async def story(stage: Stage) -> None:
        body = {"labels": {"a": "1"}, "quota": {"functions": 3, "memory": "4Gi"}}
        created = await stage.ask("POST", NATIVE, data=body)
        assert (created.status, created.json()["quota"]) == (201, body["quota"])
        assert (await stage.ask("POST", NATIVE, data=body)).status == 409
        assert (await stage.ask("POST", "/v1/namespaces/bare")).status == 201
        shown = (await stage.ask("GET", NATIVE)).json()
        assert (shown["name"], shown["labels"], shown["used"]["functions"]) == ("team", {"a": "1"}, 0)
        changed = await stage.ask("PUT", NATIVE, data={"annotations": {"b": "2"}})
        assert (changed.status, changed.json()["labels"], changed.json()["quota"]) == (200, {}, {})
        assert (await stage.ask("PUT", "/v1/namespaces/none", data={})).status == 404
        await stage.deploy(namespace="team")
        kept = await stage.ask("DELETE", NATIVE)
        assert (kept.status, "1 functions (hello)" in kept.json()["detail"]) == (409, True)
        assert (await stage.ask("DELETE", NATIVE + "?force=true")).status == 204
        assert not stage.plane.functions
        assert (await stage.ask("DELETE", NATIVE)).status == 404
        assert (await stage.ask("DELETE", "/v1/namespaces/openfaas-fn?force=true")).status == 409

    play(story)


@pytest.mark.parametrize(
    "body",
    [
        {"quota": {"functions": -1}},
        {"quota": {"memory": "lots"}},
        {"quota": {"disk": "1Gi"}},
        {"quota": {"functions": 1.5}},
        {"labels": {"a": 1}},
        {"labels": {"": "x"}},
        {"name": "other"},
        [],
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_is_no_namespace_is_refused_and_changes_nothing(play: Play, method: str, body: Any) -> None:
    async def story(stage: Stage) -> None:
        if method == "PUT":
            await stage.namespaces.create(stage.team, NamespaceChange(quota=Quota(functions=3)))
        assert (await stage.ask(method, NATIVE, data=body)).status == 400
        names = stage.namespaces.names()
        assert names == (["openfaas-fn", "team"] if method == "PUT" else ["openfaas-fn"])
        assert method == "POST" or stage.namespaces.get(stage.team).quota.functions == 3

    play(story)
