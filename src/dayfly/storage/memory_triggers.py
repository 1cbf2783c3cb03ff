"""Triggers in memory: the port's executable specification."""

from collections.abc import Callable

from dayfly.model.trigger import Trigger
from dayfly.storage.memory_things import MemoryThings
from dayfly.storage.triggers import TriggerStore


class MemoryTriggers(MemoryThings[Trigger], TriggerStore):
    """Triggers and a position in memory. `broken` is as in `MemoryThings`."""

    def __init__(self, broken: Callable[[], str] = str) -> None:
        super().__init__(Trigger, broken)
        self._position = 0

    async def followed(self) -> int:
        """Return the position that was kept last."""
        self._check()
        return self._position

    async def follow(self, position: int) -> None:
        """Keep the position."""
        self._check()
        self._position = position
