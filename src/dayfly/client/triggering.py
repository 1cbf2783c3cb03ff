"""What both clients have for triggers and events. A namespace that a call leaves empty is the client's own."""

from abc import ABC, abstractmethod
from typing import TypeVar

from dayfly.client import trigger_calls as calls
from dayfly.client.calls import Call
from dayfly.client.gateway import Target
from dayfly.model.event import Event
from dayfly.model.trigger import TriggerMode, TriggerSpec, TriggerStatus

T = TypeVar("T")


class Triggering(ABC):
    """The methods of the client for programs without asyncio."""

    _target: Target

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def list_triggers(self, namespace: str = "") -> list[TriggerStatus]:
        """Return a namespace's triggers, sorted by name, and how each does."""
        return self._send(calls.list_triggers(self._target.namespace(namespace)))

    def get_trigger(self, name: str, *, namespace: str = "") -> TriggerStatus:
        """Return one trigger, and how it does. Raises NotFound."""
        return self._send(calls.get_trigger(name, self._target.namespace(namespace)))

    def put_trigger(self, spec: TriggerSpec, *, mode: TriggerMode = "upsert") -> TriggerStatus:
        """Let the trigger be this, new or not.

        Raises InvalidSpec, Conflict (create, and it exists), NotFound (update, and it does not exist), Forbidden for a
        source that only the installation's administrator may name.
        """
        return self._send(calls.put_trigger(spec, mode))

    def pause_trigger(self, name: str, *, namespace: str = "") -> TriggerStatus:
        """Let a trigger rest. Raises NotFound."""
        return self._send(calls.pause_trigger(name, self._target.namespace(namespace), paused=True))

    def resume_trigger(self, name: str, *, namespace: str = "") -> TriggerStatus:
        """Let a trigger go on. Raises NotFound."""
        return self._send(calls.pause_trigger(name, self._target.namespace(namespace), paused=False))

    def remove_trigger(self, name: str, *, namespace: str = "") -> None:
        """Take a trigger away. Raises NotFound."""
        self._send(calls.remove_trigger(name, self._target.namespace(namespace)))

    def test_trigger(self, name: str, event: Event, *, namespace: str = "") -> bool:
        """Give a trigger an event; return whether it calls for it, now or since before. Raises NotFound."""
        return self._send(calls.test_trigger(name, self._target.namespace(namespace), event)).delivered

    def publish_events(self, *events: Event, namespace: str = "") -> int:
        """Post events for the namespace's triggers of kind `event`; return for how many somebody is called."""
        return self._send(calls.publish_events(list(events), self._target.namespace(namespace))).delivered


class AsyncTriggering(ABC):
    """The methods of the client for asyncio."""

    _target: Target

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def list_triggers(self, namespace: str = "") -> list[TriggerStatus]:
        """Return a namespace's triggers, sorted by name, and how each does."""
        return await self._send(calls.list_triggers(self._target.namespace(namespace)))

    async def get_trigger(self, name: str, *, namespace: str = "") -> TriggerStatus:
        """Return one trigger, and how it does. Raises NotFound."""
        return await self._send(calls.get_trigger(name, self._target.namespace(namespace)))

    async def put_trigger(self, spec: TriggerSpec, *, mode: TriggerMode = "upsert") -> TriggerStatus:
        """Let the trigger be this, new or not.

        Raises InvalidSpec, Conflict (create, and it exists), NotFound (update, and it does not exist), Forbidden for a
        source that only the installation's administrator may name.
        """
        return await self._send(calls.put_trigger(spec, mode))

    async def pause_trigger(self, name: str, *, namespace: str = "") -> TriggerStatus:
        """Let a trigger rest. Raises NotFound."""
        return await self._send(calls.pause_trigger(name, self._target.namespace(namespace), paused=True))

    async def resume_trigger(self, name: str, *, namespace: str = "") -> TriggerStatus:
        """Let a trigger go on. Raises NotFound."""
        return await self._send(calls.pause_trigger(name, self._target.namespace(namespace), paused=False))

    async def remove_trigger(self, name: str, *, namespace: str = "") -> None:
        """Take a trigger away. Raises NotFound."""
        await self._send(calls.remove_trigger(name, self._target.namespace(namespace)))

    async def test_trigger(self, name: str, event: Event, *, namespace: str = "") -> bool:
        """Give a trigger an event; return whether it calls for it, now or since before. Raises NotFound."""
        return (await self._send(calls.test_trigger(name, self._target.namespace(namespace), event))).delivered

    async def publish_events(self, *events: Event, namespace: str = "") -> int:
        """Post events for the namespace's triggers of kind `event`; return for how many somebody is called."""
        return (await self._send(calls.publish_events(list(events), self._target.namespace(namespace)))).delivered
