"""The port behind what has a name in a namespace, a spec, and no more to it: routes, triggers, flows, budgets.

It keeps the state port's promise: when a write returns it is on the disk, and reads see every write that returned
before.
"""

import abc
from typing import Any, Generic, Protocol, TypeVar

from dayfly.model.errors import NotFound
from dayfly.model.names import NamespaceName


class Thing(Protocol):
    """A struct of the model; its class has the name that people know it by."""

    @property
    def key(self) -> tuple[NamespaceName, str]:
        """Its identity."""

    @property
    def spec(self) -> Any:
        """What somebody wants it to be."""

    @property
    def created_unix_ms(self) -> int:
        """When there was none before."""

    @property
    def updated_unix_ms(self) -> int:
        """When it was put last."""


T = TypeVar("T", bound=Thing)


class ThingStore(abc.ABC, Generic[T]):
    """Things of one kind; opened and closed with the state store beside it. All methods raise StoreUnavailable."""

    @abc.abstractmethod
    async def all(self) -> list[T]:
        """Return every one of every namespace, ordered by namespace and name."""

    @abc.abstractmethod
    async def put(self, thing: T) -> None:
        """Create or replace it."""

    @abc.abstractmethod
    async def delete(self, namespace: NamespaceName, name: str) -> None:
        """Remove it. Raises NotFound."""


def missing(kind: type[Thing], namespace: str, name: str) -> NotFound:
    """Return what is said of one that is not there."""
    return NotFound(f"there is no {noun(kind)} {name} in the namespace {namespace}")


def noun(kind: type[Thing]) -> str:
    """Return what people call one of the kind."""
    return kind.__name__.lower()
