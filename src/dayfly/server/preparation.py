"""Preparing revisions of every kind: bundles are unpacked, images are pulled and pinned.

What an image's name means is found out once for a revision and kept with it, before any replica is started: from then
on the revision runs just that, wherever its tag goes, also after the platform or the engine was started anew.
"""

from collections.abc import Awaitable, Callable

from dayfly.build.prepare import Prepare
from dayfly.model.function import FunctionSpec
from dayfly.model.replica import Prepared
from dayfly.storage.port import StateStore

Pin = Callable[[str, str], Awaitable[str]]
"""Returns what an image's name means, for a revision that it has meant something for before or, with "", never did."""


class Preparation:
    """Makes revisions ready to run: those with a bundle by `bundles`, images by `pin`."""

    def __init__(self, bundles: Prepare, pin: Pin, store: StateStore) -> None:
        self._bundles = bundles
        self._pin = pin
        self._store = store

    async def check(self, spec: FunctionSpec) -> None:
        """Refuse what this machine has not the means to run. Raises NotSupported."""
        await self._bundles.check(spec)

    async def prepare(self, spec: FunctionSpec, revision: int) -> Prepared:
        """Return what replicas of the revision are started from.

        Raises BuildFailed, InvalidRequest, NotFound, Unavailable.
        """
        if spec.runtime != "image":
            return await self._bundles.prepare(spec)
        # With the name before it: a function removed and deployed anew may have got the same number meanwhile.
        name, _, before = (await self._store.pinned(spec.key, revision)).partition(" ")
        pinned = before if name == spec.image else ""
        found = await self._pin(spec.image, pinned)
        if found != pinned:
            await self._store.pin(spec.key, revision, f"{spec.image} {found}")
        return Prepared("", image=found)

    async def build_log(self, spec: FunctionSpec) -> str:
        """Return what installing this revision's dependencies printed last; empty when there was nothing to install."""
        return "" if spec.runtime == "image" else await self._bundles.build_log(spec)

    async def close(self) -> None:
        """End what is being installed."""
        await self._bundles.close()
