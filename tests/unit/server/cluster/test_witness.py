"""What others change in the cluster is in the audit log: once, with what differs, and over restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.server import Double
from tests.unit.control.conftest import rounds
from tests.unit.server.cluster.stage import (
    HOST,
    KUBECTL,
    TEAM,
    TO_HELLO,
    Play,
    Stage,
    apply,
    delete,
    staged,
)

from dayfly.cluster.kinds import FUNCTION
from dayfly.model.audit import KUBERNETES, AuditEntry, AuditQuery
from dayfly.model.budget import BudgetSpec, Counts
from dayfly.model.errors import StoreUnavailable
from dayfly.model.names import FunctionKey, FunctionName
from dayfly.model.namespace import NamespaceChange, Quota
from dayfly.model.route import HostGrant, RouteSpec, Target
from dayfly.server.background import Background
from dayfly.server.cluster.archives import Archives
from dayfly.server.cluster.opening import Opening
from dayfly.server.cluster.wishing import Wishing
from dayfly.server.cluster.witness import FunctionWitness
from dayfly.storage.kubernetes import seen
from dayfly.storage.kubernetes.seen import SeenObjects, author_of
from dayfly.storage.kubernetes.wishes import Wishes

HELLO = FunctionKey(TEAM, FunctionName("hello"))
MARKS = [("budget.put", "mark", 200), ("namespace.put", "", 200), ("route.put", "mark", 403)]
"""What `at_rest` leaves."""
SOURCE = {"handler.py": "def handle(event, context):\n    return 'hi'\n"}


async def entries(stage: Stage) -> list[AuditEntry]:
    """Return what is in the log, the oldest first."""
    return (await stage.log.find(AuditQuery()))[::-1]


async def actions(stage: Stage) -> list[tuple[str, str, int]]:
    return [(each.action, each.target, each.status) for each in await entries(stage)]


async def comes(stage: Stage, count: int) -> list[AuditEntry]:
    """Wait for so many entries, and return them."""
    async with asyncio.timeout(60):
        while len(found := await entries(stage)) < count:
            await rounds(1)
    return found


def changed(entry: AuditEntry) -> dict[str, tuple[Any, Any]]:
    return {each.path: (each.before, each.after) for each in entry.changes}


async def at_rest(stage: Stage, mark: str) -> None:
    """Have one more thing of each kind that tests use be taken over: whatever came before it is, too."""
    stage.apply("budgets", mark, calls={"day": 1})
    stage.apply("routes", mark, path=f"/{mark}", targets=[{"function": "hello"}])
    stage.apply("tenants", "other", "other", labels={mark: "x"})
    for plural, name, namespace in (("budgets", mark, "team"), ("routes", mark, "team"), ("tenants", "other", "other")):
        await stage.rig.until(lambda: stage.said(plural, name, "Accepted", namespace))  # noqa: B023 - now


def test_a_change_by_kubectl_is_told_with_what_differs_and_which_program_wrote_it(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.followed()
        await stage.plane.namespaces.create(TEAM, NamespaceChange())
        await stage.plane.routes.grant(HostGrant(host=HOST, namespace=TEAM))
        stage.apply("routes", "shop", path="/a", **TO_HELLO)
        (made,) = await comes(stage, 1)
        assert (made.who, made.action, made.namespace, made.target, made.status) == (
            KUBERNETES, "route.put", "team", "shop", 200,
        )  # fmt: skip
        assert made.address.startswith(f"{KUBECTL} at 20")
        assert changed(made)["path"] == (None, "/a")
        stage.apply("routes", "shop", path="/b")
        assert changed((await comes(stage, 2))[-1]) == {"path": ("/a", "/b")}
        stage.apply("routes", "shop", path="nowhere")
        refused = (await comes(stage, 3))[-1]
        assert (refused.status, changed(refused)) == (400, {"path": ("/b", "nowhere")})
        stage.delete("routes", "shop")
        gone = (await comes(stage, 4))[-1]
        assert (gone.action, gone.status, gone.address) == ("route.remove", 200, "")
        assert changed(gone)["path"] == ("nowhere", None)
        verdict = await stage.log.verify()
        assert verdict.whole

    play(story)


def test_what_comes_over_http_is_nobody_elses(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.followed()
        await stage.deployed()
        spec = RouteSpec(name="shop", namespace=TEAM, host=HOST, path="/a", targets=(Target(function="hello"),))
        for path in ("/a", "/b"):
            await stage.plane.routes.put(RouteSpec(**{**_plain(spec), "path": path}), everywhere=True)
        await stage.plane.budgets.put(BudgetSpec(name="b", namespace=TEAM, function="hello", calls=Counts(day=1)))
        await stage.plane.namespaces.update(TEAM, NamespaceChange(quota=Quota(functions=5)))
        await stage.plane.routes.remove(TEAM, "shop")
        await stage.plane.budgets.remove(TEAM, "b")
        await at_rest(stage, "mark")
        await comes(stage, 3)
        assert sorted(await actions(stage)) == MARKS

    play(story)


def _plain(spec: RouteSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in RouteSpec.__struct_fields__}


def test_what_was_told_is_not_told_again_and_what_came_meanwhile_is(double: Double, tmp_path: Path) -> None:
    async def main() -> None:
        async with staged(double, tmp_path / "one") as stage:
            await stage.followed()
            stage.apply("tenants", "team", quota={"functions": 3})
            stage.apply("flows", "stays", steps=[{"name": "one", "do": "call", "function": "hello"}])
            stage.apply("flows", "goes", steps=[{"name": "one", "do": "call", "function": "hello"}])
            await at_rest(stage, "mark")
            await comes(stage, 6)
        # Nobody works, and somebody else changes things; another control plane has files of its own.
        delete(double, "flows", "goes")
        apply(double, "tenants", "team", quota={"functions": 9})
        async with staged(double, tmp_path / "two") as stage:
            await at_rest(stage, "mark-2")
            found = {(each.action, each.target, str(each.namespace)): each for each in await comes(stage, 5)}
            assert set(found) == {
                ("namespace.put", "", "team"), ("flow.remove", "goes", "team"), ("budget.put", "mark-2", "team"),
                ("route.put", "mark-2", "team"), ("namespace.put", "", "other"),
            }  # fmt: skip
            assert changed(found["namespace.put", "", "team"]) == {"quota.functions": (3, 9)}
            assert changed(found["flow.remove", "goes", "team"])["steps.0.function"] == ("hello", None)

    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    asyncio.run(main())


def test_what_is_there_when_dayfly_comes_is_no_change(double: Double, tmp_path: Path) -> None:
    async def main() -> None:
        apply(double, "flows", "old", steps=[{"name": "one", "do": "call", "function": "hello"}])
        async with staged(double, tmp_path) as stage:
            await stage.followed()
            stage.apply("flows", "new", steps=[{"name": "one", "do": "call", "function": "hello"}])
            await comes(stage, 1)
            assert await actions(stage) == [("flow.put", "new", 200)]

    asyncio.run(main())


def test_nothing_is_taken_over_that_cannot_be_written_down(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        await stage.followed()
        asked = 0

        async def full(_draft: object) -> None:
            nonlocal asked
            asked += 1
            raise StoreUnavailable("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(stage.log, "begin", full)
            stage.apply("flows", "late", steps=[{"name": "one", "do": "call", "function": "hello"}])
            await stage.rig.until(lambda: asked > 3)
            assert not stage.flows.has((TEAM, "late"))
        await stage.rig.until(lambda: stage.flows.has((TEAM, "late")))
        await comes(stage, 1)

    play(story)


def test_a_long_spec_is_not_kept_and_told_as_new(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "MAX_SPEC_BYTES", 10)

    async def story(stage: Stage) -> None:
        await stage.followed()
        for function in ("one", "two"):
            stage.apply("flows", "long", steps=[{"name": "one", "do": "call", "function": function}])
            count = 1 if function == "one" else 2
            assert changed((await comes(stage, count))[-1])["steps.0.function"] == (None, function)

    play(story)


def test_functions_by_kubectl_are_told_as_deployments_and_those_over_http_are_not(
    double: Double, tmp_path: Path
) -> None:
    def wishing(stage: Stage) -> Background:
        api = stage._api
        opening = Opening(stage.plane.namespaces, stage.stores.tenancy)
        objects = SeenObjects(api, "dayfly", FUNCTION, with_specs=False)
        witness = FunctionWitness(stage.log, stage.plane)
        job = Wishing(Wishes(api, objects), stage.plane, opening, Archives(()), witness)
        background = Background(job.run)
        background.start()
        return background

    async def main() -> None:
        async with staged(double, tmp_path / "one") as stage:
            background = wishing(stage)
            stage.apply("functions", "hello", source=SOURCE, env={"A": "b"})
            first, *_ = await comes(stage, 1)
            assert (first.who, first.action, first.target, first.status) == (KUBERNETES, "function.put", "hello", 200)
            assert changed(first)["spec.env.A"] == (None, "b")
            stage.apply("functions", "hello", replicas=2)
            assert changed((await comes(stage, 2))[-1]) == {"replicas": (None, 2)}
            stage.apply("functions", "hello", secrets=["none-such"])
            refused = (await comes(stage, 3))[-1]
            assert (refused.action, refused.status, refused.changes) == ("function.put", 400, ())
            stage.delete("functions", "hello")
            gone = (await comes(stage, 4))[-1]
            assert (gone.action, changed(gone)["spec.env.A"]) == ("function.remove", ("b", None))
            stage.apply("functions", "left", source=SOURCE)
            await comes(stage, 5)
            await background.stop()
        delete(double, "functions", "left")
        async with staged(double, tmp_path / "two") as stage:
            background = wishing(stage)
            await comes(stage, 1)
            assert await actions(stage) == [("function.remove", "left", 200)]
            await background.stop()
        async with staged(double, tmp_path / "three") as stage:
            background = wishing(stage)
            stage.apply("functions", "mark", source=SOURCE)
            await comes(stage, 1)
            assert await actions(stage) == [("function.put", "mark", 200)]
            await background.stop()

    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    asyncio.run(main())


def test_the_author_is_the_program_that_wrote_last_what_people_write() -> None:
    def obj(*entries: dict[str, str]) -> dict[str, Any]:
        return {"metadata": {"managedFields": list(entries)}}

    ours, status = {"manager": "dayfly", "time": "2026-01-02"}, {"manager": "x", "time": "3", "subresource": "status"}
    assert author_of(obj()) == author_of({"metadata": {}}) == author_of(obj(status)) == ""
    assert author_of(obj({"manager": "kubectl-edit", "time": "2026-01-02"}, ours)) == "kubectl-edit at 2026-01-02"
    assert author_of(obj({"manager": "kubectl-edit", "time": "2026-01-01"}, ours)) == "dayfly at 2026-01-02"
    scale = {"manager": "kubectl", "time": "2026-01-03", "subresource": "scale"}
    assert author_of(obj(ours, scale)) == "kubectl at 2026-01-03"
