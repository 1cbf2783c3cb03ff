"""Calls that flows make: through the queue, which keeps each until it has been made, whatever dies meanwhile.

An attempt of a step is one call in the queue, since all its submissions carry one idempotency key. Of a call that never
reached its function, or whose answer was lost, the queue makes another attempt; what the function answers is final
there, and whether the step is tried again is the flow's to say. So it is of a call that the queue has made and of which
nothing is left there.
"""

import contextlib
import hashlib
import logging
from collections.abc import Callable
from typing import Protocol

from dayfly.control.clock import Clock
from dayfly.decide.flow_plan import Order
from dayfly.decide.flow_spans import traceparent
from dayfly.events.pause import pause
from dayfly.model.depth import HEADER
from dayfly.model.errors import DayflyError, InvalidRequest, NotFound, NotSupported
from dayfly.model.flow_data import to_body, to_data
from dayfly.model.flow_run import Ended, Failed, FlowError, FlowRun
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName
from dayfly.model.queued import CallStatus
from dayfly.model.retry import RetryPolicy
from dayfly.queue.remote import RemoteQueue
from dayfly.queue.submission import Terms

AGAIN_S, LONGEST_AGAIN_S = 0.2, 15.0
"""The wait before a call is offered to the queue again, and what it grows to."""
_POLL_S = 60.0
"""How long one question for a call's end may wait."""
_OVER = frozenset(("done", "dead", "cancelled"))
_SHOWN_BYTES = 2000
_RETRY = RetryPolicy(attempts=10, codes=(), min_wait_s=0.5, max_wait_s=30.0)
_LOST = (
    "The call {call_id} of {name} was made, and its answer is gone: newer ones took its place, or its day is over. "
    "{name} may have run."
)
_log = logging.getLogger("dayfly.events")


class Calls(Protocol):
    """Who makes the calls of flows."""

    @property
    def missing(self) -> str:
        """Why no calls can be made here; empty when they can."""
        ...

    async def make(self, run: FlowRun, order: Order, accepted: Callable[[str], None]) -> Ended | Failed:
        """Return what the ordered call comes to, however often it is ordered; `accepted` is told its id before."""
        ...

    async def cancel(self, call_id: str) -> None:
        """Let a call be over that nobody wants any more."""
        ...

    async def release(self, call_id: str) -> None:
        """Let go of a call that has failed, since the flow has taken note of it."""
        ...


class QueueCalls:
    """Makes them through the queue. `concurrency` says what a function's author allows; it raises NotFound."""

    def __init__(self, queue: RemoteQueue, concurrency: Callable[[FunctionKey], int], clock: Clock) -> None:
        self._queue = queue
        self._concurrency = concurrency
        self._clock = clock

    @property
    def missing(self) -> str:
        """Why there is no queue."""
        return self._queue.missing

    async def make(self, run: FlowRun, order: Order, accepted: Callable[[str], None]) -> Ended | Failed:
        """Return what the call comes to."""
        key = FunctionKey(NamespaceName(run.namespace), FunctionName(order.function))
        body, media_type = to_body(order.body)
        headers = {
            "Content-Type": media_type,
            "X-Dayfly-Trigger": f"flow {run.id}",
            "X-Dayfly-Flow": run.flow,
            "X-Dayfly-Flow-Run": run.id,
            "X-Dayfly-Flow-Step": order.path,
            "X-Dayfly-Flow-Attempt": str(order.attempt),
            "traceparent": traceparent(run.id, order.path),
        }
        if run.depth:
            headers[HEADER] = str(run.depth)
        wait_s = AGAIN_S
        while True:
            call_id = ""
            try:
                terms = Terms(_RETRY, self._concurrency(key))
                call_id = await self._queue.submit(
                    str(key), terms, key=_key(run, order), headers=headers, body=body
                )  # fmt: skip
                accepted(call_id)
                return _came_to(order, await self._over(call_id))
            except NotFound:
                if call_id:  # its key stands for it: asked for again, it is the same call, of which nothing is left
                    return _failed(order, "answer_lost", _LOST.format(call_id=call_id, name=order.function))
                if not self._is_there(key):
                    return _failed(order, "no_function", f"There is no function {key}.")
            except DayflyError as error:
                if not error.retryable and not isinstance(error, NotSupported):
                    return _failed(order, "not_queued", str(error))
            await pause(self._clock, wait_s)
            wait_s = min(2 * wait_s, LONGEST_AGAIN_S)

    async def cancel(self, call_id: str) -> None:
        """Let a call be over."""
        with contextlib.suppress(DayflyError):  # it is over already, or will be: nobody looks at what comes of it
            await self._queue.cancel(call_id)
        await self.release(call_id)

    async def release(self, call_id: str) -> None:
        """Let go of a call that has failed."""
        try:
            await self._queue.purge([call_id])
        except DayflyError as error:
            _log.info("a flow's failed call stays among the dead letters call=%s reason=%s", call_id, error)

    async def _over(self, call_id: str) -> CallStatus:
        while True:
            status = await self._queue.status(call_id, _POLL_S)
            if status.state in _OVER:
                return status

    def _is_there(self, key: FunctionKey) -> bool:
        try:
            self._concurrency(key)
        except NotFound:
            return False
        return True


def _key(run: FlowRun, order: Order) -> str:
    """Return the same for every submission of one attempt, and no other."""
    place = hashlib.sha256(f"{order.path}\n{order.attempt}".encode()).hexdigest()[:40]
    return f"flow {run.id} {place}"


def _came_to(order: Order, status: CallStatus) -> Ended | Failed:
    name = order.function
    media_type = next((value for header, value in status.headers if header.lower() == "content-type"), "")
    if status.state == "cancelled":
        return _failed(order, "cancelled", f"The call of {name} was cancelled.")
    if status.state == "dead":
        if not status.status:
            return _failed(order, "not_reached", f"{name} could not be called: {status.reason}")
        said = status.body[:_SHOWN_BYTES].decode("utf-8", "replace")
        return _failed(order, "function_failed", f"{name} answered {status.status}.", status.status, said or None)
    if status.dropped_bytes:
        return _failed(order, "too_large", f"{name} answered {status.dropped_bytes} bytes; the queue keeps no such.")
    try:
        return Ended(path=order.path, attempt=order.attempt, result=to_data(status.body, media_type))
    except InvalidRequest as error:
        return _failed(order, "too_large" if error.status == 413 else "bad_answer", f"{name}'s answer: {error}")


def _failed(order: Order, code: str, message: str, status: int = 0, body: str | None = None) -> Failed:
    error = FlowError(code=code, message=message, step=order.path, status=status, body=body)
    return Failed(path=order.path, attempt=order.attempt, error=error)
