"""Things in memory: the port's executable specification."""

from collections.abc import Callable

from dayfly.model.errors import StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.storage.things import T, ThingStore, missing


class MemoryThings(ThingStore[T]):
    """Everything in a dictionary. `broken` tells, with a text, that every call is to fail, for tests."""

    def __init__(self, kind: type[T], broken: Callable[[], str] = str) -> None:
        self._kind = kind
        self._broken = broken
        self._things: dict[tuple[NamespaceName, str], T] = {}

    async def all(self) -> list[T]:
        """Return every one, ordered by namespace and name."""
        self._check()
        return [self._things[key] for key in sorted(self._things)]

    async def put(self, thing: T) -> None:
        """Create or replace it."""
        self._check()
        self._things[thing.key] = thing

    async def delete(self, namespace: NamespaceName, name: str) -> None:
        """Remove it. Raises NotFound."""
        self._check()
        if self._things.pop((namespace, name), None) is None:
            raise missing(self._kind, namespace, name)

    def _check(self) -> None:
        if text := self._broken():
            raise StoreUnavailable(text)
