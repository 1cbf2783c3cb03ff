"""The port behind flows: which there are. Their runs are another port's, `flow_runs`.

It keeps the state port's promise: when a write returns it is on the disk, and reads see every write that returned
before.
"""

import abc

from dayfly.model.flow import Flow
from dayfly.model.names import NamespaceName


class FlowStore(abc.ABC):
    """Flows; opened and closed with the state store beside it. All methods raise StoreUnavailable."""

    @abc.abstractmethod
    async def flows(self) -> list[Flow]:
        """Return every flow of every namespace, ordered by namespace and name."""

    @abc.abstractmethod
    async def put_flow(self, flow: Flow) -> None:
        """Create or replace the flow."""

    @abc.abstractmethod
    async def delete_flow(self, namespace: NamespaceName, name: str) -> None:
        """Remove the flow. Raises NotFound."""


def missing(namespace: str, name: str) -> str:
    """Return what is said of a flow that is not there."""
    return f"there is no flow {name} in the namespace {namespace}"
