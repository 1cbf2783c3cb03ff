"""The store's functions, in place of the images that they stand in for.

Where no container engine is they always do. Where there is one, a name that can only mean the well-known image is taken
as ours, which starts in milliseconds; one with a digest, or in a registry of somebody's own, promises other bytes and
runs as a container, unless the annotation `com.dayfly.image: native` says otherwise.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from dayfly.catalog.bundles import bundle_of
from dayfly.catalog.entries import Entry
from dayfly.catalog.images import entry_for, is_well_known
from dayfly.control.images import STORE_LANG, Code
from dayfly.model.engine import EngineState
from dayfly.model.function import FunctionSpec
from dayfly.model.image import image_wish
from dayfly.model.names import BundleDigest, NamespaceName, parse_bundle_digest


class Bundles(Protocol):
    """Where bundles are kept for a namespace."""

    async def has(self, namespace: NamespaceName, digest: BundleDigest) -> bool:
        """Whether the namespace has the bundle. Raises StoreUnavailable."""
        ...

    async def put(
        self, namespace: NamespaceName, digest: BundleDigest, chunks: AsyncIterator[bytes], limit_bytes: int
    ) -> int:
        """Keep the bundle for the namespace. Raises StoreUnavailable."""
        ...


class StoreImages:
    """The store as a source of code; `engine` tells of the container engine now."""

    def __init__(self, bundles: Bundles, engine: Callable[[], EngineState]) -> None:
        self._bundles = bundles
        self._engine = engine

    async def find(self, spec: FunctionSpec) -> Code | None:
        """Return the store's function for the image, its bundle being in the namespace then."""
        entry = await asyncio.to_thread(entry_for, spec.image, spec.process)
        if entry is None:
            return None
        has_choice = self._engine().engine is not None and image_wish(spec.annotations) != "native"
        if has_choice and not is_well_known(spec.image):
            return None
        return Code(
            bundle=await self._bundle(spec.key.namespace, entry), runtime=entry.runtime, lang=STORE_LANG,
            process=entry.process, network=entry.network,
        )  # fmt: skip

    async def _bundle(self, namespace: NamespaceName, entry: Entry) -> BundleDigest:
        data, name = await asyncio.to_thread(bundle_of, entry)
        digest = parse_bundle_digest(name)
        if not await self._bundles.has(namespace, digest):
            await self._bundles.put(namespace, digest, _once(data), len(data))
        return digest


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
