"""Calls with an Idempotency-Key whose callers wait: they run once, and everybody who sends the key gets the answer.

The queue makes them, as it does those that nobody waits for: it claims the key on the disk, runs the call through this
or another gateway's inner socket, keeps the answer for a day, and gives it to whoever comes with the key meanwhile. The
function is the caller's with its method and headers; only the queue's limits for bodies and answers are added.
"""

import hashlib

from dayfly.gateway import refusals
from dayfly.gateway.call import FunctionCall
from dayfly.gateway.headers import depth_line
from dayfly.gateway.queue_bound import PATIENCE_S, QueueBound
from dayfly.gateway.routed import RoutedCall
from dayfly.http1.answer import Answer

_MARGIN_S = 5.0
"""What the queue's own work may take, beside a replica's start and the function's timeout."""
_FRESH = b"X-Call-Id: "


class KeyedCall(QueueBound, FunctionCall):
    """One call with a key. It has no seat and is not counted here: the queue's call of the function is."""

    __slots__ = ()

    away = refusals.KEYS_AWAY

    def admit(self) -> None:
        """Hand it to the queue, or say why not."""
        queue, lane = self._gateway.queue, self._gateway.lanes.get(self._plan.name)
        if queue.pool is None:
            self._refuse(refusals.no_keys(queue.missing))
        elif lane is None:
            self._refuse(refusals.unknown(self._plan.name) if self._gateway.known else refusals.NO_TABLE)
        else:
            self._hold_until = self._began + PATIENCE_S
            self.connection.due(self._began + lane.entry.hold_s + lane.entry.timeout_s + _MARGIN_S)
            self.forward(queue.pool)

    def request_head(self) -> bytes:
        """Return the head to send to the queue."""
        lane, rest = self._gateway.lanes.get(self._plan.name), self._plan.prefix.partition(b"\r\n")[2]
        name = lane.name.encode() if lane is not None else self._plan.name
        line = b"%b /direct/%b%b HTTP/1.1\r\n" % (self.head.method, name, self._plan.tail)
        depth = self._plan.depth  # the gateway that the queue asks says one more
        rest = rest.replace(b"\r\n" + depth_line(depth + 1), b"\r\n" + depth_line(depth))
        trigger = b"X-Dayfly-Trigger: %b\r\n" % self._plan.origin.trigger.encode()
        return line + rest + self._ident[1] + self._start_line + self._plan.choice + trigger + self._scope() + b"\r\n"

    def _scope(self) -> bytes:
        """Return further lines: whom the key is good for, where that is not the function, and who calls."""
        return b""

    def response_lines(self, answer: Answer) -> bytes:
        """Return the headers of the answer, all of which were ours or passed a gateway before."""
        return answer.lines if _FRESH in answer.lines else answer.lines + self._ident[0] + self._start_line

    def whole(self, answer: Answer, body: bytes) -> None:
        """Write the response the general way."""
        self.answered(answer, body, True)

    def repeatable(self) -> bool:
        """Whether it may be sent twice: that is what a key is for."""
        return True

    def lost(self, why: str) -> refusals.Refusal:
        """Return what says that the queue may have it, or not."""
        return refusals.key_lost(why)

    def expired(self) -> None:
        """Say that the call is still under way, if there is room to say anything."""
        if self.status:
            self._break_off(504)
        else:
            self._refuse(refusals.KEYED_LATE)


class KeyedRoutedCall(KeyedCall, RoutedCall):
    """One call with a key by a route: the key is good for the route, and for who was let through."""

    __slots__ = ()

    def _scope(self) -> bytes:
        who = f"{self._route.rule.entry.key}\n{self._subject}".encode()
        # A token that names nobody is good for itself alone.
        scope = hashlib.sha256(who if self._subject else who + self._who).hexdigest().encode()
        return b"X-Dayfly-Scope: %b\r\n%b" % (scope, self._who)

    def response_lines(self, answer: Answer) -> bytes:
        """Return the headers of the answer, and the route's."""
        return self._with_routes(super().response_lines(answer))
