"""Journals on a real nats-server, empty."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.contract.queue.conftest import NatsServer, running

from dayfly.queue.journal import STREAMS, Journals


@contextlib.asynccontextmanager
async def connected(access_file: Path) -> AsyncIterator[Journals]:
    """Yield the journals as they are."""
    async with running(Journals(access_file)) as found:
        yield found


@contextlib.asynccontextmanager
async def journals(server: NatsServer) -> AsyncIterator[Journals]:
    """Yield journals that nobody has written."""
    async with connected(server.access_file) as found:
        context = await found.connection.context()
        for stream in STREAMS:
            await context.purge_stream(stream)
        yield found
