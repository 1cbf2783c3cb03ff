"""Routes in memory: the port's executable specification."""

from collections.abc import Callable

from dayfly.model.errors import NotFound
from dayfly.model.route import HostGrant, Route
from dayfly.storage.memory_things import MemoryThings
from dayfly.storage.routes import RouteStore


class MemoryRoutes(MemoryThings[Route], RouteStore):
    """Routes and grants in memory. `broken` is as in `MemoryThings`."""

    def __init__(self, broken: Callable[[], str] = str) -> None:
        super().__init__(Route, broken)
        self._grants: set[HostGrant] = set()

    async def grants(self) -> list[HostGrant]:
        """Return every grant, ordered by host and namespace."""
        self._check()
        return sorted(self._grants, key=lambda grant: (grant.host, grant.namespace))

    async def put_grant(self, grant: HostGrant) -> None:
        """Keep the grant. Idempotent."""
        self._check()
        self._grants.add(grant)

    async def delete_grant(self, grant: HostGrant) -> None:
        """Forget the grant. Raises NotFound."""
        self._check()
        if grant not in self._grants:
            raise NotFound(f"the host {grant.host or '*'} is not granted to the namespace {grant.namespace}")
        self._grants.discard(grant)
