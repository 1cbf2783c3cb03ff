"""Flows in memory: the port's executable specification."""

from collections.abc import Callable

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.flow import Flow
from dayfly.model.names import NamespaceName
from dayfly.storage.flows import FlowStore, missing


class MemoryFlows(FlowStore):
    """Everything in a dictionary. `broken` tells, with a text, that every call is to fail, for tests."""

    def __init__(self, broken: Callable[[], str] = str) -> None:
        self._broken = broken
        self._flows: dict[tuple[str, str], Flow] = {}

    async def flows(self) -> list[Flow]:
        """Return every flow, ordered by namespace and name."""
        self._check()
        return [self._flows[key] for key in sorted(self._flows)]

    async def put_flow(self, flow: Flow) -> None:
        """Create or replace the flow."""
        self._check()
        self._flows[flow.spec.namespace, flow.spec.name] = flow

    async def delete_flow(self, namespace: NamespaceName, name: str) -> None:
        """Remove the flow. Raises NotFound."""
        self._check()
        if self._flows.pop((namespace, name), None) is None:
            raise NotFound(missing(namespace, name))

    def _check(self) -> None:
        if text := self._broken():
            raise StoreUnavailable(text)
