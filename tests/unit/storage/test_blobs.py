"""Bundles on the disk: whole or not there."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dayfly.model.errors import InvalidName, InvalidRequest, NotFound, PayloadTooLarge, StoreFull, StoreUnavailable
from dayfly.model.names import BundleDigest
from dayfly.storage.blobs import FileBlobs

DATA = b"some code" * 300_000


def digest_of(data: bytes) -> BundleDigest:
    return BundleDigest(f"sha256:{hashlib.sha256(data).hexdigest()}")


async def chunks_of(data: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def put(blobs: FileBlobs, digest: BundleDigest, data: bytes, limit: int = 10**9) -> int:
    return asyncio.run(blobs.put(digest, chunks_of(data), limit))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_what_was_put_is_there_whole(tmp_path: Path, data: bytes) -> None:
    blobs, digest = FileBlobs(tmp_path), digest_of(data)
    assert not blobs.has(digest)
    assert put(blobs, digest, data) == len(data)
    assert blobs.has(digest)
    assert blobs.path(digest).read_bytes() == data
    assert put(blobs, digest, data) == len(data)
    assert files(tmp_path) == [blobs.path(digest)]


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path / "blobs")
    put(blobs, digest_of(b"x"), b"x")
    assert stat.S_IMODE(blobs.path(digest_of(b"x")).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "blobs" / "sha256").stat().st_mode) == 0o700


def test_what_is_not_what_its_digest_says_is_refused(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    with pytest.raises(InvalidRequest, match="damaged or mislabelled"):
        put(blobs, digest_of(b"right"), b"wrong")
    assert files(tmp_path) == []


def test_more_than_the_limit_is_refused_before_the_end(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536

    blobs = FileBlobs(tmp_path)
    with pytest.raises(PayloadTooLarge, match="larger than the 100000 bytes"):
        asyncio.run(blobs.put(digest_of(b""), endless(), 100_000))
    assert files(tmp_path) == []
    assert put(blobs, digest_of(b"12345"), b"12345", limit=5) == 5


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 3_000_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(FileBlobs(tmp_path).put(digest_of(b""), broken(), 10**9))
    assert files(tmp_path) == []


def test_a_cancelled_upload_leaves_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"x" * 3_000_000
            begun.set()
            await asyncio.Event().wait()

        upload = asyncio.create_task(FileBlobs(tmp_path).put(digest_of(b""), slow(), 10**9))
        await begun.wait()
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload

    asyncio.run(main())
    assert files(tmp_path) == []


def test_what_a_crash_left_is_swept_and_whole_bundles_stay(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    put(blobs, digest_of(b"x"), b"x")
    (tmp_path / "sha256" / "0123.part").write_bytes(b"half")
    FileBlobs(tmp_path)
    assert files(tmp_path) == [blobs.path(digest_of(b"x"))]


def test_the_same_bundle_may_come_twice_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = FileBlobs(tmp_path)
        sizes = await asyncio.gather(*(blobs.put(digest_of(DATA), chunks_of(DATA), 10**9) for _ in range(4)))
        assert sizes == [len(DATA)] * 4

    asyncio.run(main())
    assert len(files(tmp_path)) == 1


def test_what_is_not_there_and_what_cannot_be(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    with pytest.raises(NotFound, match="was not uploaded"):
        blobs.path(digest_of(b"x"))
    with pytest.raises(InvalidName):
        blobs.has(BundleDigest("sha256:../../etc/passwd"))


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [(errno.ENOSPC, StoreFull, "disk is full"), (errno.EROFS, StoreUnavailable, "cannot be written"),
     (errno.EIO, StoreUnavailable, "reports errors")],
)  # fmt: skip
def test_a_disk_that_fails_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StoreUnavailable], text: str
) -> None:
    def failing(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    blobs = FileBlobs(tmp_path)
    monkeypatch.setattr("os.fsync", failing)
    with pytest.raises(StoreUnavailable, match=text) as refusal:
        put(blobs, digest_of(b"x"), b"x")
    assert type(refusal.value) is kind
    assert refusal.value.hint
    assert files(tmp_path) == []


def test_a_name_that_could_not_be_flushed_is_taken_away_unless_it_was_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush, broken = os.fsync, True

    def folders_fail(descriptor: int) -> None:
        if broken and stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        flush(descriptor)

    blobs = FileBlobs(tmp_path)
    monkeypatch.setattr("os.fsync", folders_fail)
    with pytest.raises(StoreUnavailable):
        put(blobs, digest_of(b"x"), b"x")
    assert not blobs.has(digest_of(b"x"))
    broken = False
    put(blobs, digest_of(b"x"), b"x")
    broken = True
    with pytest.raises(StoreUnavailable):
        put(blobs, digest_of(b"x"), b"x")
    assert blobs.has(digest_of(b"x"))
