"""Connections that wait for their next request."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from dayfly.http1.pool import Pool
from dayfly.http1.sieve import Sieve
from dayfly.http1.upstream import UpstreamConnection


class Caller:
    """Notes what it is told about its connection; the rest of a caller is not needed to get one."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.upstream: UpstreamConnection | None = None
        self.fault: OSError | None = None

    def connected(self, upstream: UpstreamConnection) -> None:
        self.upstream = upstream
        self.told.set()

    def unreachable(self, fault: OSError) -> None:
        self.fault = fault
        self.told.set()

    def interim(self, status: int, lines: bytes) -> None:
        raise AssertionError(status, lines)

    def switched(self, upstream: UpstreamConnection, rest: bytes) -> None:
        raise AssertionError(upstream, rest)

    def whole(self, answer: object, body: bytes) -> None:
        raise AssertionError(answer, body)

    def answered(self, answer: object, first: object, complete: bool) -> None:
        raise AssertionError(answer, first, complete)

    def answer(self, data: object, complete: bool) -> None:
        raise AssertionError(data, complete)

    def upstream_lost(self, why: str, left: bool) -> None:
        raise AssertionError(why, left)

    def upstream_pace(self, writable: bool) -> None:
        raise AssertionError(writable)


class Watched(Pool):
    """Says when a connection comes back."""

    def __init__(self, address: str) -> None:
        super().__init__(address, Sieve(lambda _: False))
        self.back = asyncio.Event()

    def put(self, upstream: UpstreamConnection) -> None:
        super().put(upstream)
        self.back.set()


async def connected(pool: Pool) -> UpstreamConnection:
    caller = Caller()
    pool.connect(caller)
    async with asyncio.timeout(60):
        await caller.told.wait()
    assert caller.upstream is not None
    return caller.upstream


async def scenario() -> None:
    with tempfile.TemporaryDirectory(prefix="dfp") as folder:
        path = Path(folder) / "s"
        accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        server = await asyncio.start_unix_server(lambda _, writer: accepted.put_nowait(writer), str(path))
        pool = Watched(f"unix:{path}")
        first, second, third = [await connected(pool) for _ in range(3)]
        assert pool.take() is None
        for upstream in (first, second, third):
            pool.put(upstream)
        pool.trim()
        # The one put back last is used next; the two that were not needed since the last trim go.
        assert pool.take() is third
        pool.put(third)
        pool.trim()
        assert [first.transport is None or first.transport.is_closing(), pool.take(), pool.take()] == [
            True,
            third,
            None,
        ]
        gone = Caller()
        pool.connect(gone)
        pool.cancel(gone)
        pool.back.clear()
        await pool.back.wait()
        spare = pool.take()
        assert spare is not None
        assert not gone.told.is_set()
        pool.put(spare)
        pool.close()
        pool.put(third)
        assert pool.take() is None
        assert third.transport is None or third.transport.is_closing()
        server.close()
        for _ in range(4):
            writer = await accepted.get()
            writer.close()
            await writer.wait_closed()
        path.unlink(missing_ok=True)
        refused = Caller()
        pool.connect(refused)
        await refused.told.wait()
        assert isinstance(refused.fault, FileNotFoundError)


def test_a_pool_keeps_what_is_needed() -> None:
    asyncio.run(scenario())


@pytest.mark.parametrize(("host", "place"), [("127.0.0.1", "127.0.0.1:{}"), ("::1", "[::1]:{}")])
def test_a_pod_is_reached_at_either_kind_of_address(host: str, place: str) -> None:
    async def story() -> None:
        accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        server = await asyncio.start_server(lambda _, writer: accepted.put_nowait(writer), host, 0)
        pool = Watched(place.format(server.sockets[0].getsockname()[1]))
        await connected(pool)
        writer = await accepted.get()
        assert writer.get_extra_info("sockname")[0] == host
        writer.close()
        pool.close()
        server.close()

    asyncio.run(story())
