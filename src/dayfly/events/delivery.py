"""Delivery: from an event that a source hands on to calls that are safe in the queue.

An event is looked at by the trigger's filter and then calls the trigger's functions, each under a key made of the
trigger and of what names the event. So an event that comes again, because nobody acknowledged it, calls nothing again
within a day. While the queue is full or away the source waits, and with it whoever sends.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from dayfly.control.clock import Clock
from dayfly.decide.expressions import Expression, Unanswerable
from dayfly.events.cloudevents import binary_headers, is_json, quoted
from dayfly.events.firing import Fire, Firing
from dayfly.events.pause import pause
from dayfly.events.port import Undeliverable
from dayfly.model.depth import ATTRIBUTE, HEADER
from dayfly.model.errors import DayflyError, InvalidRequest
from dayfly.model.event import Event
from dayfly.model.function import Function
from dayfly.model.trigger import Trigger, TriggerStanding

AGAIN_S, LONGEST_AGAIN_S = 0.5, 15.0
"""The wait before a call is offered to the queue again, and what it grows to."""
MAX_FILTERED_BYTES = 1_048_576
"""The largest data that a filter looks into."""
_log = logging.getLogger("dayfly.events")


class Delivery:
    """Delivers the events of one trigger, and counts them. `functions` gives those there are now.

    Those whose filters must not be busy at the same time share a `filtering`.
    """

    def __init__(
        self,
        trigger: Trigger,
        functions: Callable[[], Iterable[Function]],
        fire: Fire,
        clock: Clock,
        filtering: asyncio.Lock | None = None,
    ) -> None:
        self.trigger = trigger
        self.standing = TriggerStanding()
        self.ready_at: float | None = None
        """Since when its source runs, if it does."""
        self._filter = Expression.of(trigger.spec.filter) if trigger.spec.filter else None
        self._filtering = filtering or asyncio.Lock()
        self._functions = functions
        self._fire = fire
        self._clock = clock

    async def __call__(self, event: Event) -> None:
        """Return once the calls are safe in the queue, or nobody wants them. Raises Undeliverable."""
        try:
            wanted = await self._deliver(event, patiently=True)
        except Undeliverable as why:
            self._count(failed=1, trouble=str(why))
            name, namespace = self.trigger.spec.name, self.trigger.spec.namespace
            _log.warning("event cannot be delivered trigger=%s.%s id=%.80r reason=%s", name, namespace, event.id, why)
            raise
        self._count(delivered=wanted, filtered=not wanted)

    async def at_once(self, event: Event) -> bool:
        """Deliver without waiting for a queue; return whether anybody wanted it.

        Raises DayflyError as the queue does, Undeliverable.
        """
        try:
            wanted = await self._deliver(event, patiently=False)
        except Undeliverable as why:
            self._count(failed=1, trouble=str(why))
            raise
        self._count(delivered=wanted, filtered=not wanted)
        return wanted

    def called(self, event: Event) -> list[Function]:
        """Return the functions that the event is for, by name or by their topics."""
        spec = self.trigger.spec
        inside = [each for each in self._functions() if each.key.namespace == spec.namespace]
        if spec.function:
            return [each for each in inside if each.key.name == spec.function]
        topics = {event.subject, event.type} - {""}
        return [each for each in inside if topics & set(_topics(each))]

    def tell(self, **changed: Any) -> None:
        """Let the standing say this from now on."""
        self.standing = msgspec.structs.replace(self.standing, **changed)

    async def _deliver(self, event: Event, *, patiently: bool) -> bool:
        if not await self._wants(event):
            return False
        wait_s = AGAIN_S
        while True:
            functions = self.called(event)
            try:
                for function in functions:
                    await self._fire(self._firing(function, event))
                break
            except InvalidRequest as refused:  # It is too large, or came before with other data.
                raise Undeliverable(str(refused)) from refused
            except DayflyError as error:
                if not patiently:
                    raise
                self.tell(trouble=str(error))
            await pause(self._clock, wait_s)
            wait_s = min(2 * wait_s, LONGEST_AGAIN_S)
        if functions and self.standing.trouble:
            self.tell(trouble="")
        return bool(functions)

    async def _wants(self, event: Event) -> bool:
        if self._filter is None:
            return True
        async with self._filtering:
            await asyncio.sleep(0)  # A batch brings a thousand events, and all else has its turn between two of them.
            return self._holds(self._filter, event)

    def _holds(self, chosen: Expression, event: Event) -> bool:
        if len(event.data) > MAX_FILTERED_BYTES:
            raise Undeliverable(f"it has {len(event.data)} bytes; a filter looks into {MAX_FILTERED_BYTES} at most")
        try:
            return chosen.holds(document_of(event))
        except Unanswerable as why:
            raise Undeliverable(f"filter: {why}") from why

    def _firing(self, function: Function, event: Event) -> Firing:
        headers = binary_headers(event)
        headers["X-Topic"] = quoted(event.subject or event.type)
        headers["X-Connector"] = f"{self.trigger.spec.source.kind}-connector"
        headers["X-Dayfly-Trigger"] = f"trigger {self.trigger.spec.name}"
        depth = event.extensions.get(ATTRIBUTE, "")
        if depth.isascii() and depth.isdigit() and len(depth) <= 4:
            headers[HEADER] = depth
        return Firing.of(function, headers, key=key_of(self.trigger, event), body=event.data)

    def _count(self, *, delivered: int = 0, filtered: int = 0, failed: int = 0, trouble: str = "") -> None:
        self.tell(
            delivered=self.standing.delivered + delivered,
            filtered=self.standing.filtered + filtered,
            failed=self.standing.failed + failed,
            trouble=trouble or self.standing.trouble,
            last_unix_ms=self._clock.unix_ms(),
        )


def key_of(trigger: Trigger, event: Event) -> str:
    """Return the key under which the event calls a function for this trigger, as it was made; once a day."""
    parts = (trigger.spec.name, str(trigger.created_unix_ms), event.source, event.id)
    return "event " + hashlib.sha256("\0".join(parts).encode()).hexdigest()


def document_of(event: Event) -> dict[str, Any]:
    """Return what filters look at; `data` is the JSON that it holds, or else text, or nothing."""
    attributes = {name: getattr(event, name) for name in ("id", "source", "type", "subject", "time")}
    return {**attributes, "extensions": event.extensions, "data": _document(event)}


def _document(event: Event) -> Any:
    if not event.content_type or is_json(event.content_type):
        try:
            return msgspec.json.decode(event.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    try:
        return event.data.decode() or None
    except UnicodeDecodeError:
        return None


def _topics(function: Function) -> Iterable[str]:
    return (topic.strip() for topic in function.revision.spec.annotations.get("topic", "").split(","))
