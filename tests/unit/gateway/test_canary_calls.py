"""A canary's calls through a real gateway: who gets them, and what is counted of them."""

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.model.table import CANARY_BUCKETS_S, Demand, Endpoint, Entry

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Conversation, Play, Replica, Rig

STABLE, CANARY = 1, 2


def with_canary(stable: "Replica | None", canary: "Replica", percent: int, *, limit: int = 0) -> Entry:
    sides = ((stable, STABLE), (canary, CANARY))
    endpoints = tuple(Endpoint(f"r{number}", side.address, number) for side, number in sides if side is not None)
    return Entry(
        name="f", namespace="openfaas-fn", endpoints=endpoints, max_inflight=limit,
        canary=CANARY, canary_percent=percent,
    )  # fmt: skip


async def fail_in_pieces(conversation: "Conversation") -> None:
    """Answer in chunks, which goes another way through the gateway than an answer that comes whole."""
    while await conversation.request():
        conversation.send(b"HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")


def test_the_canary_gets_its_part_and_both_sides_are_counted(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        stable = await rig.replica(rig.echo, "stable")
        canary = await rig.replica(fail_in_pieces, "canary")
        await rig.serve(with_canary(stable, canary, 20))
        async with rig.client() as client:
            statuses = [(await client.ask("/function/f")).status for _ in range(50)]
        assert statuses == [200, 200, 200, 200, 503] * 10
        load = await rig.load(lambda load: load.functions[0].inflight == 0)
        sides = {side.revision: side for side in load.functions[0].revisions}
        assert {number: (side.calls, side.failed, sum(side.buckets)) for number, side in sides.items()} == {
            STABLE: (40, 0, 40),
            CANARY: (10, 10, 10),
        }
        rig.tell(rig.delta(msgspec.structs.replace(with_canary(stable, canary, 20), canary=0, canary_percent=0)))
        await rig.load(lambda load: load.functions[0].revisions == ())

    play(scenario)


def test_a_canary_that_dies_costs_no_call_that_had_not_reached_it(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        stable, canary = await rig.replica(rig.echo, "stable"), await rig.replica(rig.echo, "canary")
        await rig.serve(with_canary(stable, canary, 50))
        await canary.stop()
        async with rig.client() as client:
            assert [(await client.ask("/function/f")).status for _ in range(20)] == [200] * 20

    play(scenario)


def test_a_call_of_the_others_asks_for_a_replica_of_theirs_although_the_canary_is_free(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        stable, canary = await rig.replica(rig.echo, "stable"), await rig.replica(fail_in_pieces, "canary")
        await rig.serve(with_canary(None, canary, 10))
        async with rig.client() as client:
            asked = asyncio.create_task(client.ask("/function/f"))
            assert await rig.demand() == Demand("f.openfaas-fn", 1)
            rig.tell(rig.delta(with_canary(stable, canary, 10)))
            assert (await asked).status == 200

    play(scenario)


def test_the_time_in_the_queue_is_nobodys_latency(play: "Play", monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        """The gateway's calls see an hour pass when we say so."""

        ahead_s = 0.0
        time_ns = staticmethod(time.time_ns)

        def monotonic(self) -> float:
            return time.monotonic() + self.ahead_s

    clock = Clock()
    for module in ("call", "warm"):
        monkeypatch.setattr(f"dayfly.gateway.{module}.time", clock)

    async def scenario(rig: "Rig") -> None:
        arrived, release = asyncio.Event(), asyncio.Event()

        async def hold_the_first(conversation: "Conversation") -> None:
            while await conversation.request():
                arrived.set()
                await release.wait()
                conversation.reply()

        stable, canary = await rig.replica(hold_the_first, "stable"), await rig.replica(rig.echo, "canary")
        await rig.serve(with_canary(stable, canary, 1, limit=1))
        async with rig.client() as first, rig.client() as second:
            held = asyncio.create_task(first.ask("/function/f"))
            await arrived.wait()
            queued = asyncio.create_task(second.ask("/function/f"))
            await rig.load(lambda load: load.functions[0].waiting == 1)
            clock.ahead_s += 3600.0
            release.set()
            assert [(await held).status, (await queued).status] == [200, 200]
        load = await rig.load(lambda load: load.functions[0].inflight == 0)
        (side,) = (side for side in load.functions[0].revisions if side.revision == STABLE)
        assert (side.calls, side.buckets[len(CANARY_BUCKETS_S)]) == (2, 1)

    play(scenario)
