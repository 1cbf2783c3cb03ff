"""What both clients have for the tenants of an installation: namespaces and tokens.

A namespace that a call leaves empty is the client's own, as everywhere; `None`, where it may be given, stands for the
installation as a whole.
"""

from abc import ABC, abstractmethod
from typing import TypeVar

from dayfly.client import tenancy_calls as calls
from dayfly.client.alerting import Alerting, AsyncAlerting
from dayfly.client.auditing import AsyncAuditing, Auditing
from dayfly.client.budgeting import AsyncBudgeting, Budgeting
from dayfly.client.calls import Call
from dayfly.client.gateway import Target
from dayfly.client.routing import AsyncRouting, Routing
from dayfly.client.triggering import AsyncTriggering, Triggering
from dayfly.model.access import Role
from dayfly.model.builder import BuilderSecret
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.model.namespace import NamespaceChange, NamespaceStatus
from dayfly.model.token import IssuedToken, TokenRequest, TokenStatus

T = TypeVar("T")


class _Scoped:
    _target: Target

    def key(self, name: str, *, namespace: str = "") -> FunctionKey:
        """Return the function that `NAME`, or `NAME.NAMESPACE`, means to this login. Raises InvalidName."""
        return self._target.key(name, namespace)

    def _scope(self, namespace: str | None) -> NamespaceName | None:
        return None if namespace is None else self._target.namespace(namespace)


class Tenancy(_Scoped, Routing, Triggering, Budgeting, Alerting, Auditing, ABC):
    """The methods of the client for programs without asyncio."""

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def list_namespaces(self) -> list[str]:
        """Return the names of the namespaces that the credential is good for."""
        return self._send(calls.list_namespaces())

    def get_namespace(self, name: str = "") -> NamespaceStatus:
        """Return a namespace: labels, quota, and what is used of it. Raises NotFound."""
        return self._send(calls.get_namespace(self._target.namespace(name)))

    def create_namespace(self, name: str, change: NamespaceChange | None = None) -> NamespaceStatus:
        """Make a namespace. Raises Conflict when it exists, InvalidName, InvalidSpec."""
        return self._send(calls.create_namespace(name, change or NamespaceChange()))

    def update_namespace(self, name: str, change: NamespaceChange) -> NamespaceStatus:
        """Replace a namespace's labels, annotations and quota by these. Raises NotFound, InvalidSpec."""
        return self._send(calls.update_namespace(name, change))

    def remove_namespace(self, name: str, *, force: bool = False) -> None:
        """Take a namespace and its tokens away. Raises NotFound, Conflict while anything is in it unless forced."""
        self._send(calls.remove_namespace(name, force=force))

    def builder_secret(self, namespace: str = "") -> BuilderSecret:
        """Return what signs sources that are sent to a namespace's builder. Raises NotFound, Forbidden."""
        return self._send(calls.builder_secret(self._target.namespace(namespace)))

    def list_tokens(self, namespace: str | None = "") -> list[TokenStatus]:
        """Return a namespace's tokens without what lets somebody in; with None all there are. Raises NotFound."""
        return self._send(calls.list_tokens(self._scope(namespace)))

    def create_token(self, role: Role, *, namespace: str | None = "", expires: str = "", note: str = "") -> IssuedToken:
        """Make a token for one namespace, or with None for all; `expires` is a span such as `30d`, empty for ever.

        Its text is in what is returned, and nowhere else. Raises NotFound, InvalidSpec.
        """
        wanted = TokenRequest(role=role, expires=expires, note=note)
        return self._send(calls.create_token(self._scope(namespace), wanted))

    def revoke_token(self, token: str, *, namespace: str | None = "") -> None:
        """Let the token of this id be good for nothing from now on; with None whosever it is. Raises NotFound."""
        self._send(calls.revoke_token(token, self._scope(namespace)))


class AsyncTenancy(_Scoped, AsyncRouting, AsyncTriggering, AsyncBudgeting, AsyncAlerting, AsyncAuditing, ABC):
    """The methods of the client for asyncio."""

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def list_namespaces(self) -> list[str]:
        """Return the names of the namespaces that the credential is good for."""
        return await self._send(calls.list_namespaces())

    async def get_namespace(self, name: str = "") -> NamespaceStatus:
        """Return a namespace: labels, quota, and what is used of it. Raises NotFound."""
        return await self._send(calls.get_namespace(self._target.namespace(name)))

    async def create_namespace(self, name: str, change: NamespaceChange | None = None) -> NamespaceStatus:
        """Make a namespace. Raises Conflict when it exists, InvalidName, InvalidSpec."""
        return await self._send(calls.create_namespace(name, change or NamespaceChange()))

    async def update_namespace(self, name: str, change: NamespaceChange) -> NamespaceStatus:
        """Replace a namespace's labels, annotations and quota by these. Raises NotFound, InvalidSpec."""
        return await self._send(calls.update_namespace(name, change))

    async def remove_namespace(self, name: str, *, force: bool = False) -> None:
        """Take a namespace and its tokens away. Raises NotFound, Conflict while anything is in it unless forced."""
        await self._send(calls.remove_namespace(name, force=force))

    async def builder_secret(self, namespace: str = "") -> BuilderSecret:
        """Return what signs sources that are sent to a namespace's builder. Raises NotFound, Forbidden."""
        return await self._send(calls.builder_secret(self._target.namespace(namespace)))

    async def list_tokens(self, namespace: str | None = "") -> list[TokenStatus]:
        """Return a namespace's tokens without what lets somebody in; with None all there are. Raises NotFound."""
        return await self._send(calls.list_tokens(self._scope(namespace)))

    async def create_token(
        self, role: Role, *, namespace: str | None = "", expires: str = "", note: str = ""
    ) -> IssuedToken:
        """Make a token for one namespace, or with None for all; `expires` is a span such as `30d`, empty for ever.

        Its text is in what is returned, and nowhere else. Raises NotFound, InvalidSpec.
        """
        wanted = TokenRequest(role=role, expires=expires, note=note)
        return await self._send(calls.create_token(self._scope(namespace), wanted))

    async def revoke_token(self, token: str, *, namespace: str | None = "") -> None:
        """Let the token of this id be good for nothing from now on; with None whosever it is. Raises NotFound."""
        await self._send(calls.revoke_token(token, self._scope(namespace)))
