"""Uploaded code bundles, as files named after what is in them.

A bundle is written to a file of its own beside the others, checked against its digest, flushed, and only then gets its
name: what has a name is whole. Two uploads of the same bundle do no harm. A name that could not be flushed is taken
away again: nobody was told of it, and a deployment must not come to rest on it.
"""

import asyncio
import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Container
from pathlib import Path
from typing import ParamSpec, TypeVar

from dayfly.model.errors import InvalidRequest, NotFound, PayloadTooLarge
from dayfly.model.names import BundleDigest, parse_bundle_digest
from dayfly.storage.claims import CLAIM_S, Claims
from dayfly.storage.medium import disk_failed

log = logging.getLogger("dayfly.storage")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
_FLUSH_BYTES = 1 << 20
"""Bytes collected before they are handed to a thread: a hop there costs more than writing a small chunk."""
_PART = ".part"


class FileBlobs:
    """Bundles under `root/sha256/`, readable by their owner only. Raises StoreUnavailable when the disk fails."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "sha256"
        self._publishing = threading.Lock()
        self._claims = Claims()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise disk_failed(f"there is no place for bundles at {self._folder}", error) from error
        try:
            for left in self._folder.glob(f"*{_PART}"):
                left.unlink(missing_ok=True)
            # A life that was killed between naming and flushing has left a name that a deployment may rely on now.
            _flush(self._folder)
        except OSError as error:
            log.warning("%s: what an earlier life left could not be tidied up: %s", self._folder, error)

    async def put(self, digest: BundleDigest, chunks: AsyncIterator[bytes], limit_bytes: int) -> int:
        """Keep the bundle and return its size in bytes.

        Raises InvalidRequest when the content is not what the digest says, PayloadTooLarge beyond `limit_bytes`,
        StoreUnavailable when the disk fails, StoreFull when it is full. Nothing stays of a bundle that was refused or
        broken off.
        """
        final = self._final(digest)
        part = self._folder / f"{secrets.token_hex(8)}{_PART}"
        try:
            size = await self._receive(part, digest, chunks, limit_bytes)
            self._claims.make(digest)  # before it has its name: what was here before may be about to be discarded
            await self._on_disk(self._publish, part, final)
        finally:
            part.unlink(missing_ok=True)
        return size

    def has(self, digest: BundleDigest) -> bool:
        """Whether the bundle is here, whole. Who asks may be about to deploy it: it stays for CLAIM_S."""
        here = self._final(digest).is_file()
        if here:
            self._claims.make(digest)
        return here

    async def read(self, digest: BundleDigest) -> bytes:
        """Return the bundle's bytes. Raises NotFound, StoreUnavailable."""
        try:
            return await asyncio.to_thread(self.path(digest).read_bytes)
        except FileNotFoundError:
            raise NotFound(f"the bundle {digest} is not here any more") from None
        except OSError as error:
            raise disk_failed(f"the bundle {digest} could not be read", error) from error

    def unused(self, used: Container[BundleDigest]) -> list[BundleDigest]:
        """Return the bundles that are not `used` and were not uploaded within CLAIM_S, by this life or another."""
        before = time.time() - CLAIM_S
        found = {BundleDigest(f"sha256:{each.name}"): each for each in self._folder.iterdir() if each.suffix != _PART}
        return [digest for digest, file in found.items() if digest not in used and file.stat().st_mtime < before]

    def discard(self, digest: BundleDigest) -> bool:
        """Remove the bundle unless somebody has asked for it since; return whether it is gone. Raises OSError."""
        if self._claims.hold(digest):
            return False
        self._final(digest).unlink(missing_ok=True)
        return True

    def path(self, digest: BundleDigest) -> Path:
        """Return the file that holds the bundle. Raises NotFound."""
        final = self._final(digest)
        if not final.is_file():
            raise NotFound(f"the bundle {digest} was not uploaded here")
        return final

    async def _receive(self, part: Path, digest: BundleDigest, chunks: AsyncIterator[bytes], limit_bytes: int) -> int:
        received, pending, hasher = 0, bytearray(), hashlib.sha256()
        descriptor = await self._on_disk(os.open, part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:

            def write(data: bytes) -> None:
                hasher.update(data)
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]

            async for chunk in chunks:
                received += len(chunk)
                if received > limit_bytes:
                    raise PayloadTooLarge(f"the bundle is larger than the {limit_bytes} bytes a bundle may have")
                pending += chunk
                if len(pending) >= _FLUSH_BYTES:
                    await self._on_disk(write, bytes(pending))
                    pending.clear()
            await self._on_disk(write, bytes(pending))
            found = f"sha256:{hasher.hexdigest()}"
            if found != digest:
                raise InvalidRequest(f"the bundle's digest is {found}, not {digest}: it was damaged or mislabelled")
            await self._on_disk(os.fsync, file.fileno())
        return received

    async def _on_disk(
        self, action: Callable[Arguments, Result], *args: Arguments.args, **named: Arguments.kwargs
    ) -> Result:
        try:
            return await asyncio.to_thread(action, *args, **named)
        except OSError as error:
            raise disk_failed(f"the bundle could not be kept in {self._folder}", error) from error

    def _publish(self, part: Path, final: Path) -> None:
        # One at a time, so that the name that is taken away is never one that somebody else was told of.
        with self._publishing:
            known = final.exists()
            part.rename(final)
            try:
                _flush(self._folder)
            except OSError:
                if not known:
                    final.unlink(missing_ok=True)
                raise

    def _final(self, digest: BundleDigest) -> Path:
        return self._folder / parse_bundle_digest(digest).removeprefix("sha256:")


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
