"""Delivery: from an event that a source hands on to calls that are safe in the queue, or a run of a flow in its log.

An event is looked at by the trigger's filter and then calls the trigger's functions, or begins its flow, each under a
key made of the trigger and of what names the event. So an event that comes again, because nobody acknowledged it, calls
nothing again within a day, and begins nothing again for as long as its run is kept. While the queue is full or away the
source waits, and with it whoever sends.
"""

import asyncio
import hashlib
import logging
import math
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from dayfly.control.clock import Clock
from dayfly.decide.expressions import Expression, Unanswerable
from dayfly.events.cloudevents import binary_headers, is_json, quoted
from dayfly.events.firing import Begin, Beginning, Fire, Firing, input_of, no_flows
from dayfly.events.pause import pause
from dayfly.events.port import Undeliverable
from dayfly.model.depth import ATTRIBUTE, HEADER, is_depth
from dayfly.model.errors import DayflyError, InvalidRequest, LimitExceeded, NotFound
from dayfly.model.event import Event
from dayfly.model.function import Function
from dayfly.model.names import NamespaceName
from dayfly.model.trigger import Trigger, TriggerStanding

AGAIN_S, LONGEST_AGAIN_S = 0.5, 15.0
"""The wait before a call is offered to the queue again, and what it grows to."""
CROWDED_S = 60.0
"""How long those who follow ends for all wait for one namespace that has as many runs of flows as it may."""
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
        begin: Begin = no_flows,
    ) -> None:
        self.trigger = trigger
        self.standing = TriggerStanding()
        self.ready_at: float | None = None
        """Since when its source runs, if it does."""
        self._filter = Expression.of(trigger.spec.filter) if trigger.spec.filter else None
        self._filtering = filtering or asyncio.Lock()
        self._functions = functions
        self._fire = fire
        self._begin = begin
        self._clock = clock

    async def __call__(self, event: Event) -> None:
        """Return once the calls are safe in the queue, or nobody wants them. Raises Undeliverable."""
        await self._tell(event, math.inf)

    async def among_others(self, event: Event) -> None:
        """The same, for those behind whom all namespaces wait. Raises Undeliverable after CROWDED_S too."""
        await self._tell(event, CROWDED_S)

    async def _tell(self, event: Event, crowded_s: float) -> None:
        try:
            wanted = await self._deliver(event, crowded_s)
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
            wanted = await self._deliver(event)
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

    async def _deliver(self, event: Event, crowded_s: float | None = None) -> bool:
        """Return whether anybody wanted it. Without `crowded_s` there is one try, which raises as the queue does."""
        if not await self._wants(event):
            return False
        wait_s, began = AGAIN_S, self._clock.now()
        while True:
            try:
                wanted = await self._hand_over(event)
                break
            except InvalidRequest as refused:  # It is too large, or came before with other data.
                raise Undeliverable(str(refused)) from refused
            except DayflyError as error:
                if crowded_s is None:
                    raise
                is_crowded = self.trigger.spec.flow and isinstance(error, LimitExceeded)
                if is_crowded and self._clock.now() - began >= crowded_s:
                    raise Undeliverable(str(error)) from error
                self.tell(trouble=str(error))
            await pause(self._clock, wait_s)
            wait_s = min(2 * wait_s, LONGEST_AGAIN_S)
        if wanted and self.standing.trouble:
            self.tell(trouble="")
        return wanted

    async def _hand_over(self, event: Event) -> bool:
        if self.trigger.spec.flow:
            try:
                await self._begin(self._beginning(event))
            except NotFound:  # It was removed just now; the trigger's standing says so.
                return False
            return True
        functions = self.called(event)
        for function in functions:
            await self._fire(self._firing(function, event))
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
        if depth := _depth_of(event):
            headers[HEADER] = depth
        return Firing.of(function, headers, key=key_of(self.trigger, event), body=event.data)

    def _beginning(self, event: Event) -> Beginning:
        spec, extensions = self.trigger.spec, dict(event.extensions)
        extensions.pop(ATTRIBUTE, None)  # it differs by the way that the event came; the run knows it otherwise
        return Beginning(
            namespace=NamespaceName(spec.namespace),
            flow=spec.flow,
            input=input_of(msgspec.structs.replace(event, extensions=extensions)),
            key=key_of(self.trigger, event),
            depth=int(_depth_of(event) or 0),
            by=f"trigger {spec.name}",
        )

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


def _depth_of(event: Event) -> str:
    depth = event.extensions.get(ATTRIBUTE, "")
    return depth if is_depth(depth) else ""


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
