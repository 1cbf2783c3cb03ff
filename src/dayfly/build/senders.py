"""Who may send sources, and for which namespace: whoever has its secret.

    secret of a namespace = dayfly_builder_ + HMAC-SHA256(key, "payload\\0" + namespace)

so that there is one key to keep, in a file. An archive is on the disk while it comes; its signature is checked over all
of it before a byte of it is understood.
"""

import asyncio
import base64
import hashlib
import hmac
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec

from dayfly.model.builder import MAX_CONTEXT_BYTES, PREFIX
from dayfly.model.errors import LimitExceeded, PayloadTooLarge, Unauthenticated
from dayfly.model.names import NamespaceName
from dayfly.storage.medium import disk_failed

_SIGNATURE = re.compile(r"(?:hmac=)?sha256=([0-9a-f]{64})")
_MOST_COMING = 8
_RECEIVE_S = 300.0
_MOST_HASHED_BYTES = 2**30
"""How much is hashed at most to find whose a signature is: a namespace more is a pass over the archive more."""
_CHUNK = 1024 * 1024


class Received(msgspec.Struct, frozen=True):
    """An archive that came with a signature of this namespace."""

    namespace: NamespaceName
    archive: bytes


class Senders:
    """Takes archives. `key` is 32 random bytes; `namespaces` tells those there are."""

    def __init__(self, key: bytes, folder: Path, namespaces: Callable[[], Sequence[NamespaceName]]) -> None:
        self._key = key
        self._folder = folder
        self._namespaces = namespaces
        self._coming = 0
        folder.mkdir(mode=0o700, exist_ok=True)
        for left in folder.glob("build-*"):  # of a life that was killed
            shutil.rmtree(left, ignore_errors=True)

    def secret(self, namespace: NamespaceName) -> str:
        """Return what signs sources for the namespace."""
        derived = hmac.digest(self._key, b"payload\0" + namespace.encode(), "sha256")
        return PREFIX + base64.urlsafe_b64encode(derived).decode().rstrip("=")

    async def receive(self, chunks: AsyncIterator[bytes], signature: str) -> Received:
        """Return the archive once it is here and signed as it should be.

        Raises Unauthenticated, PayloadTooLarge, LimitExceeded while too many come, StoreUnavailable.
        """
        match = _SIGNATURE.fullmatch(signature.strip().lower())
        if match is None:
            hint = "faas-cli makes it with --payload-secret; `dayfly builder secret` prints what goes into that file."
            raise Unauthenticated("The sources need a signature in X-Build-Signature: sha256=HEX", hint=hint)
        if self._coming >= _MOST_COMING:
            raise LimitExceeded(f"{_MOST_COMING} builds are being sent already", retry_after_s=5)
        self._coming += 1
        try:
            with tempfile.TemporaryDirectory(prefix="build-", dir=self._folder) as name:
                path = Path(name, "context.tar")
                await self._keep(path, chunks)
                namespace = await asyncio.to_thread(self._signer, path, match[1])
                if namespace is None:
                    raise Unauthenticated("The signature of the sources is of no namespace here")
                return Received(namespace, await asyncio.to_thread(path.read_bytes))
        except OSError as error:
            raise disk_failed("the sources could not be kept", error) from error
        finally:
            self._coming -= 1

    async def _keep(self, path: Path, chunks: AsyncIterator[bytes]) -> None:
        size, pending = 0, bytearray()
        with path.open("xb") as file:
            try:
                async with asyncio.timeout(_RECEIVE_S):
                    async for chunk in chunks:
                        size += len(chunk)
                        if size > MAX_CONTEXT_BYTES:
                            most = MAX_CONTEXT_BYTES // 2**20
                            raise PayloadTooLarge(f"The sources are larger than the {most} MiB that they may have")
                        pending += chunk
                        if len(pending) >= _CHUNK:
                            await asyncio.to_thread(file.write, bytes(pending))
                            pending.clear()
            except TimeoutError:
                raise LimitExceeded(f"The sources did not come within {_RECEIVE_S:g} s") from None
            await asyncio.to_thread(file.write, bytes(pending))

    def _signer(self, path: Path, signature: str) -> NamespaceName | None:
        """Return the namespace whose secret made the signature."""
        most = max(1, _MOST_HASHED_BYTES // max(1, path.stat().st_size))
        for namespace in self._namespaces()[:most]:
            made = hmac.new(self.secret(namespace).encode(), digestmod=hashlib.sha256)
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    made.update(chunk)
            if hmac.compare_digest(made.hexdigest(), signature):
                return namespace
        return None
