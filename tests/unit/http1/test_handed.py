"""Connections handed over: taken, refused, cut short, and used by a pool like any other."""

import asyncio
import contextlib
import errno
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from dayfly.http1 import handed
from dayfly.http1.pool import Pool
from dayfly.http1.sieve import Sieve
from dayfly.http1.upstream import UpstreamConnection

DEADLINE_S = 60.0
Answer = Callable[[socket.socket], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Runs a coroutine on either loop."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else None

    def run(scenario: object) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(scenario, DEADLINE_S))  # type: ignore[arg-type]  # a coroutine

    return run


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dfh") as name:
        yield Path(name)


@pytest.fixture
def porter(folder: Path) -> Iterator[Callable[[Answer], str]]:
    """Starts somebody who answers each connection, and tells where."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "in"))
    listener.listen(8)

    def start(answer: Answer) -> str:
        def accept() -> None:
            asking, _ = listener.accept()
            with asking:
                answer(asking)

        asyncio.get_running_loop().add_reader(listener.fileno(), accept)
        return str(folder / "in")

    yield start
    listener.close()


def open_sockets() -> set[str]:
    """Return which sockets this process holds, each by what nothing else is called: a number of a descriptor would be
    given anew, and what tests before these left may be closed at any time.
    """
    held = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            held.add(os.readlink(f"/proc/self/fd/{fd}"))
    return {each for each in held if each.startswith("socket:")}


def test_a_pool_speaks_over_the_socket_it_was_handed(run: Callable[..., None], porter: Callable[[Answer], str]) -> None:
    async def scenario() -> None:
        said: asyncio.Queue[bytes] = asyncio.Queue()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            said.put_nowait(await reader.readexactly(5))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]

        def answer(asking: socket.socket) -> None:
            with socket.create_connection(("127.0.0.1", port)) as connected:
                socket.send_fds(asking, [b"+"], [connected.fileno()])

        taken: asyncio.Future[UpstreamConnection] = asyncio.get_running_loop().create_future()

        class Caller:
            def connected(self, upstream: UpstreamConnection) -> None:
                taken.set_result(upstream)

            def unreachable(self, fault: OSError) -> None:
                taken.set_exception(fault)

        Pool(f"handed:{porter(answer)}", Sieve(lambda _: False)).connect(Caller())  # type: ignore[arg-type]  # enough of one
        upstream = await taken
        assert upstream.transport is not None
        upstream.transport.write(b"hello")
        assert await said.get() == b"hello"
        upstream.drop()
        server.close()

    run(scenario())


@pytest.mark.parametrize(
    ("words", "fds", "told"),
    [
        (b"-port 8080: Connection refused", 0, "port 8080"),
        (b"", 0, "nothing"),
        (b"+", 0, "nothing"),
        (b"+", 2, "nothing"),
    ],
)
def test_what_is_no_socket_is_a_refusal_and_leaves_nothing_open(
    run: Callable[..., None], porter: Callable[[Answer], str], words: bytes, fds: int, told: str
) -> None:
    async def scenario() -> None:
        def answer(asking: socket.socket) -> None:
            if words:
                socket.send_fds(asking, [words], [asking.fileno()] * fds)

        path = porter(answer)
        before = open_sockets()
        with pytest.raises(ConnectionRefusedError, match=told):
            await handed.take(path)
        assert open_sockets() - before == set()

    run(scenario())


def test_a_full_queue_says_try_again(run: Callable[..., None], folder: Path) -> None:
    async def scenario() -> None:
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
            listener.bind(str(folder / "in"))
            listener.listen(0)
            waiting.connect(str(folder / "in"))
            with pytest.raises(BlockingIOError) as raised:
                await handed.take(str(folder / "in"))
            assert raised.value.errno == errno.EAGAIN

    run(scenario())


def test_giving_up_leaves_nothing_open(run: Callable[..., None], folder: Path) -> None:
    async def scenario() -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "in"))
            listener.listen(8)
            before = open_sockets()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(handed.take(str(folder / "in")), 0.05)
            assert open_sockets() - before == set()

    run(scenario())
