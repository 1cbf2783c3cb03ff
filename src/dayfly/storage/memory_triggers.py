"""Triggers in memory: the port's executable specification."""

from collections.abc import Callable

from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.model.trigger import Trigger
from dayfly.storage.triggers import TriggerStore


class MemoryTriggers(TriggerStore):
    """Everything in a dictionary. `broken` tells, with a text, that every call is to fail, for tests."""

    def __init__(self, broken: Callable[[], str] = str) -> None:
        self._broken = broken
        self._triggers: dict[tuple[NamespaceName, str], Trigger] = {}
        self._position = 0

    async def triggers(self) -> list[Trigger]:
        """Return every trigger, ordered by namespace and name."""
        self._check()
        return [self._triggers[key] for key in sorted(self._triggers)]

    async def put_trigger(self, trigger: Trigger) -> None:
        """Create or replace the trigger."""
        self._check()
        self._triggers[trigger.key] = trigger

    async def delete_trigger(self, namespace: NamespaceName, name: str) -> None:
        """Remove the trigger. Raises NotFound."""
        self._check()
        if self._triggers.pop((namespace, name), None) is None:
            raise NotFound(f"there is no trigger {name} in the namespace {namespace}")

    async def followed(self) -> int:
        """Return the position that was kept last."""
        self._check()
        return self._position

    async def follow(self, position: int) -> None:
        """Keep the position."""
        self._check()
        self._position = position

    def _check(self) -> None:
        if text := self._broken():
            raise StoreUnavailable(text)
