"""The port behind routes: which there are, and the hosts that namespaces were granted.

It keeps the state port's promise: when a write returns it is on the disk, and reads see every write that returned
before.
"""

import abc

from dayfly.model.names import NamespaceName
from dayfly.model.route import HostGrant, Route


class RouteStore(abc.ABC):
    """Routes and grants; opened and closed with the state store beside it.

    All methods raise StoreUnavailable when the medium fails.
    """

    @abc.abstractmethod
    async def routes(self) -> list[Route]:
        """Return every route of every namespace, ordered by namespace and name."""

    @abc.abstractmethod
    async def put_route(self, route: Route) -> None:
        """Create or replace the route."""

    @abc.abstractmethod
    async def delete_route(self, namespace: NamespaceName, name: str) -> None:
        """Remove the route. Raises NotFound."""

    @abc.abstractmethod
    async def grants(self) -> list[HostGrant]:
        """Return every grant, ordered by host and namespace."""

    @abc.abstractmethod
    async def put_grant(self, grant: HostGrant) -> None:
        """Keep the grant. Idempotent."""

    @abc.abstractmethod
    async def delete_grant(self, grant: HostGrant) -> None:
        """Forget the grant. Raises NotFound."""
