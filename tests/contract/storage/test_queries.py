"""What every store of saved queries does. The one in memory says it by example; every other one must equal it."""

from __future__ import annotations

import asyncio

import pytest
from tests.contract.storage.stage import Play, player

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.query import SavedQuery
from dayfly.storage.kubernetes.queries import KubernetesQueries
from dayfly.storage.memory_queries import MemoryQueries
from dayfly.storage.queries import QueryStore
from dayfly.storage.sqlite_queries import SqliteQueries

play = player(MemoryQueries, SqliteQueries, lambda connection: KubernetesQueries(connection, "dayfly"))


def query(name: str = "slow", namespace: str = "ant", sql: str = "SELECT 'ü'") -> SavedQuery:
    return SavedQuery(name=name, namespace=namespace, sql=sql, note="why", created_unix_ms=1, updated_unix_ms=2)


def test_queries_are_kept_in_their_order_and_the_installations_come_first(play: Play) -> None:
    async def story(store: QueryStore) -> None:
        assert await store.queries() == []
        for each in (query("b"), query("a"), query("a", "bee"), query("z", ""), query("b", sql="SELECT 2")):
            await store.put_query(each)
        assert await store.queries() == [query("z", ""), query("a"), query("b", sql="SELECT 2"), query("a", "bee")]

    play(story)


def test_a_query_goes_once_and_alone(play: Play) -> None:
    async def story(store: QueryStore) -> None:
        await store.put_query(query())
        await store.put_query(query(namespace=""))
        await store.put_query(query(namespace="bee"))
        await store.delete_query("ant", "slow")
        assert await store.queries() == [query(namespace=""), query(namespace="bee")]
        with pytest.raises(NotFound, match="no saved query slow"):
            await store.delete_query("ant", "slow")

    play(story)


def test_a_store_that_is_broken_says_so() -> None:
    async def main() -> None:
        store = MemoryQueries(lambda: "broken")
        with pytest.raises(StoreUnavailable):
            await store.queries()

    asyncio.run(main())
