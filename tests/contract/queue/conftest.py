"""The queue's stores: the one in memory, and the one on a real nats-server."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from dayfly.queue.binary import find_server
from dayfly.queue.jetstream import JetStreamStore
from dayfly.queue.journal import Journals
from dayfly.queue.memory import MemoryQueueStore
from dayfly.queue.port import QueueStore
from dayfly.queue.server import ACCESS

DEADLINE_S = 60.0
Connects = TypeVar("Connects", JetStreamStore, Journals)


class NatsServer:
    """A nats-server in a folder of its own, started as the platform starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def access_file(self) -> Path:
        """Where its port and passwords are."""
        return self.folder / ACCESS

    def start(self) -> None:
        """Start it; it may take a moment until it answers."""
        self._process = subprocess.Popen(
            [
                sys.executable, "-P", "-m", "dayfly.queue.server", find_server({}).path, "--run", str(self.folder),
                "--store", str(self.folder / "queue"), "--max-store", str(2**30),
            ]
        )  # fmt: skip

    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """Kill it as a machine without memory would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture(scope="module")
def nats_server() -> Iterator[NatsServer]:
    """A server for the module's tests; each keeps to call ids of its own."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        server = NatsServer(Path(name))
        server.start()
        yield server
        server.kill()


async def until(is_true: Callable[[], bool]) -> None:
    """Return once it is."""
    while True:
        if is_true():
            return
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(store: Connects) -> AsyncIterator[Connects]:
    """Keep it connected for as long as it is used."""
    task = asyncio.create_task(store.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            await until(lambda: store.connection.is_up)
        yield store
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextlib.asynccontextmanager
async def opened(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[QueueStore]:
    """Open a store of the kind."""
    if kind == "memory":
        yield MemoryQueueStore()
        return
    async with running(JetStreamStore(request.getfixturevalue("nats_server").access_file)) as store:
        yield store
