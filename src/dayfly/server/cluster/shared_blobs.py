"""Bundles of a cluster: kept in the queue's object store, which outlives a control plane, and in files while one works.

A bundle is acknowledged when both have it. What a new control plane has no file of is fetched when it is needed.
"""

from collections.abc import AsyncIterator

from dayfly.build.prepare import Prepare
from dayfly.model.function import FunctionSpec
from dayfly.model.names import BundleDigest, parse_bundle_digest
from dayfly.model.replica import Prepared
from dayfly.queue.objects import Objects
from dayfly.server.preparation import Pin, Preparation
from dayfly.storage.blobs import FileBlobs
from dayfly.storage.port import StateStore

_MOST_BYTES = 2**30


class SharedBlobs:
    """Bundles by their digests. `open` it before anything else."""

    def __init__(self, files: FileBlobs, objects: Objects) -> None:
        self.files = files
        self._objects = objects
        self._known: set[str] = set()

    async def open(self) -> None:
        """Learn which there are. Raises StoreUnavailable."""
        self._known = await self._objects.names()

    async def put(self, digest: BundleDigest, chunks: AsyncIterator[bytes], limit_bytes: int) -> int:
        """Keep the bundle and return its size. Raises InvalidRequest, PayloadTooLarge, StoreUnavailable."""
        size = await self.files.put(digest, chunks, limit_bytes)
        if digest not in self._known:
            await self._objects.put(digest, self.files.path(digest).read_bytes())
            self._known.add(digest)
        return size

    def has(self, digest: BundleDigest) -> bool:
        """Whether the bundle is kept."""
        return digest in self._known

    async def read(self, digest: BundleDigest) -> bytes:
        """Return the bundle's bytes. Raises NotFound, StoreUnavailable."""
        await self.fetch(digest)
        return await self.files.read(digest)

    async def fetch(self, digest: BundleDigest) -> None:
        """Have a file of it. Raises NotFound, StoreUnavailable."""
        if self.files.has(digest):
            return
        data = await self._objects.get(digest)
        await self.files.put(digest, _once(data), _MOST_BYTES)


class SharedPreparation(Preparation):
    """Makes revisions ready whose code may have to be fetched first."""

    def __init__(self, blobs: SharedBlobs, bundles: Prepare, pin: Pin, store: StateStore) -> None:
        super().__init__(bundles, pin, store)
        self._blobs = blobs

    async def prepare(self, spec: FunctionSpec, revision: int) -> Prepared:
        """Return what replicas are started from. Raises BuildFailed, InvalidRequest, NotFound, Unavailable."""
        if spec.bundle:
            await self._blobs.fetch(parse_bundle_digest(spec.bundle))
        return await super().prepare(spec, revision)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
