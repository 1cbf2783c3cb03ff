"""What every store of flows does. The one in memory says it by example; every other one must equal it."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.contract.storage.stage import Play, player

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.flow import Flow, FlowSpec
from dayfly.model.names import parse_namespace
from dayfly.storage.flows import FlowStore
from dayfly.storage.kubernetes.things import KubernetesFlows
from dayfly.storage.memory_flows import MemoryFlows
from dayfly.storage.sqlite_flows import SqliteFlows

ANT = parse_namespace("ant")


play = player(MemoryFlows, SqliteFlows, KubernetesFlows)


def flow(name: str = "bill", namespace: str = "ant", updated: int = 2) -> Flow:
    steps = [{"do": "set", "name": "a", "value": "'ü'", "catch": {"steps": [
        {"do": "delay", "name": "b", "for": "1s"}]}}]  # fmt: skip
    spec = msgspec.convert({"name": name, "namespace": namespace, "steps": steps}, FlowSpec)
    return Flow(spec=spec, created_unix_ms=1, updated_unix_ms=updated)


def test_flows_are_kept_in_their_order(play: Play) -> None:
    async def story(store: FlowStore) -> None:
        for each in (flow("b"), flow("a"), flow("a", "bee"), flow("b", updated=3)):
            await store.put_flow(each)
        assert await store.flows() == [flow("a"), flow("b", updated=3), flow("a", "bee")]

    play(story)


def test_a_flow_goes_once(play: Play) -> None:
    async def story(store: FlowStore) -> None:
        await store.put_flow(flow())
        await store.put_flow(flow(namespace="bee"))
        await store.delete_flow(ANT, "bill")
        assert await store.flows() == [flow(namespace="bee")]
        with pytest.raises(NotFound, match="no flow bill"):
            await store.delete_flow(ANT, "bill")

    play(story)


def test_a_store_that_is_broken_says_so() -> None:
    async def main() -> None:
        store = MemoryFlows(lambda: "broken")
        with pytest.raises(StoreUnavailable):
            await store.flows()

    asyncio.run(main())
