"""What every source of events must do, against a real server."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import uvloop
from tests.contract.source.rig import DEADLINE_S, RESTART_S, WRONG, Recorder, Rig, Server, lost, running

from dayfly.events.port import Source

Check = Callable[[Rig], Awaitable[None]]
KIB = 1024


pytestmark = pytest.mark.timeout(300)  # The first test of a kind starts its server, for which some take their time.


def try_out(server: Server, check: Check, deadline_s: float = DEADLINE_S) -> None:
    """Run a check on a subscription of its own, and see that no task is left of it."""

    async def body() -> None:
        async with asyncio.timeout(deadline_s), server.rig() as rig:
            await check(rig)
            while asyncio.all_tasks() != {asyncio.current_task()}:  # noqa: ASYNC110 - what is cancelled tells nobody
                await asyncio.sleep(0.01)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # The control plane's.
        runner.run(body())


async def subscribed(source: Source) -> None:
    """Have the server know the subscription."""
    async with running(source):
        pass


def test_each_message_is_an_event_once_the_source_is_ready(server: Server) -> None:
    bodies = [b"%d" % number for number in range(20)]

    async def check(rig: Rig) -> None:
        async with running(rig.source()) as recorder:
            await rig.publish(*bodies, b"twin", b"twin")
            events = await recorder.until(len(bodies) + 2)
        assert sorted(event.data for event in events) == sorted([*bodies, b"twin", b"twin"])
        assert len({(event.source, event.id) for event in events}) == len(events), "equal messages are two"
        assert all(event.type.startswith("com.dayfly.") and event.subject for event in events)
        assert all(event.source.isascii() and "://" in event.source for event in events)

    try_out(server, check)


def test_what_was_not_delivered_when_the_source_ends_comes_again(server: Server) -> None:
    async def check(rig: Rig) -> None:
        if not rig.promises.comes_again:
            pytest.skip("this source cannot")
        async with running(rig.source()) as recorder:
            recorder.gate.clear()
            await rig.publish(b"first", b"second")
            before = (await recorder.until(1))[0]
        async with running(rig.source()) as recorder:
            events = await recorder.until(2)
        assert sorted(event.data for event in events) == [b"first", b"second"]
        if rig.promises.keeps_id:
            assert before in events

    try_out(server, check)


def test_a_cut_connection_is_told_and_what_was_under_way_comes_again(server: Server) -> None:
    async def check(rig: Rig) -> None:
        if not rig.promises.is_server:
            pytest.skip("there is no server")
        recorder = Recorder()
        recorder.gate.clear()
        task = asyncio.create_task(lost(rig.source(), recorder))
        await recorder.is_ready.wait()
        await rig.publish(b"under way")
        await recorder.until(1)
        rig.relay.cut()
        if rig.promises.mends:
            recorder.gate.set()
            await rig.publish(b"afterwards")
            assert (await recorder.until(2))[-1].data == b"afterwards"
            task.cancel()
            await asyncio.wait((task,))
            return
        assert "://" in await task
        if not rig.promises.comes_again:
            return
        async with running(rig.source()) as recorder:
            assert [event.data for event in await recorder.until(1)] == [b"under way"]

    try_out(server, check)


def test_what_was_delivered_does_not_come_again(server: Server) -> None:
    async def check(rig: Rig) -> None:
        async with running(rig.source()) as recorder:
            await rig.publish(b"1", b"2", b"3")
            await recorder.until(3)
            recorder.gate.clear()
            await rig.publish(b"4")
            await recorder.until(4)  # So the three have been acknowledged.
        async with running(rig.source()) as recorder:
            await rig.publish(b"5")
            expected = [b"4", b"5"] if rig.promises.comes_again else [b"5"]
            assert sorted(event.data for event in await recorder.until(len(expected))) == sorted(expected)

    try_out(server, check)


def test_what_is_published_meanwhile_comes_later(server: Server) -> None:
    async def check(rig: Rig) -> None:
        if not rig.promises.waits:
            pytest.skip("this source cannot")
        await subscribed(rig.source())
        bodies = [b"%03d" % number for number in range(100)]  # More than any source holds.
        await rig.publish(*bodies)
        async with running(rig.source()) as recorder:
            assert sorted(event.data for event in await recorder.until(len(bodies))) == bodies

    try_out(server, check)


def test_what_nobody_will_take_is_passed_over(server: Server) -> None:
    async def check(rig: Rig) -> None:
        async with running(rig.source()) as recorder:
            recorder.refused.add(b"never")
            await rig.publish(b"never")
            await recorder.until(1)
            await rig.publish(b"welcome")
            await recorder.until(2)
            recorder.gate.clear()
            await rig.publish(b"next")
            await recorder.until(3)
        async with running(rig.source()) as recorder:
            await rig.publish(b"last")
            expected = [b"next", b"last"] if rig.promises.comes_again else [b"last"]
            assert sorted(event.data for event in await recorder.until(len(expected))) == sorted(expected)

    try_out(server, check)


def test_a_large_message_is_one_event(server: Server) -> None:
    async def check(rig: Rig) -> None:
        usual = rig.promises.largest >= 1024 * KIB
        body = bytes(range(256)) * 4 * KIB if usual else b"x" * rig.promises.largest
        async with running(rig.source()) as recorder:
            await rig.publish(body)
            assert (await recorder.until(1))[0].data == body

    try_out(server, check)


def test_while_nothing_is_delivered_little_is_taken(server: Server) -> None:
    size, count = 64 * KIB, 300

    async def check(rig: Rig) -> None:
        if not rig.promises.held_bytes:
            pytest.skip("this source has no wire")
        async with AsyncExitStack() as stack:
            other = await stack.enter_async_context(server.rig())
            blocked = await stack.enter_async_context(running(rig.source()))
            free = await stack.enter_async_context(running(other.source()))
            blocked.gate.clear()
            await rig.publish(*(bytes(size) for _ in range(count)))
            await blocked.until(1)
            # Another source gets as much over the same machine meanwhile, so there was time to take more.
            await other.publish(*(bytes(size) for _ in range(count)))
            await free.until(count)
            assert len(blocked.events) <= rig.promises.at_once
            assert rig.relay.received < rig.promises.held_bytes < size * count

    try_out(server, check)


def test_a_cloudevent_comes_as_it_was_made(server: Server) -> None:
    attributes = {
        "specversion": "1.0", "id": "A 1", "source": "/elsewhere", "type": "org.example.made",
        "subject": "it", "time": "2026-01-02T03:04:05Z", "shade": "blue",
    }  # fmt: skip

    async def check(rig: Rig) -> None:
        if not rig.promises.binds:
            pytest.skip("its messages have no properties")
        async with running(rig.source()) as recorder:
            await rig.publish_event(attributes, "text/plain", b"made")
            event = (await recorder.until(1))[0]
        assert (event.id, event.source, event.type) == ("A 1", "/elsewhere", "org.example.made")
        assert (event.subject, event.time, event.content_type) == ("it", "2026-01-02T03:04:05Z", "text/plain")
        assert (event.data, event.extensions) == (b"made", {"shade": "blue"})

    try_out(server, check)


def test_where_nobody_listens_is_told(server: Server) -> None:
    async def check(rig: Rig) -> None:
        if not rig.promises.is_server:
            pytest.skip("there is no server")
        told = await lost(rig.nowhere())
        assert "://localhost:" in told
        assert "nobody listens" in told

    try_out(server, check)


def test_a_wrong_password_is_told_without_it(server: Server) -> None:
    async def check(rig: Rig) -> None:
        if not rig.promises.has_password:
            pytest.skip("it has no passwords")
        recorder = Recorder()
        told = await lost(rig.unwelcome(), recorder)
        assert "://localhost:" in told
        assert WRONG not in told
        assert not recorder.is_ready.is_set()

    try_out(server, check)


def test_tls_is_had_with_an_authority_that_is_known_and_with_no_other(server: Server) -> None:
    async def check(rig: Rig) -> None:
        if not rig.promises.has_tls:
            pytest.skip("it has no TLS")
        assert "certificate is not trusted" in await lost(rig.secured(trusting=False))
        async with running(rig.secured(trusting=True)) as recorder:
            large = b"x" * min(200 * KIB, rig.promises.largest)
            await rig.publish(b"sealed", large)
            assert {len(event.data) for event in await recorder.until(2)} == {6, len(large)}

    try_out(server, check)


def test_a_server_that_dies_and_comes_back_has_lost_nothing(server: Server) -> None:
    async def check(rig: Rig) -> None:
        if not rig.promises.is_server:
            pytest.skip("there is no server")
        recorder = Recorder()
        recorder.gate.clear()
        task = asyncio.create_task(lost(rig.source(), recorder))
        await recorder.is_ready.wait()
        await rig.publish(b"x", b"y", b"z")
        await recorder.until(1)
        await asyncio.to_thread(server.kill)
        try:
            assert "://" in await task
            assert "://" in await lost(rig.source())
        finally:
            await asyncio.to_thread(server.start)
        if not rig.promises.survives:
            return
        async with running(rig.source()) as recorder:
            assert sorted(event.data for event in await recorder.until(3)) == [b"x", b"y", b"z"]

    try_out(server, check, RESTART_S)


def test_a_source_that_is_cancelled_while_it_connects_leaves_nothing(server: Server) -> None:
    async def check(rig: Rig) -> None:
        if not rig.promises.held_bytes:
            pytest.skip("this source has no wire")
        connected = asyncio.Event()

        class Silent(asyncio.Protocol):
            def connection_made(self, _transport: asyncio.BaseTransport) -> None:
                connected.set()

        silent = await asyncio.get_running_loop().create_server(Silent, "127.0.0.1", 0)
        rig.relay.target = silent.sockets[0].getsockname()[1]
        recorder = Recorder()
        task = asyncio.create_task(rig.source().run(recorder.deliver, recorder.is_ready.set))
        await connected.wait()
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
        assert not recorder.is_ready.is_set()
        silent.close()
        rig.relay.cut()

    try_out(server, check)
