"""Preparing a revision: its bundle unpacked, its dependencies installed, both at addresses that say what they are."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Protocol

from dayfly.build.extract import TEMPORARY_PREFIX, extract
from dayfly.build.layers import Layers
from dayfly.build.requirements import Requirements, parse_requirements
from dayfly.model.errors import InvalidSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.names import BundleDigest, parse_bundle_digest
from dayfly.model.replica import Prepared
from dayfly.storage.medium import disk_failed

_REQUIREMENTS = "requirements.txt"


class Bundles(Protocol):
    """Where uploaded bundles lie."""

    def path(self, digest: BundleDigest) -> Path:
        """Return the file. Raises NotFound."""
        ...


class Prepare:
    """Makes revisions ready to run. Asking again for what is ready costs a look at the disk.

    What an earlier life left half unpacked or half installed is removed.
    """

    def __init__(
        self, blobs: Bundles, code_root: Path, layer_root: Path, interpreter: str, *, allow_sdist: bool = False
    ) -> None:
        shared = os.geteuid() == 0
        self._blobs = blobs
        self._code_root = code_root
        self._shared = shared
        self._layers = Layers(layer_root, interpreter, shared=shared, allow_sdist=allow_sdist)
        self._unpacking: dict[Path, asyncio.Lock] = {}
        for left in code_root.glob(f"{TEMPORARY_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)

    async def prepare(self, spec: FunctionSpec) -> Prepared:
        """Return where the revision's code and dependencies are, after making them where they are missing.

        Raises InvalidSpec when it has no code or a bundle that is no good, BuildFailed with the last lines of the
        installation's log, NotFound when the bundle was never uploaded, StoreUnavailable when the disk fails.
        """
        code = await self._code(spec)
        try:
            wanted = await asyncio.to_thread(_wanted, code)
        except OSError as failed:
            raise disk_failed(f"the function's {_REQUIREMENTS} could not be read", failed) from failed
        layers = (str(await self._layers.ensure(wanted)),) if wanted.lines else ()
        return Prepared(str(code), layers)

    async def build_log(self, spec: FunctionSpec) -> str:
        """Return what installing this revision's dependencies printed last; empty when there was nothing to install."""
        code = self._code_dir(spec)
        if not code.is_dir():
            return ""
        wanted = await asyncio.to_thread(_wanted, code)
        log = await self._layers.folder(wanted) / "install.log"
        if not wanted.lines or not log.is_file():
            return ""
        return await asyncio.to_thread(log.read_text, errors="replace")

    async def close(self) -> None:
        """End what is being installed."""
        await self._layers.close()

    async def _code(self, spec: FunctionSpec) -> Path:
        code = self._code_dir(spec)
        if code.is_dir():
            return code
        lock = self._unpacking.setdefault(code, asyncio.Lock())
        async with lock:
            if not code.is_dir():
                archive = self._blobs.path(parse_bundle_digest(spec.bundle))
                await asyncio.to_thread(self._unpack, archive, code)
        self._unpacking.pop(code, None)
        return code

    def _code_dir(self, spec: FunctionSpec) -> Path:
        if not spec.bundle:
            raise InvalidSpec("bundle: the function has no code; upload a bundle and name its digest here")
        return self._code_root / parse_bundle_digest(spec.bundle).removeprefix("sha256:")

    def _unpack(self, archive: Path, code: Path) -> None:
        try:
            with archive.open("rb") as file:
                extract(file, code, shared=self._shared)
        except OSError as failed:
            raise disk_failed("the bundle could not be read", failed) from failed


def _wanted(code: Path) -> Requirements:
    path = code / _REQUIREMENTS
    return parse_requirements(path.read_bytes()) if path.is_file() else Requirements(())
