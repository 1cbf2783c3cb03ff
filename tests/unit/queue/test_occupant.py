"""A namespace's calls, when the namespace goes."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.queue.conftest import Rig, answer, play

from dayfly.model.names import parse_namespace
from dayfly.model.queued import CallStatus, QueuedCall, Request
from dayfly.queue.desk import Desk
from dayfly.queue.invocation import Attempt
from dayfly.queue.occupant import QueuedCalls
from dayfly.queue.remote import RemoteQueue

MINE = parse_namespace("mine")


class Near:
    """A desk asked as if it were in another process."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def listed(self, namespaces: list[str], state: str = "", function: str = "", limit: int = 1) -> list[Any]:
        return self._desk.listed(namespaces, state, function, limit)

    async def purge(self, ids: list[str]) -> int:
        return await self._desk.purge(ids)

    async def cancel(self, call_id: str) -> CallStatus:
        return await self._desk.cancel(call_id)


def test_all_calls_of_a_namespace_go_with_it_and_no_others(rig: Rig) -> None:
    begun = asyncio.Event()

    async def some(_call: QueuedCall, request: Request) -> Attempt:
        if request.body == b"bad":
            return answer(400)
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def story() -> None:
        rig.function = some
        async with rig.life() as worker:
            dead = await worker.submit(rig.call(function="f.mine"), b"bad")
            await worker.over(dead)
            await worker.submit(rig.call(function="f.mine", due_unix_ms=4_000_000_000_000))
            await worker.submit(rig.call(function="g.mine"))
            other = await worker.submit(rig.call(function="f.other", due_unix_ms=4_000_000_000_000))
            await begun.wait()
            calls = QueuedCalls(cast("RemoteQueue", Near(worker.desk)))
            assert len(await calls.inside(MINE)) == 3
            await calls.clear(MINE)
            assert await calls.inside(MINE) == []
            assert [kept.call.id for kept in worker.ledger] == [other]

    play(story())


def test_where_there_is_no_queue_there_are_no_calls() -> None:
    async def story() -> None:
        calls = QueuedCalls(RemoteQueue(Path("nowhere.sock"), missing="there is no nats-server"))
        assert await calls.inside(MINE) == []
        await calls.clear(MINE)

    play(story())


def test_while_nobody_can_tell_nothing_is_removed() -> None:
    async def story() -> None:
        with pytest.raises(Exception, match="queue does not answer"):
            await QueuedCalls(RemoteQueue(Path("nowhere.sock"))).inside(MINE)

    play(story())
