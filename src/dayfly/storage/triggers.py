"""The port behind triggers: which there are, and how far those of functions' ends have come.

It keeps the state port's promise: when a write returns it is on the disk, and reads see every write that returned
before.
"""

import abc

from dayfly.model.trigger import Trigger
from dayfly.storage.things import ThingStore


class TriggerStore(ThingStore[Trigger]):
    """Triggers, and how far functions' ends were followed."""

    @abc.abstractmethod
    async def followed(self) -> int:
        """Return up to which of the queue's results functions' ends were delivered; 0 for none."""

    @abc.abstractmethod
    async def follow(self, position: int) -> None:
        """Keep up to which of the queue's results functions' ends were delivered."""
