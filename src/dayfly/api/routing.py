"""Routes of functions as the API knows them."""

from typing import Literal, Protocol

from dayfly.model.names import NamespaceName
from dayfly.model.route import HostGrant, RouteMode, RouteSpec, RouteStatus


class Routes(Protocol):
    """The use cases of routes, and of the hosts that they may have."""

    def in_namespace(self, namespace: NamespaceName) -> list[RouteStatus]:
        """Return the namespace's routes, ordered by name."""
        ...

    def get(self, namespace: NamespaceName, name: str) -> RouteStatus:
        """Return the route. Raises NotFound."""
        ...

    async def put(
        self, spec: RouteSpec, *, mode: RouteMode = "upsert", everywhere: bool = False
    ) -> tuple[RouteStatus, Literal["created", "updated"]]:
        """Let the route be this from now on; `everywhere` says that who asks answers for the whole installation.

        Raises InvalidSpec, Conflict, NotFound, Forbidden for a host that is not the namespace's, StoreUnavailable.
        """
        ...

    async def remove(self, namespace: NamespaceName, name: str) -> None:
        """Remove the route. Raises NotFound."""
        ...

    def granted(self, namespace: NamespaceName | None = None) -> list[HostGrant]:
        """Return the hosts that the namespace, or anybody, was granted."""
        ...

    async def grant(self, grant: HostGrant) -> None:
        """Let the namespace use the host in its routes. Raises NotFound."""
        ...

    async def revoke(self, grant: HostGrant) -> None:
        """Let the namespace use the host for no new route. Raises NotFound."""
        ...
