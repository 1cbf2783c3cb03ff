"""Routes, triggers, flows and tenants that kubectl writes: taken over while it runs, and told of in their status."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.control.conftest import make_spec
from tests.unit.server.cluster.stage import HOST, OTHER, TEAM, TO_HELLO, Play, Stage

from dayfly.model.budget import BudgetSpec, Counts
from dayfly.model.errors import NotFound
from dayfly.model.namespace import NamespaceChange
from dayfly.model.route import HostGrant, RouteSpec, Target
from dayfly.model.token import Token
from dayfly.model.trigger import TriggerStanding
from dayfly.server.cluster.opening import Opening
from dayfly.server.cluster.telling import telling_troubles
from dayfly.server.cluster.watched import trouble_of


def test_a_route_is_what_its_object_says_while_that_may_be(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.apply("routes", "shop", path="/a", **TO_HELLO)
        await stage.rig.until(lambda: "not granted the host shop.example" in stage.said("routes", "shop", "Accepted"))
        assert "dayfly route grant" in stage.said("routes", "shop", "Ready")
        assert stage.routes() == {}
        await stage.plane.routes.grant(HostGrant(host=HOST, namespace=TEAM))
        await stage.rig.until(lambda: stage.said("routes", "shop", "Accepted") == "True")
        await stage.rig.until(lambda: "there is no function hello" in stage.said("routes", "shop", "Ready"))
        await stage.deployed()
        await stage.rig.until(lambda: stage.said("routes", "shop", "Ready") == "True")
        gateway = await stage.rig.gateway()
        stage.apply("routes", "shop", path="/b")
        await stage.rig.until(lambda: gateway.routes["shop.team"].path == "/b")
        stage.apply("routes", "shop", path="nowhere")
        await stage.rig.until(lambda: not gateway.routes)
        await stage.rig.until(lambda: stage.said("routes", "shop", "Ready").startswith("False: path"))
        stage.apply("routes", "shop", path="/c")
        await stage.rig.until(lambda: "shop.team" in gateway.routes)
        stage.delete("routes", "shop")
        await stage.rig.until(lambda: not gateway.routes)

    play(story)


def test_what_comes_over_http_is_taken_over_at_once_and_stays(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deployed()
        spec = RouteSpec(name="shop", namespace=TEAM, host=HOST, path="/a", targets=(Target(function="hello"),))
        await stage.plane.routes.put(spec, everywhere=True)
        assert stage.said("routes", "shop", "Accepted") == "True"
        stage.apply("routes", "marker", path="/m", **TO_HELLO)
        await stage.rig.until(lambda: stage.said("routes", "marker", "Accepted") == "True")
        assert stage.routes() == {"shop.team": "/a", "marker.team": "/m"}
        assert {route.spec.name for route in await stage.stores.routes.all()} == {"shop", "marker"}
        stage.apply("routes", "shop", "other", path="/a", **TO_HELLO)
        await stage.rig.until(lambda: "not granted" in stage.said("routes", "shop", "Accepted", "other"))
        assert {str(route.spec.namespace) for route in await stage.stores.routes.all()} == {"team"}
        assert "other" in stage.plane.namespaces.names()

    play(story)


def test_triggers_and_flows_come_change_and_go(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.triggers.standing = lambda _key: TriggerStanding(state="running")
        stage.apply("triggers", "tick", function="hello", source={"kind": "cron", "schedule": "* * * * *"})
        stage.apply("flows", "two", steps=[{"name": "one", "do": "call", "function": "hello"}])
        await stage.rig.until(lambda: stage.said("triggers", "tick", "Ready") == "True")
        await stage.rig.until(lambda: stage.said("flows", "two", "Ready") == "True")
        assert stage.triggers.get(TEAM, "tick").spec.paused is False
        stage.apply("triggers", "tick", paused=True)
        await stage.rig.until(lambda: stage.triggers.get(TEAM, "tick").spec.paused)
        stage.apply("triggers", "tick", source={"schedule": "sometimes"})
        await stage.rig.until(lambda: "sometimes" in stage.said("triggers", "tick", "Accepted"))
        assert stage.triggers.all() == []
        stage.apply("flows", "two", steps=[{"name": "one", "do": "call", "function": "No Name"}])
        await stage.rig.until(lambda: stage.said("flows", "two", "Accepted").startswith("False: "))
        assert not stage.flows.has((TEAM, "two"))
        stage.delete("flows", "two")
        stage.delete("triggers", "tick")

    play(story)


def test_a_trigger_that_reads_from_inside_is_refused(play: Play) -> None:
    async def story(stage: Stage) -> None:
        source = {"kind": "nats", "url": "nats://169.254.169.254:4222", "subject": "x"}
        stage.apply("triggers", "spy", function="hello", source=source)
        await stage.rig.until(lambda: stage.said("triggers", "spy", "Accepted").startswith("False: "))
        assert stage.triggers.all() == []

    play(story)


def test_a_tenant_bounds_its_namespace_at_once(play: Play) -> None:
    async def story(stage: Stage) -> None:
        known = stage.plane.namespaces
        stage.apply("tenants", "team", quota={"functions": 3}, annotations={"com.dayfly.budget.calls": "10/day"})
        await stage.rig.until(lambda: "team" in known.names())
        assert known.get(TEAM).quota.functions == 3
        assert known.annotations()[TEAM] == {"com.dayfly.budget.calls": "10/day"}
        stage.apply("tenants", "team", quota={"memory": "much"})
        await stage.rig.until(lambda: "much" in stage.said("tenants", "team", "Ready"))
        assert known.get(TEAM).quota.functions == 3
        stage.apply("tenants", "team", quota={"memory": None, "functions": 5})
        await stage.rig.until(lambda: known.get(TEAM).quota.functions == 5)
        stage.apply("tenants", "misplaced", "team")
        await stage.rig.until(lambda: "named as the namespace" in stage.said("tenants", "misplaced", "Ready"))
        key = await stage.deployed()
        stage.delete("tenants", "team")
        await stage.rig.until(lambda: known.get(TEAM).quota.functions is None)
        token = Token(id="t" * 12, namespace=TEAM, role="deploy", note="", created_unix_ms=1, hash=b"x")
        await stage.stores.tenancy.put_token(token)
        await stage.plane.remove(key)
        await stage.rig.until(lambda: "team" not in known.names())
        await stage.rig.until(lambda: stage.double.objects("secrets") == [])
        with pytest.raises(NotFound):
            await stage.plane.deploy(make_spec("hello", namespace="team"), mode="upsert")

    play(story)


def test_a_tenant_that_was_written_before_says_what_an_opened_namespace_may_use(play: Play) -> None:
    async def story(stage: Stage) -> None:
        opening = Opening(stage.plane.namespaces, stage.stores.tenancy)
        stage.apply("tenants", "other", "other", quota={"functions": 1})
        await opening.open(OTHER)
        assert stage.plane.namespaces.get(OTHER).quota.functions == 1
        await opening.open_all([OTHER, TEAM])
        assert stage.double.object("tenants", "team", "team") is not None
        await stage.plane.namespaces.update(TEAM, NamespaceChange())

    play(story)


def test_a_budget_by_kubectl_bounds_at_once_and_tells_how_far_it_is_used(play: Play) -> None:
    async def story(stage: Stage) -> None:
        def status() -> Any:
            return (stage.double.object("budgets", "team", "trial") or {}).get("status", {})

        stage.apply("budgets", "trial", function="hello", calls={"day": 4})
        await stage.rig.until(lambda: "there is no function hello" in stage.said("budgets", "trial", "Ready"))
        gateway = await stage.rig.gateway()
        await stage.deployed()
        await stage.rig.until(lambda: (found := gateway.table["hello.team"].allowed) and found.calls_left == 4)
        await stage.rig.until(lambda: stage.said("budgets", "trial", "Ready") == "True")
        assert stage.said("budgets", "trial", "UsedUp") == "False"
        gateway.report("hello.team", finished=3)
        await stage.rig.until(lambda: status().get("state") == "over 75 %")
        told = status()
        assert (told["tightest"], told["used"], told["left"], told["percent"]) == ("calls=4/day", "3", "1", 75)
        assert told["allowances"][0]["renews"] == told["renews"]
        stage.apply("budgets", "trial", calls={"day": 3})
        await stage.rig.until(lambda: stage.said("budgets", "trial", "UsedUp").startswith("True: calls=3/day is used"))
        assert status()["percent"] == 100
        await stage.rig.until(lambda: (found := gateway.table["hello.team"].allowed) and not found.is_open)
        # A namespace's own, and one over HTTP: the same objects.
        stage.apply("budgets", "all", cpu_seconds={"month": 10})
        await stage.rig.until(lambda: len(stage.plane.spending.budgets(TEAM)) == 1)
        spec = BudgetSpec(name="spoken", namespace=TEAM, function="hello", calls=Counts(month=9))
        await stage.plane.budgets.put(spec)
        made = stage.double.object("budgets", "team", "spoken")
        assert made is not None
        assert made["spec"] == {"function": "hello", "calls": {"month": 9}}
        assert stage.said("budgets", "spoken", "Accepted") == "True"
        for name in ("trial", "spoken", "all"):
            stage.delete("budgets", name)
        await stage.rig.until(lambda: gateway.table["hello.team"].allowed is None)

    play(story)


def test_a_budget_that_is_made_anew_is_told_of_anew(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.apply("budgets", "trial", calls={"day": 4})
        await stage.rig.until(lambda: stage.said("budgets", "trial", "Ready") == "True")
        stage.delete("budgets", "trial")
        stage.apply("budgets", "trial", calls={"day": 4})
        await stage.rig.until(lambda: stage.said("budgets", "trial", "Ready") == "True")

    play(story)


def test_what_went_while_nobody_looked_is_gone_and_an_api_that_is_away_is_waited_for(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.apply("flows", "two", steps=[{"name": "one", "do": "call", "function": "hello"}])
        await stage.rig.until(lambda: stage.flows.has((TEAM, "two")))
        stage.double.away = True
        stage.delete("flows", "two")
        stage.apply("flows", "three", steps=[{"name": "one", "do": "call", "function": "hello"}])
        stage.double.away = False
        await stage.rig.until(lambda: stage.flows.has((TEAM, "three")) and not stage.flows.has((TEAM, "two")))
        stage.double.fail(503, method="GET", path="/flows/", times=2)
        stage.apply("flows", "four", steps=[{"name": "one", "do": "call", "function": "hello"}])
        await stage.rig.until(lambda: stage.flows.has((TEAM, "four")))

    play(story)


def test_what_is_another_object_by_the_time_it_is_told_is_told_again() -> None:
    told = []

    async def tell(_namespace: str, name: str, _trouble: str) -> None:
        told.append(name)
        if len(told) == 1:
            telling.forget((TEAM, "a"))

    telling = telling_troubles(tell, lambda: {(TEAM, "a"): ""})

    async def main() -> None:
        for _ in range(3):
            await telling._tell_all()

    asyncio.run(main())
    assert told == ["a", "a"]


def test_what_keeps_a_trigger_from_working_is_told() -> None:
    assert trouble_of(TriggerStanding(state="running", trouble="an old one")) == ""
    assert trouble_of(TriggerStanding(state="failing", trouble="no broker")) == "no broker"
    assert trouble_of(TriggerStanding()) == "it is connecting"
