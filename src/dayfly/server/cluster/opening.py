"""Namespaces that are there because somebody put something into them, by the cluster's own rights."""

import functools
from collections.abc import Iterable

from dayfly.control.namespaces import Namespaces
from dayfly.model.errors import Conflict
from dayfly.model.names import NamespaceName
from dayfly.model.namespace import Namespace, NamespaceChange
from dayfly.storage.kubernetes.tenancy import KubernetesTenancy


class Opening:
    """Makes one known where it is not; a Tenant that was written for it beforehand says what it may use."""

    def __init__(self, namespaces: Namespaces, tenants: KubernetesTenancy) -> None:
        self._namespaces = namespaces
        self._tenants = tenants

    async def open(self, name: NamespaceName) -> None:
        """Have the namespace be there. Raises InvalidSpec for a Tenant that is none, Conflict, StoreUnavailable."""
        if name in self._namespaces.names():
            return
        await self._namespaces.follow(name, functools.partial(self._read, name))
        if name not in self._namespaces.names():
            try:
                await self._namespaces.create(name, NamespaceChange())
            except Conflict:
                if name not in self._namespaces.names():
                    raise

    async def open_all(self, names: Iterable[NamespaceName]) -> None:
        """Have all of these be there. Raises as `open` does."""
        for name in sorted(set(names)):
            await self.open(name)

    async def _read(self, name: NamespaceName) -> Namespace | None:
        found = await self._tenants.look(name, name)
        if found is not None and found.error is not None:
            raise found.error
        return found.thing if found is not None else None
