"""What the HTTP handlers of triggers and events stand on."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from dayfly.model.event import Event
from dayfly.model.names import NamespaceName
from dayfly.model.trigger import Trigger, TriggerMode, TriggerSpec, TriggerStatus
from dayfly.model.trigger_source import WebhookSource


class Triggers(Protocol):
    """The use cases of triggers."""

    def all(self) -> list[Trigger]:
        """Return every trigger of every namespace."""
        ...

    def in_namespace(self, namespace: NamespaceName) -> list[TriggerStatus]:
        """Return the namespace's triggers, ordered by name."""
        ...

    def get(self, namespace: NamespaceName, name: str) -> TriggerStatus:
        """Return the trigger. Raises NotFound."""
        ...

    async def put(
        self, spec: TriggerSpec, *, mode: TriggerMode = "upsert", is_admin: bool = False
    ) -> tuple[TriggerStatus, Literal["created", "updated"]]:
        """Let the trigger be this from now on; `is_admin` says that the installation's administrator asks.

        Raises InvalidSpec, Conflict, NotFound, Forbidden for a source out of reach, LimitExceeded, StoreUnavailable.
        """
        ...

    async def pause(self, namespace: NamespaceName, name: str, *, paused: bool) -> TriggerStatus:
        """Let the trigger rest, or go on. Raises NotFound."""
        ...

    async def remove(self, namespace: NamespaceName, name: str) -> None:
        """Remove the trigger. Raises NotFound."""
        ...


class Intake(Protocol):
    """Where events come in that nobody fetches."""

    async def publish(self, namespace: NamespaceName, events: Sequence[Event]) -> int:
        """Deliver events to the namespace's triggers that take them; return how many events anybody wanted."""
        ...

    async def give(self, namespace: NamespaceName, name: str, event: Event) -> bool:
        """Deliver an event to one trigger; return whether anybody wanted it. Raises NotFound."""
        ...

    def hook(self, namespace: NamespaceName, name: str) -> WebhookSource:
        """Return the webhook of a trigger that runs. Raises NotFound."""
        ...

    async def receive(
        self, namespace: NamespaceName, name: str, headers: Mapping[str, Sequence[str]], body: bytes
    ) -> str:
        """Deliver what a webhook was sent; return what its sender waits to read. Raises NotFound, Unauthenticated."""
        ...
