"""What waits to be delivered while more comes."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.contract.source.rig import Recorder

from dayfly.events.port import Lost
from dayfly.events.sources import inbox as module
from dayfly.events.sources.inbox import Inbox
from dayfly.model.event import Event


def event(number: int, data: bytes = b"") -> Event:
    """Return an event."""
    return Event(id=str(number), source="nats://it", type="it", data=data)


def try_out(check: Callable[[Inbox, Recorder], Awaitable[None]]) -> None:
    """Run a check."""

    async def body() -> None:
        async with asyncio.timeout(60):
            await check(Inbox(), Recorder())

    asyncio.run(body())


def test_what_waits_is_delivered_in_order_before_the_end_is_told() -> None:
    async def check(inbox: Inbox, recorder: Recorder) -> None:
        for number in range(3):
            inbox.put(event(number))
        inbox.lost("the connection was lost")
        inbox.lost("another reason")
        inbox.put(event(3))
        with pytest.raises(Lost, match=r"^the connection was lost$"):
            await inbox.empty(recorder.deliver)
        assert [each.id for each in recorder.events] == ["0", "1", "2"]

    try_out(check)


@pytest.mark.parametrize(("number", "size"), [(module.MAX_WAITING + 1, 0), (17, 2**20)])
def test_more_than_can_be_held_ends_it_and_is_told(number: int, size: int) -> None:
    async def check(inbox: Inbox, recorder: Recorder) -> None:
        for each in range(number):
            assert not inbox.is_over
            inbox.put(event(each, bytes(size)))
        assert inbox.is_over
        with pytest.raises(Lost, match=r"nats://it: more than 1000 messages or 16 MiB came .* some were lost"):
            await inbox.empty(recorder.deliver)
        assert len(recorder.events) == number - 1

    try_out(check)


def test_what_is_delivered_makes_room() -> None:
    async def check(inbox: Inbox, recorder: Recorder) -> None:
        emptying = asyncio.create_task(inbox.empty(recorder.deliver))
        for number in range(40):
            inbox.put(event(number, bytes(2**20)))
            await recorder.until(number + 1)
        assert not inbox.is_over
        emptying.cancel()
        await asyncio.wait((emptying,))

    try_out(check)


def test_a_delivery_that_takes_long_does_not_hold_the_end_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.01)

    async def check(inbox: Inbox, recorder: Recorder) -> None:
        recorder.gate.clear()
        inbox.put(event(1))
        emptying = asyncio.create_task(inbox.empty(recorder.deliver))
        await recorder.until(1)
        inbox.lost("gone")
        with pytest.raises(Lost, match="gone"):
            await emptying
        assert asyncio.all_tasks() == {asyncio.current_task()}

    try_out(check)
