"""The state store in memory: the port's executable specification.

It keeps nothing beyond the process. Tests use it, and the contract suite holds every other store to what it does.
"""

from collections.abc import Collection, Mapping

import msgspec

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.function import Function, Revision
from dayfly.model.names import BundleDigest, FunctionKey, NamespaceName
from dayfly.storage.port import KEPT_REVISIONS, StateStore


class MemoryStore(StateStore):
    """Desired state in dictionaries. `broken`, when set, makes every call fail with this text, for tests."""

    def __init__(self) -> None:
        self.broken = ""
        self._functions: dict[FunctionKey, Function] = {}
        self._revisions: dict[FunctionKey, dict[int, Revision]] = {}
        self._served: dict[FunctionKey, set[int]] = {}
        self._pins: dict[tuple[FunctionKey, int], str] = {}
        self._totals: dict[str, int] = {}

    async def open(self) -> None:
        """Nothing to do."""
        self._check()

    async def close(self) -> None:
        """Keep everything, so that a test can open the same store again."""

    async def all(self) -> list[Function]:
        """Return every function of every namespace, ordered by key."""
        self._check()
        return [self._functions[key] for key in sorted(self._functions)]

    async def in_namespace(self, namespace: NamespaceName) -> list[Function]:
        """Return the namespace's functions ordered by name."""
        return [function for function in await self.all() if function.key.namespace == namespace]

    async def get(self, key: FunctionKey) -> Function:
        """Return the function. Raises NotFound."""
        self._check()
        self._check_present(key)
        return self._functions[key]

    async def put(self, function: Function) -> None:
        """Create or replace the function; its revision and its candidate's join the history when they are new."""
        self._check()
        history = self._revisions.setdefault(function.key, {})
        revision = history.setdefault(function.revision.number, function.revision)
        self._served.setdefault(function.key, set()).add(revision.number)
        candidate = function.candidate
        if candidate is not None:
            kept = history.setdefault(candidate.revision.number, candidate.revision)
            candidate = msgspec.structs.replace(candidate, revision=kept)
        function = msgspec.structs.replace(function, revision=revision, candidate=candidate)
        self._functions[function.key] = function
        for number in sorted(history)[:-KEPT_REVISIONS]:
            if number not in (function.revision.number, function.newest.number):
                del history[number]
                self._pins.pop((function.key, number), None)

    async def delete(self, key: FunctionKey) -> None:
        """Remove the function and its history. Raises NotFound."""
        self._check()
        self._check_present(key)
        for number in self._revisions[key]:
            self._pins.pop((key, number), None)
        del self._functions[key], self._revisions[key], self._served[key]

    async def revisions(self, key: FunctionKey) -> list[Revision]:
        """Return the function's revisions, newest first. Raises NotFound."""
        self._check()
        self._check_present(key)
        return [revision for _, revision in sorted(self._revisions[key].items(), reverse=True)]

    async def served(self, key: FunctionKey) -> set[int]:
        """Return the numbers of the revisions kept that were ever the one that serves. Raises NotFound."""
        self._check()
        self._check_present(key)
        return self._served[key] & self._revisions[key].keys()

    async def bundles(self) -> set[BundleDigest]:
        """Return the bundles of all revisions kept."""
        self._check()
        kept = (revision for revisions in self._revisions.values() for revision in revisions.values())
        return {BundleDigest(revision.spec.bundle) for revision in kept if revision.spec.bundle}

    async def pin(self, key: FunctionKey, number: int, image: str) -> None:
        """Keep what the revision's image was found to be."""
        self._check()
        if number in self._revisions.get(key, {}):
            self._pins[key, number] = image

    async def pinned(self, key: FunctionKey, number: int) -> str:
        """Return what was last kept; empty when nothing was."""
        self._check()
        return self._pins.get((key, number), "")

    async def totals(self) -> dict[str, int]:
        """Return what was last kept."""
        self._check()
        return dict(self._totals)

    async def save_totals(self, totals: Mapping[str, int], gone: Collection[str] = ()) -> None:
        """Keep these totals beside the others and forget those `gone`."""
        self._check()
        self._totals.update(totals)
        for name in gone:
            self._totals.pop(name, None)

    def _check(self) -> None:
        if self.broken:
            raise StoreUnavailable(self.broken)

    def _check_present(self, key: FunctionKey) -> None:
        if key not in self._functions:
            raise NotFound(f"there is no function {key.name} in the namespace {key.namespace}")
