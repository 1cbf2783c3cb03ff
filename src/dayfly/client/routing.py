"""What both clients have for routes. A namespace that a call leaves empty is the client's own, as everywhere."""

from abc import ABC, abstractmethod
from typing import TypeVar

from dayfly.client import route_calls as calls
from dayfly.client.calls import Call
from dayfly.client.gateway import Target
from dayfly.model.route import HostGrant, RouteMode, RouteSpec, RouteStatus

T = TypeVar("T")


class Routing(ABC):
    """The methods of the client for programs without asyncio."""

    _target: Target

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def list_routes(self, namespace: str = "") -> list[RouteStatus]:
        """Return a namespace's routes, sorted by name, and what keeps any from working."""
        return self._send(calls.list_routes(self._target.namespace(namespace)))

    def get_route(self, name: str, *, namespace: str = "") -> RouteStatus:
        """Return one route. Raises NotFound."""
        return self._send(calls.get_route(name, self._target.namespace(namespace)))

    def put_route(self, spec: RouteSpec, *, mode: RouteMode = "upsert") -> RouteStatus:
        """Let the route be this in every gateway, new or not.

        Raises InvalidSpec, Conflict (create, and it exists; its place is taken), NotFound (update, and it does not
        exist), Forbidden for a host that is not the namespace's.
        """
        return self._send(calls.put_route(spec, mode))

    def remove_route(self, name: str, *, namespace: str = "") -> None:
        """Take a route away. Raises NotFound."""
        self._send(calls.remove_route(name, self._target.namespace(namespace)))

    def list_hosts(self) -> list[HostGrant]:
        """Return the hosts that were granted, as far as the credential may know."""
        return self._send(calls.list_hosts())

    def grant_host(self, host: str, *, namespace: str = "") -> HostGrant:
        """Let a namespace have a host in its routes, `*` for any. Raises NotFound."""
        return self._send(calls.grant_host(host, self._target.namespace(namespace)))

    def revoke_host(self, host: str, *, namespace: str = "") -> None:
        """Take a granted host back; the routes that are there stay. Raises NotFound."""
        self._send(calls.revoke_host(host, self._target.namespace(namespace)))


class AsyncRouting(ABC):
    """The methods of the client for asyncio."""

    _target: Target

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def list_routes(self, namespace: str = "") -> list[RouteStatus]:
        """Return a namespace's routes, sorted by name, and what keeps any from working."""
        return await self._send(calls.list_routes(self._target.namespace(namespace)))

    async def get_route(self, name: str, *, namespace: str = "") -> RouteStatus:
        """Return one route. Raises NotFound."""
        return await self._send(calls.get_route(name, self._target.namespace(namespace)))

    async def put_route(self, spec: RouteSpec, *, mode: RouteMode = "upsert") -> RouteStatus:
        """Let the route be this in every gateway, new or not.

        Raises InvalidSpec, Conflict (create, and it exists; its place is taken), NotFound (update, and it does not
        exist), Forbidden for a host that is not the namespace's.
        """
        return await self._send(calls.put_route(spec, mode))

    async def remove_route(self, name: str, *, namespace: str = "") -> None:
        """Take a route away. Raises NotFound."""
        await self._send(calls.remove_route(name, self._target.namespace(namespace)))

    async def list_hosts(self) -> list[HostGrant]:
        """Return the hosts that were granted, as far as the credential may know."""
        return await self._send(calls.list_hosts())

    async def grant_host(self, host: str, *, namespace: str = "") -> HostGrant:
        """Let a namespace have a host in its routes, `*` for any. Raises NotFound."""
        return await self._send(calls.grant_host(host, self._target.namespace(namespace)))

    async def revoke_host(self, host: str, *, namespace: str = "") -> None:
        """Take a granted host back; the routes that are there stay. Raises NotFound."""
        await self._send(calls.revoke_host(host, self._target.namespace(namespace)))
