"""What the HTTP handlers of queries stand on, and what stands for it where the API was put together without any."""

from typing import Protocol

from dayfly.model.errors import NotFound, NotSupported
from dayfly.model.names import NamespaceName
from dayfly.model.query import SavedQuery, SavedQuerySpec
from dayfly.observe.query.order import Asker, Bounds, Form
from dayfly.observe.query.runner import Found, Inventory


class Queries(Protocol):
    """Answers queries."""

    def named(self, sql: str, asker: Asker) -> frozenset[str]:
        """Return the tables that the query may ask and names."""
        ...

    async def run(
        self, sql: str, form: Form, bounds: Bounds, *, asker: Asker, inventory: Inventory,
        raw: bool = False,
    ) -> Found:  # fmt: skip
        """Return the answer, made of what whoever asks may see.

        Raises InvalidRequest, also for one that takes too much, LimitExceeded, NotSupported, StoreUnavailable.
        """
        ...


class SavedQueries(Protocol):
    """The use cases of saved queries; None as the namespace stands for the whole installation."""

    def listed(self, namespace: NamespaceName | None) -> list[SavedQuery]:
        """Return those of the namespace, or of the installation, and the ready-made ones, ordered by name."""
        ...

    def get(self, namespace: NamespaceName | None, name: str) -> SavedQuery:
        """Return the query. Raises NotFound."""
        ...

    async def put(self, namespace: NamespaceName | None, name: str, spec: SavedQuerySpec) -> SavedQuery:
        """Keep the query under the name. Raises InvalidRequest, Conflict, LimitExceeded, StoreUnavailable."""
        ...

    async def remove(self, namespace: NamespaceName | None, name: str) -> None:
        """Forget the query. Raises NotFound, Conflict, StoreUnavailable."""
        ...


class NoQueries:
    """Answers none."""

    def named(self, sql: str, asker: Asker) -> frozenset[str]:
        """Return none."""
        del sql, asker
        return frozenset()

    async def run(
        self, sql: str, form: Form, bounds: Bounds, *, asker: Asker, inventory: Inventory,
        raw: bool = False,
    ) -> Found:  # fmt: skip
        """Refuse it."""
        del sql, form, bounds, asker, inventory, raw
        raise NotSupported("This installation answers no queries")


class NoSavedQueries:
    """Keeps none."""

    def listed(self, namespace: NamespaceName | None) -> list[SavedQuery]:
        """Return none."""
        del namespace
        return []

    def get(self, namespace: NamespaceName | None, name: str) -> SavedQuery:
        """Refuse it."""
        del namespace
        raise NotFound(f"there is no saved query {name}")

    async def put(self, namespace: NamespaceName | None, name: str, spec: SavedQuerySpec) -> SavedQuery:
        """Refuse it."""
        del namespace, name, spec
        raise NotSupported("This installation keeps no queries")

    async def remove(self, namespace: NamespaceName | None, name: str) -> None:
        """Refuse it."""
        self.get(namespace, name)
