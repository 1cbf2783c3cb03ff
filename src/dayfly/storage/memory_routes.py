"""Routes in memory: the port's executable specification."""

from collections.abc import Callable

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.model.route import HostGrant, Route
from dayfly.storage.routes import RouteStore


class MemoryRoutes(RouteStore):
    """Everything in dictionaries. `broken` tells, with a text, that every call is to fail, for tests."""

    def __init__(self, broken: Callable[[], str] = str) -> None:
        self._broken = broken
        self._routes: dict[tuple[NamespaceName, str], Route] = {}
        self._grants: set[HostGrant] = set()

    async def routes(self) -> list[Route]:
        """Return every route, ordered by namespace and name."""
        self._check()
        return [self._routes[key] for key in sorted(self._routes)]

    async def put_route(self, route: Route) -> None:
        """Create or replace the route."""
        self._check()
        self._routes[route.key] = route

    async def delete_route(self, namespace: NamespaceName, name: str) -> None:
        """Remove the route. Raises NotFound."""
        self._check()
        if self._routes.pop((namespace, name), None) is None:
            raise NotFound(f"there is no route {name} in the namespace {namespace}")

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

    def _check(self) -> None:
        if text := self._broken():
            raise StoreUnavailable(text)
