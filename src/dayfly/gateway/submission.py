"""A submission: a call that is handed to the queue, and answered with 202 once the queue has it on the disk."""

import time
from typing import TYPE_CHECKING

import msgspec

from dayfly.gateway import refusals
from dayfly.gateway.headers import ClientHeaders, depth_line
from dayfly.gateway.ids import call_id
from dayfly.gateway.plan import Plan, request_prefix
from dayfly.gateway.problems import problem
from dayfly.gateway.queue_bound import PATIENCE_S, QueueBound
from dayfly.http1.answer import Answer
from dayfly.http1.head import RequestHead
from dayfly.http1.pool import Pool
from dayfly.http1.server import ServerConnection
from dayfly.model.names import DEFAULT_NAMESPACE
from dayfly.model.retry import RetryPolicy

if TYPE_CHECKING:
    from dayfly.gateway.listener import PublicListener

_LONGEST_S = 30.0


class Queue(msgspec.Struct, frozen=True):
    """What a gateway knows of the queue."""

    pool: Pool | None
    """None when this installation has no queue."""
    missing: str = ""
    """Why it has none."""
    body_bytes: int = 1_048_576
    accept_unknown: bool = False
    """Whether calls of functions that do not exist are queued too."""


class _Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the function's author says of its queued calls, as the queue reads it."""

    retry: RetryPolicy
    concurrency: int = 0
    callbacks: tuple[str, ...] = ()


class Submission(QueueBound):
    """One call on its way into the queue."""

    __slots__ = ("_gateway", "_hold_until", "_ident", "_name", "_plan", "_start_line", "_terms")

    away = refusals.QUEUE_AWAY

    def __init__(self, connection: ServerConnection, head: RequestHead, gateway: "PublicListener", plan: Plan) -> None:
        super().__init__(connection, head)
        self._gateway = gateway
        self._plan = plan
        self._ident = plan.ident(gateway.ids)
        self._start_line = b"X-Start-Time: %d\r\n" % time.time_ns()
        self._name = plan.name
        self._terms = b"{}"
        self._hold_until = time.monotonic() + PATIENCE_S

    def admit(self) -> None:
        """Hand it over, or say why not."""
        queue, lane = self._gateway.queue, self._gateway.lanes.get(self._plan.name)
        if self.head.method != b"POST":
            self._refuse(refusals.QUEUED_BY_POST, b"Allow: POST\r\n")
        elif queue.pool is None:
            self._refuse(refusals.no_queue(queue.missing))
        elif lane is None and not self._gateway.known:
            self._refuse(refusals.NO_TABLE)
        elif lane is None and not (queue.accept_unknown and self._plan.name):
            self._refuse(refusals.unknown(self._plan.name))
        elif lane is not None and self._plan.depth >= lane.max_depth:
            self._refuse(refusals.too_deep(lane))
        else:
            if lane is not None:
                self._name = lane.name.encode()
                told = lane.entry
                self._terms = msgspec.json.encode(_Terms(told.retry, told.queue_concurrency, told.callback_hosts))
            elif b"." not in self._name:
                self._name += b"." + DEFAULT_NAMESPACE.encode()
            self.connection.due(time.monotonic() + _LONGEST_S)
            self.forward(queue.pool)

    def request_head(self) -> bytes:
        """Return the head to send to the queue."""
        passed = ClientHeaders(self.head.headers).lines
        if self._plan.depth:
            passed += depth_line(self._plan.depth)
        lines = b"X-Dayfly-Terms: %b\r\n%b%b%b" % (self._terms, self._plan.choice, self._ident[1], passed)
        target = b"/call/%b%b" % (self._name, self._plan.tail)
        return request_prefix(self.head, target, lines, self.connection.peer, self._gateway.secure) + b"\r\n"

    def response_lines(self, answer: Answer) -> bytes:
        """Return the queue's headers and when it began."""
        if answer.status == 202:
            return answer.lines + self._start_line
        return b"%b%b%b" % (answer.lines, self._ident[0], self._start_line)

    def lost(self, why: str) -> refusals.Refusal:
        """Return what says that the queue may have it, or not."""
        return refusals.queue_lost(why)

    def expired(self) -> None:
        """Say that the queue takes too long."""
        if self.status:
            self._break_off(504)
        else:
            self._refuse(refusals.queue_lost(f"it did not answer within {_LONGEST_S:g} s"))

    def finished(self, status: int, now: float) -> None:
        """Nothing is counted: the call is, when the queue makes it."""

    def _refuse(self, refusal: refusals.Refusal, headers: bytes = b"") -> None:
        keep = self.head.keep_alive and self.complete and not self._gateway.draining
        response = problem(
            refusal.status,
            refusal.code,
            refusal.detail,
            call_id=call_id(self._ident),
            hint=refusal.hint,
            retry_after_s=refusal.retry_after_s,
            headers=self._start_line + refusal.internal + headers,
            keep=keep,
            bodiless=self.head.method == b"HEAD",
        )
        self.reply(refusal.status, response, keep=keep)
