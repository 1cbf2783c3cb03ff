"""What every store of things does, whatever kind they are of: in memory, in a database, in a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.contract.storage.stage import in_cluster, in_database

from dayfly.cluster.kinds import BUDGET, FLOW, ROUTE, TRIGGER
from dayfly.model.budget import Budget
from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.flow import Flow
from dayfly.model.names import parse_namespace
from dayfly.model.route import Route
from dayfly.model.trigger import Trigger
from dayfly.storage.kubernetes.things import KubernetesThings
from dayfly.storage.memory_things import MemoryThings
from dayfly.storage.sqlite_things import SqliteThings
from dayfly.storage.things import ThingStore

ANT, BEE = parse_namespace("ant"), parse_namespace("bee")
CATCH = {"steps": [{"do": "delay", "name": "b", "for": "1s"}]}
SPECS: dict[Any, dict[str, object]] = {
    Flow: {"steps": [{"do": "set", "name": "a", "value": "'ü'", "catch": CATCH}]},
    Budget: {"function": "f", "calls": {"day": 5}, "gib_seconds": {"month": 0.5}},
    Route: {"host": "*.example.org", "path": "/größe/*", "targets": [{"function": "shop", "weight": 90}]},
    Trigger: {"source": {"kind": "event"}, "filter": "data.größe > `1`", "function": "shop", "paused": True},
}
KINDS = {Flow: FLOW, Budget: BUDGET, Route: ROUTE, Trigger: TRIGGER}
Story = Callable[[ThingStore[Any]], Awaitable[None]]


@pytest.fixture(params=SPECS, ids=lambda struct: struct.__name__.lower())
def struct(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=["memory", "sqlite", "kubernetes"])
def play(request: pytest.FixtureRequest, struct: Any, tmp_path: Path) -> Callable[[Story], None]:
    async def main(story: Story) -> None:
        if request.param == "memory":
            await story(MemoryThings(struct))
        elif request.param == "sqlite":
            async with in_database(lambda database: SqliteThings(database, struct), tmp_path) as store:
                await story(store)
        else:
            async with in_cluster(lambda api: KubernetesThings(api, KINDS[struct], struct)) as store:
                await story(store)

    return lambda story: asyncio.run(main(story))


def made(struct: Any, name: str = "bill", namespace: str = ANT, updated: int = 2) -> Any:
    spec = SPECS[struct] | {"name": name, "namespace": namespace}
    return msgspec.convert({"spec": spec, "created_unix_ms": 1, "updated_unix_ms": updated}, struct)


def test_things_are_ordered_replaced_and_removed_by_namespace_and_name(play: Any, struct: Any) -> None:
    async def story(store: ThingStore[Any]) -> None:
        assert await store.all() == []
        for name, namespace in (("b", BEE), ("b", ANT), ("a", BEE), ("a", ANT)):
            await store.put(made(struct, name, namespace))
        newer = made(struct, "a", BEE, updated=9)
        await store.put(newer)
        assert await store.all() == [made(struct, "a"), made(struct, "b"), newer, made(struct, "b", BEE)]
        await store.delete(BEE, "a")
        assert await store.all() == [made(struct, "a"), made(struct, "b"), made(struct, "b", BEE)]

    play(story)


def test_a_thing_goes_once_and_is_named_when_it_is_gone(play: Any, struct: Any) -> None:
    async def story(store: ThingStore[Any]) -> None:
        await store.put(made(struct))
        await store.delete(ANT, "bill")
        with pytest.raises(NotFound, match=f"there is no {struct.__name__.lower()} bill in the namespace ant"):
            await store.delete(ANT, "bill")

    play(story)


def test_a_thing_that_cannot_be_read_is_told_by_its_name(tmp_path: Path, struct: Any) -> None:
    noun = struct.__name__.lower()

    async def main() -> None:
        async with in_database(lambda database: SqliteThings(database, struct), tmp_path) as store:
            await store.put(made(struct))
            await store._run(lambda db: db.execute(f"UPDATE {noun}s SET spec = '[]'").rowcount)  # noqa: S608 - a name of ours
            with pytest.raises(StoreUnavailable, match=f"the {noun} bill of the namespace ant"):
                await store.all()

    asyncio.run(main())


def test_a_store_that_is_broken_says_so(struct: Any) -> None:
    async def main() -> None:
        store = MemoryThings(struct, lambda: "broken")
        for call in (store.all(), store.put(made(struct)), store.delete(ANT, "bill")):
            with pytest.raises(StoreUnavailable):
                await call

    asyncio.run(main())
