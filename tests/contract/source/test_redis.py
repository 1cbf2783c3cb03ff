"""What streams of Redis do beyond the contract: other consumers, other entries, and what cannot be read."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from tests.contract.source.rig import DEADLINE_S, Server, lost, running
from tests.contract.source.servers.redis import PASSWORD, RedisRig

from dayfly.events.sources.redis import RedisStreams
from dayfly.model.trigger_secret import Credentials


def try_out(servers: Callable[[str], Server], check: Callable[[RedisRig], Awaitable[None]]) -> None:
    """Run a check on a stream of its own."""

    async def body() -> None:
        async with asyncio.timeout(DEADLINE_S), servers("redis").rig() as rig:
            assert isinstance(rig, RedisRig)
            await check(rig)

    asyncio.run(body())


def test_what_a_consumer_that_never_came_back_had_begun_is_taken_over(servers: Callable[[str], Server]) -> None:
    async def check(rig: RedisRig) -> None:
        async with rig.server.client() as client:
            await client.xgroup_create(rig.stream, f"dayfly.{rig.name}", mkstream=True)
            await rig.publish(b"left", b"deleted")
            left: Any = await client.xreadgroup(f"dayfly.{rig.name}", "gone for good", {rig.stream: ">"})
            await client.xdel(rig.stream, left[0][1][1][0])
        source = RedisStreams(rig.spec, Credentials(password=PASSWORD), rig.name, abandoned_s=0.05)
        async with running(source) as recorder:
            assert [event.data for event in await recorder.until(1)] == [b"left"]
            await rig.publish(b"new")
            assert [event.data for event in await recorder.until(2)] == [b"left", b"new"]

    try_out(servers, check)


def test_what_was_there_before_comes_where_it_is_wanted(servers: Callable[[str], Server]) -> None:
    async def check(rig: RedisRig) -> None:
        await rig.publish(b"before")
        rig.spec = msgspec.structs.replace(rig.spec, start="earliest")
        async with running(rig.source()) as recorder:
            assert [event.data for event in await recorder.until(1)] == [b"before"]

    try_out(servers, check)


def test_an_entry_is_json_of_its_fields_unless_one_is_named(servers: Callable[[str], Server]) -> None:
    async def check(rig: RedisRig) -> None:
        rig.spec = msgspec.structs.replace(rig.spec, field="")
        async with running(rig.source()) as recorder, rig.server.client() as client:
            await client.xadd(rig.stream, {"a": "ä", "b": b"\xff", "c": ""}, id="1-5")
            await client.xadd(rig.stream, {"a": "1"})
            by_hand, by_server = await recorder.until(2)
        assert json.loads(by_hand.data) == {"a": "ä", "b": "\N{REPLACEMENT CHARACTER}", "c": ""}
        assert (by_hand.content_type, by_hand.id) == ("application/json", f"{rig.stream}/1-5")
        assert by_hand.time == "", "the number says no time"
        assert by_server.time.startswith("20")

    try_out(servers, check)


def test_a_key_that_is_no_stream_is_told(servers: Callable[[str], Server]) -> None:
    async def check(rig: RedisRig) -> None:
        async with rig.server.client() as client:
            await client.set(rig.stream, "a text")
        assert "the server refused: WRONGTYPE" in await lost(rig.source())

    try_out(servers, check)
