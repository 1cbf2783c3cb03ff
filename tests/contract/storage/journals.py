"""Journals on a real nats-server, empty."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.contract.queue.conftest import DEADLINE_S, NatsServer, until

from dayfly.queue.journal import FLOWS, SPENDING, Journals


@contextlib.asynccontextmanager
async def connected(access_file: Path) -> AsyncIterator[Journals]:
    """Yield the journals as they are."""
    found = Journals(access_file)
    task = asyncio.create_task(found.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            await until(lambda: found.connection.is_up)
        yield found
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextlib.asynccontextmanager
async def journals(server: NatsServer) -> AsyncIterator[Journals]:
    """Yield journals that nobody has written."""
    async with connected(server.access_file) as found:
        context = await found.connection.context()
        for stream in (FLOWS, SPENDING):
            await context.purge_stream(stream)
        yield found
