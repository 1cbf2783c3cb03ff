"""What every store of triggers does. The one in memory says it by example; every other one must equal it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.contract.storage.stage import Play, in_database, player
from tests.unit.model.test_trigger import KINDS

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.names import NamespaceName, parse_namespace
from dayfly.model.trigger import Trigger, TriggerSpec
from dayfly.storage.kubernetes.things import KubernetesTriggers
from dayfly.storage.memory_triggers import MemoryTriggers
from dayfly.storage.sqlite_triggers import SqliteTriggers

if TYPE_CHECKING:
    from dayfly.storage.triggers import TriggerStore

ANT, BEE = parse_namespace("ant"), parse_namespace("bee")


play = player(MemoryTriggers, SqliteTriggers, lambda api: KubernetesTriggers(api, "dayfly"))


def trigger(name: str = "orders", namespace: NamespaceName = ANT, updated: int = 2, **fields: Any) -> Trigger:
    spec = {"name": name, "namespace": namespace, "source": {"kind": "event"}, **fields}
    return Trigger(spec=msgspec.convert(spec, TriggerSpec), created_unix_ms=1, updated_unix_ms=updated)


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_of_a_trigger_comes_back(play: Play, kind: str) -> None:
    async def story(store: TriggerStore) -> None:
        source = {"kind": kind, **KINDS[kind]}
        full = trigger(source=source, filter="data.größe > `1`", function="shop", paused=True)
        await store.put_trigger(full)
        assert await store.triggers() == [full]

    play(story)


def test_triggers_are_ordered_replaced_and_removed_by_namespace_and_name(play: Play) -> None:
    async def story(store: TriggerStore) -> None:
        assert await store.triggers() == []
        for each in (trigger("b", BEE), trigger("b"), trigger("a", BEE), trigger("a")):
            await store.put_trigger(each)
        newer = trigger("a", BEE, updated=9, paused=True)
        await store.put_trigger(newer)
        assert await store.triggers() == [trigger("a"), trigger("b"), newer, trigger("b", BEE)]
        await store.delete_trigger(BEE, "a")
        with pytest.raises(NotFound):
            await store.delete_trigger(BEE, "a")
        assert await store.triggers() == [trigger("a"), trigger("b"), trigger("b", BEE)]

    play(story)


def test_how_far_ends_were_followed_is_kept(play: Play) -> None:
    async def story(store: TriggerStore) -> None:
        assert await store.followed() == 0
        for position in (7, 2**40):
            await store.follow(position)
            assert await store.followed() == position

    play(story)


def test_a_trigger_that_cannot_be_read_is_told_by_its_name(tmp_path: Path) -> None:
    async def main() -> None:
        async with in_database(SqliteTriggers, tmp_path) as store:
            await store.put_trigger(trigger())
            assert isinstance(store, SqliteTriggers)
            await store._run(lambda db: db.execute("UPDATE triggers SET spec = '{}'").rowcount)
            with pytest.raises(StoreUnavailable, match="the trigger orders of the namespace ant"):
                await store.triggers()

    asyncio.run(main())
