"""Where functions' code comes from, as the HTTP handlers see it: bundles, images, and what builds from sources."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from dayfly.model.builder import BuilderKey, BuildLine
from dayfly.model.function import FunctionSpec
from dayfly.model.names import BundleDigest, NamespaceName


class Bundles(Protocol):
    """Where uploaded code bundles are kept, by the digest of their bytes, for the namespace they were uploaded into."""

    async def put(
        self, namespace: NamespaceName, digest: BundleDigest, chunks: AsyncIterator[bytes], limit_bytes: int
    ) -> int:
        """Keep the bytes and return their number. Raises InvalidRequest when they are not what the digest says,
        PayloadTooLarge beyond the limit.
        """
        ...

    async def has(self, namespace: NamespaceName, digest: BundleDigest) -> bool:
        """Whether the namespace has the bundle."""
        ...

    async def read(self, namespace: NamespaceName, digest: BundleDigest) -> bytes:
        """Return the namespace's bundle. Raises NotFound, StoreUnavailable."""
        ...


class Images(Protocol):
    """What images' names mean."""

    async def resolve(self, spec: FunctionSpec) -> FunctionSpec:
        """Return what to deploy for a deployment that names an image. Raises InvalidSpec, StoreUnavailable."""
        ...


class Builder(Protocol):
    """What makes functions from sources."""

    def secret(self, namespace: NamespaceName) -> str:
        """Return what signs sources for the namespace."""
        ...

    def public_key(self) -> BuilderKey:
        """Return what secrets of a build are sealed for."""
        ...

    async def receive(self, chunks: AsyncIterator[bytes], signature: str) -> Any:
        """Return sources once they are here and signed. Raises Unauthenticated, PayloadTooLarge, LimitExceeded."""
        ...

    def build(self, received: Any) -> AsyncIterator[BuildLine]:
        """Build what was received, and tell how it goes to its end."""
        ...
