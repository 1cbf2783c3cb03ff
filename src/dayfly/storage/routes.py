"""The port behind routes: which there are, and the hosts that namespaces were granted.

It keeps the state port's promise: when a write returns it is on the disk, and reads see every write that returned
before.
"""

import abc

from dayfly.model.route import HostGrant, Route
from dayfly.storage.things import ThingStore


class RouteStore(ThingStore[Route]):
    """Routes and grants."""

    @abc.abstractmethod
    async def grants(self) -> list[HostGrant]:
        """Return every grant, ordered by host and namespace."""

    @abc.abstractmethod
    async def put_grant(self, grant: HostGrant) -> None:
        """Keep the grant. Idempotent."""

    @abc.abstractmethod
    async def delete_grant(self, grant: HostGrant) -> None:
        """Forget the grant. Raises NotFound."""
