"""The state store in memory: the port's executable specification.

It keeps nothing beyond the process. Tests use it, and the contract suite holds every other store to what it does.
"""

from collections.abc import Collection, Mapping

import msgspec

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.function import Function, Revision
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, NamespaceName
from dayfly.storage.port import KEPT_REVISIONS, StateStore


class MemoryStore(StateStore):
    """Desired state in dictionaries. `broken`, when set, makes every call fail with this text, for tests."""

    def __init__(self) -> None:
        self.broken = ""
        self._functions: dict[FunctionKey, Function] = {}
        self._revisions: dict[FunctionKey, dict[int, Revision]] = {}
        self._served: dict[FunctionKey, set[int]] = {}
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

    async def delete(self, key: FunctionKey) -> None:
        """Remove the function and its history. Raises NotFound."""
        self._check()
        self._check_present(key)
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

    async def namespaces(self) -> list[NamespaceName]:
        """Return the default namespace and those that hold a function, ordered."""
        self._check()
        return sorted({DEFAULT_NAMESPACE, *(key.namespace for key in self._functions)})

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
