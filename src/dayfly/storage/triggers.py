"""The port behind triggers: which there are.

It keeps the state port's promise: when a write returns it is on the disk, and reads see every write that returned
before.
"""

import abc

from dayfly.model.names import NamespaceName
from dayfly.model.trigger import Trigger


class TriggerStore(abc.ABC):
    """Triggers; opened and closed with the state store beside it.

    All methods raise StoreUnavailable when the medium fails.
    """

    @abc.abstractmethod
    async def triggers(self) -> list[Trigger]:
        """Return every trigger of every namespace, ordered by namespace and name."""

    @abc.abstractmethod
    async def put_trigger(self, trigger: Trigger) -> None:
        """Create or replace the trigger."""

    @abc.abstractmethod
    async def delete_trigger(self, namespace: NamespaceName, name: str) -> None:
        """Remove the trigger. Raises NotFound."""

    @abc.abstractmethod
    async def followed(self) -> int:
        """Return up to which of the queue's results functions' ends were delivered; 0 for none."""

    @abc.abstractmethod
    async def follow(self, position: int) -> None:
        """Keep up to which of the queue's results functions' ends were delivered."""
