"""Bundles that outlive the control plane which took them in."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.names import BundleDigest
from dayfly.queue.objects import Objects
from dayfly.server.cluster.shared_blobs import SharedBlobs
from dayfly.server.cluster.wishing import bundled
from dayfly.storage.blobs import FileBlobs

CODE = b"def handle(event, context): ..."
DIGEST = BundleDigest(f"sha256:{hashlib.sha256(CODE).hexdigest()}")


class Kept(Objects):
    """An object store in memory, which can be away."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.is_away = False

    async def names(self) -> set[str]:
        self._look()
        return set(self.objects)

    async def put(self, name: str, data: bytes) -> None:
        self._look()
        self.objects[name] = data

    async def get(self, name: str) -> bytes:
        self._look()
        if name not in self.objects:
            raise NotFound(name)
        return self.objects[name]

    def _look(self) -> None:
        if self.is_away:
            raise StoreUnavailable("away")


async def _pieces() -> AsyncIterator[bytes]:
    yield CODE[:5]
    yield CODE[5:]


def test_a_bundle_is_there_for_the_next_control_plane(tmp_path: Path) -> None:
    async def main() -> None:
        kept = Kept()
        first = SharedBlobs(FileBlobs(tmp_path / "first"), kept)
        await first.open()
        assert not first.has(DIGEST)
        assert await first.put(DIGEST, _pieces(), 1000) == len(CODE)
        second = SharedBlobs(FileBlobs(tmp_path / "second"), kept)
        await second.open()
        assert second.has(DIGEST)
        await second.fetch(DIGEST)
        assert second.files.path(DIGEST).read_bytes() == CODE
        kept.is_away = True
        await second.fetch(DIGEST)  # it has a file of it

    asyncio.run(main())


def test_a_bundle_is_not_acknowledged_that_only_this_pod_has(tmp_path: Path) -> None:
    async def main() -> None:
        kept = Kept()
        blobs = SharedBlobs(FileBlobs(tmp_path / "files"), kept)
        await blobs.open()
        kept.is_away = True
        with pytest.raises(StoreUnavailable):
            await blobs.put(DIGEST, _pieces(), 1000)
        assert not blobs.has(DIGEST)
        kept.is_away = False
        await blobs.put(DIGEST, _pieces(), 1000)
        assert kept.objects == {DIGEST: CODE}

    asyncio.run(main())


def test_what_nobody_has_is_not_found(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = SharedBlobs(FileBlobs(tmp_path / "files"), Kept())
        await blobs.open()
        with pytest.raises(NotFound):
            await blobs.fetch(DIGEST)

    asyncio.run(main())


def test_what_was_damaged_on_the_way_is_not_used(tmp_path: Path) -> None:
    async def main() -> None:
        kept = Kept()
        kept.objects[DIGEST] = CODE + b"#"
        blobs = SharedBlobs(FileBlobs(tmp_path / "files"), kept)
        await blobs.open()
        with pytest.raises(Exception, match="digest"):
            await blobs.fetch(DIGEST)
        assert not blobs.files.has(DIGEST)

    asyncio.run(main())


def test_the_same_source_is_the_same_bundle() -> None:
    one = bundled({"handler.py": "x", "lib/a.py": "y"})
    assert one == bundled({"lib/a.py": "y", "handler.py": "x"})
    assert one != bundled({"handler.py": "x"})
