"""Machines that are gone without a word. The kernel drops what comes for a full queue of connections, as they do."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import pytest
from tests.unit.http1.test_pool import Caller, connected

from dayfly.http1 import pool as pools
from dayfly.http1.pool import Pool
from dayfly.http1.sieve import Sieve
from dayfly.http1.silence import is_silence
from dayfly.http1.upstream import UpstreamConnection


@contextlib.contextmanager
def mute() -> Iterator[socket.socket]:
    """Have a listener that answers nobody, until somebody accepts from it what fills its queue."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, socket.socket() as filling:
        filling.connect(listener.getsockname())
        yield listener


def pool_at(listener: socket.socket) -> Pool:
    return Pool(f"127.0.0.1:{listener.getsockname()[1]}", Sieve(lambda _: False))


async def heard(pool: Pool) -> bool:
    told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    pool.try_out(told.set_result)
    return await told


def option(upstream: UpstreamConnection, name: int) -> int:
    assert upstream.transport is not None
    found: int = upstream.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, name)
    return found


@pytest.mark.parametrize(
    ("fault", "silent"),
    [
        (TimeoutError(), True),
        (OSError(errno.ETIMEDOUT, "x"), True),
        (OSError(errno.EHOSTUNREACH, "x"), True),
        (OSError(errno.ECONNREFUSED, "x"), False),
        (OSError(errno.ECONNRESET, "x"), False),
        (EOFError(), False),
        (None, False),
    ],
)
def test_what_is_silence(fault: Exception | None, silent: bool) -> None:
    assert is_silence(fault) is silent


def test_a_machine_that_does_not_answer_is_silent_until_it_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        with mute() as listener:
            pool, caller = pool_at(listener), Caller()
            pool.connect(caller)
            await caller.told.wait()
            assert isinstance(caller.fault, TimeoutError)
            assert (pool.silent, await heard(pool), pool.silent) == (True, False, True)
            listener.accept()[0].close()
            assert (await heard(pool), pool.silent, len(pool.idle)) == (True, False, 1)
            pool.close()

    monkeypatch.setattr(pools, "CONNECT_TIMEOUT_S", 0.05)
    asyncio.run(scenario())


def test_a_machine_that_refuses_is_heard() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            pool = pool_at(listener)
        pool.silent = True
        assert (await heard(pool), pool.silent) == (True, False)

    asyncio.run(scenario())


def test_silence_on_one_connection_ends_those_that_wait() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            pool = pool_at(listener)
            lost, idle = await connected(pool), await connected(pool)
            pool.put(idle)
            lost.connection_lost(ConnectionResetError())
            assert (pool.silent, pool.take()) == (False, idle)
            pool.put(idle)
            lost.connection_lost(OSError(errno.ETIMEDOUT, "Connection timed out"))
            assert (pool.silent, pool.take()) == (True, None)
            assert idle.transport is None or idle.transport.is_closing()
            pool.close()

    asyncio.run(scenario())


def test_silence_breaks_a_connection_but_slowness_does_not() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            pool = pool_at(listener)
            upstream = await connected(pool)
            assert option(upstream, socket.TCP_USER_TIMEOUT) == 10_000
            assert option(upstream, socket.TCP_KEEPIDLE) + 3 * option(upstream, socket.TCP_KEEPINTVL) <= 11
            for send in (lambda: upstream.write_parts(b"head", bytes(65_536)), lambda: upstream.spill(b"more")):
                send()
                assert option(upstream, socket.TCP_USER_TIMEOUT) == 0, "what it does not take yet would break it"
                upstream.answer.spoiled = False
                upstream.release()
                assert option(upstream, socket.TCP_USER_TIMEOUT) == 10_000
            upstream.write_parts(b"head", b"little")
            assert option(upstream, socket.TCP_USER_TIMEOUT) == 10_000
            upstream.abort()
            pool.close()

    asyncio.run(scenario())
