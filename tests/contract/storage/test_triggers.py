"""What every store of triggers does. The one in memory says it by example; every other one must equal it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.contract.storage.stage import Play, player
from tests.unit.model.test_trigger import KINDS

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
        await store.put(full)
        assert await store.all() == [full]

    play(story)


def test_how_far_ends_were_followed_is_kept(play: Play) -> None:
    async def story(store: TriggerStore) -> None:
        assert await store.followed() == 0
        for position in (7, 2**40):
            await store.follow(position)
            assert await store.followed() == position

    play(story)
