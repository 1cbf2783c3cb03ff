"""Removing what no revision that is kept needs any more: bundles, the code unpacked from them, layers.

Every deployment brings a bundle, and only so many revisions of a function are kept, so that a platform that is deployed
to would fill its disk. Nothing is removed that somebody may be about to use:

- What is used is what the store says, all revisions that one could go back to among it.
- Who uploads a bundle or asks for one claims it (storage/claims.py), and so does who asks for a layer.
- A thing must have been found unused twice, PASS_S apart, so that replicas that still drain keep their code.
- Whether a thing is claimed is looked up in the same turn of the loop in which it gets another name, after which nobody
  finds it: a deployment comes either before, and keeps it, or after, and is told to upload again.

A crash leaves things under that other name, or a bundle without its code, or the other way round. All of it is put
right by the next start, the next deployment or the next pass.
"""

import asyncio
import logging
import secrets
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from dayfly.build.uses import Uses
from dayfly.model.errors import StoreUnavailable
from dayfly.model.names import BundleDigest
from dayfly.storage.blobs import FileBlobs
from dayfly.storage.claims import Claims

log = logging.getLogger("dayfly.build")

PASS_S = 3600.0
_ALGORITHM = "sha256:"
_ASIDE = ".gone-"


class Places(msgspec.Struct, frozen=True):
    """Where code and layers lie, and who has claimed a layer."""

    code: Path
    layers: Path
    claims: Claims
    uses: Uses


class Leftovers:
    """Looks for what is left over, again and again. `used` tell the bundles that are."""

    def __init__(self, blobs: FileBlobs, places: Places, *used: Callable[[], Awaitable[set[BundleDigest]]]) -> None:
        self._blobs = blobs
        self._places = places
        self._used = used
        self._bundles: set[BundleDigest] = set()
        self._layers: set[str] = set()
        """What the pass before found unused."""

    async def run(self) -> None:
        """Make a pass every PASS_S, until cancelled."""
        while True:
            await asyncio.sleep(PASS_S)
            try:
                await self.sweep()
            except (StoreUnavailable, OSError) as error:
                log.warning("what no function uses is not removed now: %s", error)

    async def sweep(self) -> None:
        """Make one pass. Raises StoreUnavailable, OSError."""
        used = set[BundleDigest]().union(*[await tell() for tell in self._used])
        unused = set(await asyncio.to_thread(self._blobs.unused, used))
        gone = [digest for digest in unused & self._bundles if self._remove_bundle(digest)]
        self._bundles = unused - set(gone)
        idle = await asyncio.to_thread(self._idle_layers, used)
        parted = [name for name in idle & self._layers if self._remove_layer(name)]
        self._layers = idle - set(parted)
        if gone or parted:
            log.info("%d bundles and %d layers were removed that no revision uses", len(gone), len(parted))
            await asyncio.to_thread(self._clear)

    def _remove_bundle(self, digest: BundleDigest) -> bool:
        """Take the bundle and its code from where they are looked for, unless somebody has just asked for it."""
        if not self._blobs.discard(digest):
            return False
        name = digest.removeprefix(_ALGORITHM)
        self._places.uses.forget(name)
        _set_aside(self._places.code, name)
        return True

    def _remove_layer(self, name: str) -> bool:
        return not self._places.claims.hold(name) and _set_aside(self._places.layers, name)

    def _idle_layers(self, used: set[BundleDigest]) -> set[str]:
        """Return the layers that no code uses; none while it is not known of some code which it does."""
        wanted: set[str] = set()
        for digest in used:
            name = digest.removeprefix(_ALGORITHM)
            layers = self._places.uses.of(name)
            if layers is None and (self._places.code / name).is_dir():
                return set()
            wanted |= layers or set()
        found = {each.name for each in _folders(self._places.layers)}
        return {name for name in found - wanted if not name.startswith(".")}

    def _clear(self) -> None:
        for root in (self._places.code, self._places.layers):
            clear(root)


def clear(root: Path, *prefixes: str) -> None:
    """Remove what was set aside below `root`, and what has one of the `prefixes`."""
    for prefix in (_ASIDE, *prefixes):
        for left in root.glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)


def _set_aside(root: Path, name: str) -> bool:
    """Give a folder a name under which nobody looks for it; return whether it was there. Raises OSError."""
    try:
        (root / name).rename(root / f"{_ASIDE}{secrets.token_hex(8)}")
    except FileNotFoundError:
        return False
    return True


def _folders(root: Path) -> list[Path]:
    return [each for each in root.iterdir() if each.is_dir()] if root.is_dir() else []
