"""Bundles by tenant: what a namespace did not upload it does not get, though the bytes are here (threat T2)."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dayfly.control.bundles import Bundles
from dayfly.model.errors import NotFound
from dayfly.model.names import BundleDigest, parse_namespace
from dayfly.storage.blobs import FileBlobs
from dayfly.storage.memory_tenancy import MemoryTenancy

DATA = b"only mine"
DIGEST = BundleDigest(f"sha256:{hashlib.sha256(DATA).hexdigest()}")


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def test_only_who_has_a_bundle_reads_it(tmp_path: Path) -> None:
    async def story() -> None:
        tenancy = MemoryTenancy()
        bundles = Bundles(FileBlobs(tmp_path), tenancy)
        await bundles.put(parse_namespace("mine"), DIGEST, once(DATA), 100)
        assert await bundles.read(parse_namespace("mine"), DIGEST) == DATA
        with pytest.raises(NotFound, match="is not here"):
            await bundles.read(parse_namespace("other"), DIGEST)

    asyncio.run(story())
