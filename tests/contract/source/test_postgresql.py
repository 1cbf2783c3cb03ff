"""What PostgreSQL does beyond the contract: outboxes of several forms, shared ones, and what cannot be read."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec
import pytest
from tests.contract.source.rig import DEADLINE_S, Server, lost, running
from tests.contract.source.servers.postgresql import OutboxRig

from dayfly.events.sources.outbox import BATCH
from dayfly.model.errors import InvalidSpec


def try_out(servers: Callable[[str], Server], check: Callable[[OutboxRig], Awaitable[None]]) -> None:
    """Run a check on an outbox of its own."""

    async def body() -> None:
        async with asyncio.timeout(DEADLINE_S), servers("outbox").rig() as rig:
            assert isinstance(rig, OutboxRig)
            await check(rig)

    asyncio.run(body())


def test_columns_that_are_there_count(servers: Callable[[str], Server]) -> None:
    async def check(rig: OutboxRig) -> None:
        name = f'"s"."Orders_{rig.name}"'
        async with rig.server.client() as client:
            await client.execute(
                f"CREATE SCHEMA IF NOT EXISTS s; CREATE TABLE {name} (id uuid PRIMARY KEY, payload jsonb, type text,"
                " subject varchar, content_type text, other int)"
            )
            insert = f"INSERT INTO {name} VALUES ($1, $2, $3, $4, $5)"  # noqa: S608 # a name of ours
            await client.execute(insert, UUID(int=1), '{"a": 1}', "made", "it", "x/y")
            await client.execute(insert, UUID(int=2), None, None, None, None)
        rig.spec = msgspec.structs.replace(rig.spec, outbox=f"s.Orders_{rig.name}", channels=())
        rig.spec.check()
        async with running(rig.source()) as recorder:
            full, bare = sorted(await recorder.until(2), key=lambda event: event.id)
        assert (full.data, full.type, full.subject, full.content_type) == (b'{"a": 1}', "made", "it", "x/y")
        assert full.id == f"s.Orders_{rig.name}/00000000-0000-0000-0000-000000000001"
        assert (bare.data, bare.type, bare.subject) == (b"", "com.dayfly.postgresql.row", f"s.Orders_{rig.name}")
        assert bare.content_type == "application/json"

    try_out(servers, check)


def test_two_that_read_one_outbox_share_its_rows(servers: Callable[[str], Server]) -> None:
    async def check(rig: OutboxRig) -> None:
        first = [b"%d" % number for number in range(BATCH)]
        async with running(rig.source()) as one:
            one.gate.clear()
            await rig.publish(*first)
            await one.until(BATCH)
            async with running(rig.source()) as other:
                await rig.publish(b"last")
                assert [event.data for event in await other.until(1)] == [b"last"]
                one.gate.set()
                async with rig.server.client() as client:
                    while await client.fetchval(f'SELECT count(*) FROM "{rig.table}"'):  # noqa: S608 # a name of ours
                        pass  # What one had begun and not ended, the other would get.
            assert sorted(event.data for event in one.events) == sorted(first)

    try_out(servers, check)


def test_a_table_that_is_missing_or_is_no_outbox_is_told(servers: Callable[[str], Server]) -> None:
    async def check(rig: OutboxRig) -> None:
        async with rig.server.client() as client:
            await client.execute(f"CREATE TABLE t_{rig.name} (id int)")
        spec = rig.spec
        rig.spec = msgspec.structs.replace(spec, outbox="missing")
        assert "there is no table missing that the user may see" in await lost(rig.source())
        rig.spec = msgspec.structs.replace(spec, outbox=f"t_{rig.name}")
        assert "has no column payload" in await lost(rig.source())
        rig.spec = msgspec.structs.replace(spec, database="missing")
        assert 'refused: database "missing" does not exist' in await lost(rig.source())

    try_out(servers, check)


@pytest.mark.parametrize("name", ['x"; DROP TABLE y; --', "a.b.c", "a b", "", "1a", "ä"])
def test_a_name_that_is_none_is_refused(servers: Callable[[str], Server], name: str) -> None:
    async def check(rig: OutboxRig) -> None:
        spec = msgspec.structs.replace(rig.spec, outbox=name, channels=())
        with pytest.raises(InvalidSpec):
            spec.check()

    try_out(servers, check)
