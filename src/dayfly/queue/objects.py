"""Bundles in the object store of JetStream: what several control planes, one after the other, work with."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import ObjectStoreConfig
from nats.js.errors import BucketNotFoundError, Error, NotFoundError, ObjectNotFoundError
from nats.js.object_store import ObjectStore

from dayfly.model.errors import NotFound, StoreUnavailable, Unavailable
from dayfly.queue.connection import Connection

BUCKET = "bundles"
_GONE = (nats.errors.Error, Error, OSError, TimeoutError)
_TRANSFER_S = 60.0
"""How long a bundle, of 64 MiB at most, may take."""


class Objects:
    """Bytes by name. `run` must be running for anything else to come to an end. All raise StoreUnavailable."""

    def __init__(self, access_file: Path) -> None:
        self._connection = Connection(access_file, _make_bucket)

    async def run(self) -> None:
        """Keep connected until cancelled."""
        await self._connection.run()

    async def names(self) -> set[str]:
        """Return the names of all."""
        async with self._store() as store:
            try:
                return {info.name for info in await store.list()}
            except NotFoundError:
                return set()

    async def put(self, name: str, data: bytes) -> None:
        """Keep the bytes. Idempotent."""
        async with self._store() as store:
            await store.put(name, data)

    async def get(self, name: str) -> bytes:
        """Return the bytes. Raises NotFound."""
        async with self._store() as store:
            try:
                return (await store.get(name)).data or b""
            except (ObjectNotFoundError, NotFoundError) as error:
                raise NotFound(f"the bundle {name} is not in the queue's object store") from error

    async def delete(self, name: str) -> None:
        """Remove it. Idempotent."""
        async with self._store() as store:
            with contextlib.suppress(ObjectNotFoundError, NotFoundError):
                await store.delete(name)

    @contextlib.asynccontextmanager
    async def _store(self) -> AsyncIterator[ObjectStore]:
        try:
            context = await self._connection.context()
            async with asyncio.timeout(_TRANSFER_S):
                yield await context.object_store(BUCKET)
        except Unavailable as error:
            raise StoreUnavailable(f"functions' code cannot be reached: {error}") from error
        except _GONE as error:
            why = str(error) or type(error).__name__
            raise StoreUnavailable(f"functions' code cannot be reached in the queue: {why}") from error


async def _make_bucket(context: JetStreamContext, copies: int) -> None:
    try:
        await context.object_store(BUCKET)
    except (BucketNotFoundError, NotFoundError):
        await context.create_object_store(BUCKET, ObjectStoreConfig(bucket=BUCKET, replicas=copies))
        return
    kept = (await context.stream_info(f"OBJ_{BUCKET}")).config
    if kept.num_replicas != copies:
        await context.update_stream(kept.evolve(num_replicas=copies))
