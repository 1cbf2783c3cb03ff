"""What every store of what watches does. The one in memory says it by example; every other one must equal it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.contract.storage.stage import Play, player

from dayfly.model.errors import StoreUnavailable
from dayfly.storage.kubernetes.watch import KubernetesWatch
from dayfly.storage.memory_watch import MemoryWatch
from dayfly.storage.sqlite_watch import SqliteWatch

if TYPE_CHECKING:
    from dayfly.storage.watch import WatchStore

play = player(MemoryWatch, SqliteWatch, lambda api: KubernetesWatch(api, "dayfly"))


def test_texts_are_kept_by_kind_namespace_and_name(play: Play) -> None:
    async def story(store: WatchStore) -> None:
        assert await store.kept("rule") == {}
        await store.keep("rule", {("b", "x"): "1", ("", "x"): "2", ("a", "@odd.name"): "größe\n"})
        await store.keep("silence", {("b", "x"): "another kind"})
        found = await store.kept("rule")
        assert found == {("", "x"): "2", ("a", "@odd.name"): "größe\n", ("b", "x"): "1"}
        assert list(found) == sorted(found)
        await store.keep("rule", {("b", "x"): "new", ("", "x"): None, ("never", "there"): None})
        assert await store.kept("rule") == {("a", "@odd.name"): "größe\n", ("b", "x"): "new"}
        assert await store.kept("silence") == {("b", "x"): "another kind"}

    play(story)


def test_nothing_to_keep_changes_nothing(play: Play) -> None:
    async def story(store: WatchStore) -> None:
        await store.keep("told", {})
        assert await store.kept("told") == {}

    play(story)


def test_many_texts_of_some_size_are_kept(play: Play) -> None:
    async def story(store: WatchStore) -> None:
        texts: dict[tuple[str, str], str | None] = {("team", f"group.{number}"): "x" * 5_000 for number in range(100)}
        await store.keep("told", texts)
        assert await store.kept("told") == dict(sorted(texts.items()))

    play(story)


def test_a_medium_that_fails_is_told() -> None:
    async def main() -> None:
        store = MemoryWatch(lambda: "the disk is gone")
        with pytest.raises(StoreUnavailable, match="the disk is gone"):
            await store.kept("rule")
        with pytest.raises(StoreUnavailable, match="the disk is gone"):
            await store.keep("rule", {})

    asyncio.run(main())
