"""Endings: a queued call that succeeded, or failed for good, as an event for triggers that wait for it; and the events
that it was answered with, for those that take answers.

What came of a call is in the queue's store before the call is let go, whatever is killed in between; so its end is read
from there, in the order in which ends were kept. How far that got is written down after the events are delivered. A
kill in between has some delivered again, under keys that the queue knows.
"""

import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from dayfly.control.clock import Clock
from dayfly.decide.queueing import backoff_s
from dayfly.events.cloudevents import read_events
from dayfly.events.delivery import Delivery
from dayfly.events.pause import pause
from dayfly.events.port import Undeliverable
from dayfly.model.depth import ATTRIBUTE
from dayfly.model.errors import InvalidRequest, NotSupported, Unavailable
from dayfly.model.event import Event
from dayfly.model.queued import Result
from dayfly.model.retry import RetryPolicy
from dayfly.model.trigger_source import EventSource, FunctionSource
from dayfly.queue.ledger import headers_of
from dayfly.queue.questions import Ending
from dayfly.storage.triggers import TriggerStore

SUCCEEDED, FAILED = "com.dayfly.call.succeeded", "com.dayfly.call.failed"
BODY_BYTES = 262_144
"""The largest answer that an event tells of."""
WAIT_S, LOOK_S = 20.0, 1.0
TOO_DEEP = 508
"""What a gateway answers for a function that it does not call, because the call would be too deep."""
_AGAIN = RetryPolicy(min_wait_s=1.0, max_wait_s=30.0)
_log = logging.getLogger("dayfly.events")


class EndedQueue(Protocol):
    """Where calls end."""

    async def ended(self, position: int, wait_s: float, body_bytes: int) -> list[Ending]:
        """Return what came of calls since the position, once there is anything or after `wait_s`."""
        ...


class Endings:
    """Tells the triggers that `running` gives of the ends of calls."""

    def __init__(
        self, queue: EndedQueue, store: TriggerStore, running: Callable[[], list[Delivery]], clock: Clock
    ) -> None:
        self._queue = queue
        self._store = store
        self._running = running
        self._clock = clock
        self._position: int | None = None
        self._alone_unix_ms = 0
        """When nobody waited for an end the last time; none that came before concerns anybody."""
        self._was_alone = False
        """Whether that was since the position was reached, so that whatever went meanwhile is missed by nobody."""

    async def run(self) -> None:
        """Follow the ends of calls while anybody waits for one, until cancelled."""
        failures = 0
        while True:
            if not self._running():
                self._alone_unix_ms, self._was_alone = self._clock.unix_ms(), True
                await pause(self._clock, LOOK_S)
                continue
            try:
                await self._follow()
                failures = 0
            except (NotSupported, Unavailable) as away:
                failures += 1
                _log.log(logging.WARNING if failures == 1 else logging.DEBUG, "ends of calls: %s", away)
                await pause(self._clock, backoff_s(_AGAIN, failures, 1.0))

    async def _follow(self) -> None:
        if self._position is None:
            self._position = await self._store.followed()
        found = await self._queue.ended(self._position, WAIT_S, BODY_BYTES)
        for ending in found:
            self._miss(ending.missed)
            await self._tell(ending.result)
        if found:
            await self._store.follow(found[-1].position)
            self._position = found[-1].position

    def _miss(self, count: int) -> None:
        """Tell of ends that are gone. Nobody followed before the first position, nor while nobody waited."""
        is_first = not self._position or self._was_alone
        self._was_alone = False
        if not count or is_first:
            return
        _log.warning("ends of calls were let go of before they were read missed=%d; the queue keeps 256 MiB", count)
        for delivery in self._running():
            delivery.tell(missed=delivery.standing.missed + count)

    async def _tell(self, result: Result) -> None:
        if result.finished_unix_ms < self._alone_unix_ms:
            return
        answers = answered(result)
        for delivery in self._running():
            events = [event_of(result)] if waits_for(delivery, result) else []
            for event in (*events, *(each for each in answers if takes_answer(delivery, result, each))):
                with contextlib.suppress(Undeliverable):  # Whoever delivers has told of it.
                    await delivery.among_others(event)


def answered(result: Result) -> list[Event]:
    """Return the CloudEvents that a call was answered with, as deep as the call; none for any other answer."""
    headers = list(headers_of(result.lines))
    names = {name for name, _ in headers}
    media = {value.strip().lower() for name, value in headers if name == "content-type"}
    is_event = "ce-specversion" in names or any(each.startswith("application/cloudevents") for each in media)
    if not is_event or result.state != "done" or not 200 <= result.status < 300:
        return []
    try:
        if result.dropped_bytes:
            raise InvalidRequest(f"it has {result.dropped_bytes} bytes, more than {BODY_BYTES}")
        events = read_events(headers, result.body)
    except InvalidRequest as why:
        _log.warning("answer is no event call=%s function=%s reason=%s", result.id, result.function, why)
        return []
    depth = {ATTRIBUTE: str(result.depth)}
    return [msgspec.structs.replace(event, extensions={**event.extensions, **depth}) for event in events]


def takes_answer(delivery: Delivery, result: Result, event: Event) -> bool:
    """Whether a trigger takes an event that a function has answered with, and was there when it did."""
    source, trigger = delivery.trigger.spec.source, delivery.trigger
    if not isinstance(source, EventSource) or not source.answers:
        return False
    inside = result.function.rpartition(".")[2] == trigger.spec.namespace
    return inside and result.finished_unix_ms >= trigger.created_unix_ms and source.takes(event.type, event.source)


def waits_for(delivery: Delivery, result: Result) -> bool:
    """Whether a trigger is for this end, and was there when it came.

    A call that was cut for its depth is nobody's end: to tell of it would be the next turn of the circle.
    """
    source, trigger = delivery.trigger.spec.source, delivery.trigger
    if not isinstance(source, FunctionSource) or result.finished_unix_ms < trigger.created_unix_ms:
        return False
    if result.status == TOO_DEEP and "x-duration-seconds" not in dict(headers_of(result.lines)):
        return False
    outcome = {"done": "success", "dead": "failure"}.get(result.state, "")
    named = result.function == f"{source.name}.{trigger.spec.namespace}"
    return named and outcome != "" and source.outcome in (outcome, "both")


def event_of(result: Result) -> Event:
    """Return the event that tells of an end; one that is dead, begun anew and ends again is another."""
    name, _, namespace = result.function.rpartition(".")
    told = {
        "call_id": result.id,
        "function": name,
        "namespace": namespace,
        "status": result.status,
        "attempts": result.attempts,
        "reason": result.reason,
        "seconds": round(result.seconds, 6),
        "content_type": dict(headers_of(result.lines)).get("content-type", ""),
        "dropped_bytes": result.dropped_bytes,
        **_body(result.body),
    }
    return Event(
        id=f"{result.id}.{result.finished_unix_ms}",
        source=f"/namespaces/{namespace}/functions/{name}",
        type=SUCCEEDED if result.state == "done" else FAILED,
        subject=name,
        time=datetime.fromtimestamp(result.finished_unix_ms / 1000, UTC).isoformat().replace("+00:00", "Z"),
        content_type="application/json",
        data=msgspec.json.encode(told),
        extensions={ATTRIBUTE: str(result.depth)} if result.depth else {},
    )


def _body(body: bytes) -> dict[str, object]:
    """Return the answer as text, or in base64 where it is none."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": body}
