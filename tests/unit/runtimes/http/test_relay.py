"""The relay between a replica's unix socket and its program: every byte, both ways, at the slower one's pace."""

import asyncio
import contextlib
import socket
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from dayfly.runtimes.http.relay import Caller, Relay
from dayfly.runtimes.python.family import listen

DEADLINE_S = 60.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Program = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Stand:
    """A program on a port and a relay before it."""

    def __init__(self, path: str, relay: Relay, idle: list[int]) -> None:
        self.path = path
        self.relay = relay
        self.idle = idle
        self.writers: list[asyncio.StreamWriter] = []
        self.make: Callable[[], Caller] = relay.connection

    async def call(self) -> Streams:
        reader, writer = await asyncio.open_unix_connection(self.path)
        self.writers.append(writer)
        return reader, writer

    def hold_connections(self) -> asyncio.Event:
        """Have the program's side of each connection come after the event that is returned."""
        relay, go_on = self.relay, asyncio.Event()

        class Late(Caller):
            async def _connect(self) -> None:
                await go_on.wait()
                await super()._connect()

        self.make = lambda: Late(relay)
        return go_on


@contextlib.asynccontextmanager
async def stand(folder: Path, program: Program | None) -> AsyncIterator[Stand]:
    """A relay to `program`, or to nobody."""
    if program is None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        server = None
    else:
        server = await asyncio.start_server(program, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
    idle: list[int] = []
    relay = Relay("127.0.0.1", port, lambda: idle.append(1))
    here = Stand(str(folder / "replica.sock"), relay, idle)
    with socket.socket(fileno=listen(here.path)) as listener:
        front = await asyncio.get_running_loop().create_unix_server(lambda: here.make(), sock=listener)
        try:
            async with asyncio.timeout(DEADLINE_S):
                yield here
        finally:
            front.close()
            if server is not None:
                server.close()
            for writer in here.writers:
                writer.transport.abort()
            await _quiet(relay)


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what a protocol has got comes without an event
        await asyncio.sleep(0.001)


async def _quiet(relay: Relay) -> None:
    """Wait until every connection is closed: the loop cannot be, before they are."""
    async with asyncio.timeout(DEADLINE_S):
        await until(lambda: not relay.callers and len(asyncio.all_tasks()) == 1)
    for _ in range(5):
        await asyncio.sleep(0)


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run on the loop that replicas have: what its transports do is what is relied on."""
    loop = uvloop.new_event_loop()
    faults: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: faults.append(context))
    try:
        loop.run_until_complete(main())
    finally:
        with warnings.catch_warnings():  # the loop never ends closing what is open when a warning of that is an error
            warnings.simplefilter("ignore", ResourceWarning)
            loop.close()
    assert faults == []


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.write(b"goodbye")
    writer.close()


def test_bytes_pass_as_they_are_and_an_end_is_passed_on_alone(tmp_path: Path) -> None:
    sent = bytes(range(256)) * 20_000

    async def main() -> None:
        async with stand(tmp_path, echo) as here:
            reader, writer = await here.call()
            writer.write(sent)
            assert await reader.readexactly(len(sent)) == sent
            writer.write_eof()  # half the connection: the answer still comes
            assert await reader.read() == b"goodbye"
            writer.close()

    run(main)


def test_what_comes_before_the_program_took_the_connection_is_kept(tmp_path: Path) -> None:
    async def main() -> None:
        async with stand(tmp_path, echo) as here:
            go_on = here.hold_connections()
            reader, writer = await here.call()
            writer.write(b"early")
            await until(lambda: [caller for caller in here.relay.callers if caller._early])
            writer.write(b"late")
            go_on.set()
            assert await reader.readexactly(9) == b"earlylate"

    run(main)


def test_an_end_that_comes_as_early_is_kept_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with stand(tmp_path, echo) as here:
            go_on = here.hold_connections()
            reader, writer = await here.call()
            writer.write_eof()
            await until(lambda: [caller for caller in here.relay.callers if caller.over])
            go_on.set()
            assert await reader.read() == b"goodbye"

    run(main)


def test_a_caller_who_goes_is_gone_for_a_program_that_answers(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def program(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:  # as a stream without an end
                writer.write(b"x" * 1000)
                await writer.drain()
        ended.set()
        writer.close()

    async def main() -> None:
        async with stand(tmp_path, program) as here:
            reader, writer = await here.call()
            await reader.readexactly(5000)
            writer.transport.abort()
            await ended.wait()

    run(main)


def test_all_of_an_answer_comes_from_a_program_that_hangs_up(tmp_path: Path) -> None:
    size = 5_000_000

    async def program(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * size)
        writer.close()

    async def main() -> None:
        async with stand(tmp_path, program) as here:
            reader, writer = await here.call()
            assert len(await reader.read()) == size
            writer.close()

    run(main)


def test_the_faster_side_waits(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    got: list[int] = []

    async def program(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        got.append(len(await reader.read()))
        writer.close()

    async def main() -> None:
        async with stand(tmp_path, program) as here:
            _, writer = await here.call()
            writer.transport.set_write_buffer_limits(high=0)
            sent = 0
            piece = b"x" * 1_000_000
            with contextlib.suppress(TimeoutError):
                while sent < 200_000_000:
                    writer.write(piece)
                    sent += len(piece)
                    async with asyncio.timeout(0.5):  # how long is no matter: it ends when nothing more is taken
                        await writer.drain()
            go_on.set()
            assert sent < 100_000_000
            writer.write_eof()
            await until(lambda: got)
            assert got == [sent]
            writer.close()

    run(main)


def test_a_program_that_is_not_there_ends_the_connection(tmp_path: Path) -> None:
    async def main() -> None:
        async with stand(tmp_path, None) as here:
            reader, writer = await here.call()
            with contextlib.suppress(ConnectionError):
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
                assert await reader.read() == b""
            writer.close()

    run(main)


def test_it_is_told_when_the_last_connection_is_over(tmp_path: Path) -> None:
    async def main() -> None:
        async with stand(tmp_path, echo) as here:
            calls = [await here.call() for _ in range(2)]
            for reader, writer in calls:
                writer.write(b"x")
                await reader.readexactly(1)
            assert len(here.relay.callers) == 2
            calls[0][1].close()
            await until(lambda: len(here.relay.callers) == 1)
            assert here.idle == []
            calls[1][1].close()
            await until(lambda: not here.relay.callers)
            assert here.idle == [1]

    run(main)


@pytest.fixture(autouse=True)
def short_path(tmp_path: Path) -> None:
    """A unix socket's path has a limit that some temporary folders come near."""
    assert len(str(tmp_path / "replica.sock")) < 108
