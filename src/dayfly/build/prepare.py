"""Preparing a revision: its bundle unpacked, its dependencies installed, both at addresses that say what they are."""

import asyncio
import os
from pathlib import Path
from typing import Protocol

from dayfly.build.extract import TEMPORARY_PREFIX, extract
from dayfly.build.layers import Layers
from dayfly.build.leftovers import Places, clear
from dayfly.build.node import Nodes
from dayfly.build.npm import Npm, link_modules, packages_beside
from dayfly.build.package_lock import Packages, parse_packages
from dayfly.build.requirements import Requirements, parse_requirements
from dayfly.build.uses import Uses
from dayfly.build.wheels import Wheels
from dayfly.model.errors import InvalidSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.names import BundleDigest, parse_bundle_digest
from dayfly.model.replica import Prepared
from dayfly.storage.claims import Claims
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
        self._nodes = Nodes()
        self.places = Places(code_root, layer_root, Claims(), Uses(code_root))
        claims = self.places.claims
        self._wheels = Layers(layer_root, Wheels(interpreter, allow_sdist=allow_sdist), shared=shared, claims=claims)
        self._packages = Layers(layer_root, Npm(self._nodes), shared=shared, claims=claims)
        self._unpacking: dict[Path, asyncio.Lock] = {}
        clear(code_root, TEMPORARY_PREFIX)
        clear(layer_root)

    async def check(self, spec: FunctionSpec) -> None:
        """Refuse what this machine cannot prepare, whatever its code is. Raises NotSupported."""
        if spec.runtime == "node":
            await self._nodes.find()

    async def prepare(self, spec: FunctionSpec) -> Prepared:
        """Return where the revision's code and dependencies are, after making them where they are missing.

        Raises InvalidSpec when it has no code or a bundle that is no good, BuildFailed with the last lines of the
        installation's log, NotFound when the bundle was never uploaded, NotSupported when the machine lacks what runs
        it, StoreUnavailable when the disk fails.
        """
        code = await self._code(spec)
        prepared = await self._with_layers(spec, code)
        try:
            layers = [Path(layer).parent.name for layer in prepared.layer_dirs]
            await asyncio.to_thread(self.places.uses.note, code.name, layers)
        except OSError as failed:
            raise disk_failed("what the function's code uses could not be noted", failed) from failed
        return prepared

    async def _with_layers(self, spec: FunctionSpec, code: Path) -> Prepared:
        try:
            if spec.runtime == "node":
                return await self._prepare_node(code)
            wanted = await asyncio.to_thread(_requirements, code)
        except OSError as failed:
            raise disk_failed("the list of the function's dependencies could not be read", failed) from failed
        layers = [wanted] if wanted.lines else []
        if spec.debug is not None and spec.debug.debugger is not None:
            layers.append(parse_requirements(f"debugpy=={spec.debug.debugger.version}\n".encode()))
        return Prepared(str(code), tuple([str(await self._wheels.ensure(each)) for each in layers]))

    async def build_log(self, spec: FunctionSpec) -> str:
        """Return what installing this revision's dependencies printed last; empty when there was nothing to install."""
        code = self._code_dir(spec)
        if not code.is_dir():
            return ""
        folder: Path | None = None
        if spec.runtime == "node":
            packages = await asyncio.to_thread(_packages, code)
            folder = await self._packages.folder(packages) if packages.wanted else None
        else:
            wanted = await asyncio.to_thread(_requirements, code)
            folder = await self._wheels.folder(wanted) if wanted.lines else None
        if folder is None or not (folder / "install.log").is_file():
            return ""
        return await asyncio.to_thread((folder / "install.log").read_text, errors="replace")

    async def close(self) -> None:
        """End what is being installed."""
        await self._wheels.close()
        await self._packages.close()

    async def _prepare_node(self, code: Path) -> Prepared:
        node = await self._nodes.find()
        packages = await asyncio.to_thread(_packages, code)
        if not packages.wanted:
            return Prepared(str(code), interpreter=node.path)
        site = await self._packages.ensure(packages)
        await asyncio.to_thread(link_modules, code, site)
        return Prepared(str(code), (str(site),), interpreter=node.path)

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


def _requirements(code: Path) -> Requirements:
    path = code / _REQUIREMENTS
    return parse_requirements(path.read_bytes()) if path.is_file() else Requirements(())


def _packages(code: Path) -> Packages:
    found = packages_beside(code)
    return parse_packages(*found) if found is not None else Packages("", "", wanted=False)
