"""Code bundles by tenant: a namespace may run what was uploaded into it, and nothing it only knows the digest of.

The bytes are kept once under their digest. That they are here already, because another tenant uploaded the same, saves
no upload and is told to nobody: whoever sends the bytes has them.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from dayfly.model.errors import NotFound
from dayfly.model.names import BundleDigest, NamespaceName
from dayfly.storage.tenancy import TenancyStore


class Blobs(Protocol):
    """Where bundles are kept, whosever they are."""

    async def put(self, digest: BundleDigest, chunks: AsyncIterator[bytes], limit_bytes: int) -> int:
        """Keep the bytes and return their number. Raises InvalidRequest, PayloadTooLarge, StoreUnavailable."""

    def has(self, digest: BundleDigest) -> bool:
        """Whether the bundle is here."""

    async def read(self, digest: BundleDigest) -> bytes:
        """Return the bundle's bytes. Raises NotFound, StoreUnavailable."""


class Bundles:
    """The bundles of every namespace."""

    def __init__(self, blobs: Blobs, store: TenancyStore) -> None:
        self._blobs = blobs
        self._store = store

    async def put(
        self, namespace: NamespaceName, digest: BundleDigest, chunks: AsyncIterator[bytes], limit_bytes: int
    ) -> int:
        """Keep the bundle for the namespace and return its size in bytes.

        Raises InvalidRequest when the content is not what the digest says, PayloadTooLarge, StoreUnavailable.
        """
        size = await self._blobs.put(digest, chunks, limit_bytes)
        await self._store.claim_bundle(namespace, digest)
        return size

    async def has(self, namespace: NamespaceName, digest: BundleDigest) -> bool:
        """Whether the namespace has the bundle. Raises StoreUnavailable."""
        return self._blobs.has(digest) and await self._store.has_bundle(namespace, digest)

    async def read(self, namespace: NamespaceName, digest: BundleDigest) -> bytes:
        """Return the namespace's bundle. Raises NotFound, as for one that only others have; StoreUnavailable."""
        if not await self.has(namespace, digest):
            raise NotFound(f"the bundle {digest} is not here")
        return await self._blobs.read(digest)
