"""Calls by a route: what the route asks for first, then the call of its function.

    rate limit by address → who is it → rate limit by caller → the function

A signed body is held until it was found to be what was signed; see `signature_gate`.
"""

import time
from typing import TYPE_CHECKING

from dayfly.decide.attempts import peer_of
from dayfly.gateway import rates, route_refusals
from dayfly.gateway.call import FunctionCall
from dayfly.gateway.cors import without_theirs
from dayfly.gateway.gates import Admitted, Denied
from dayfly.gateway.plan import Plan
from dayfly.gateway.refusals import Refusal
from dayfly.gateway.route_plan import RoutePlan
from dayfly.gateway.signature_gate import Signature
from dayfly.http1.answer import STATUS_LINES, Answer
from dayfly.http1.date import date_line
from dayfly.http1.head import RequestHead
from dayfly.http1.server import CONTINUE, ServerConnection
from dayfly.http1.wire import Data

if TYPE_CHECKING:
    from dayfly.gateway.listener import PublicListener


_MOST_CALLER = 200


class RoutedCall(FunctionCall):
    """One call of a function by a route."""

    __slots__ = ("_lines", "_route", "_signature", "_subject", "_who")

    def __init__(
        self, connection: ServerConnection, head: RequestHead, gateway: "PublicListener", route: RoutePlan
    ) -> None:
        super().__init__(connection, head, gateway, route.pick())
        self._route = route
        self._lines = route.lines
        self._signature: Signature | None = None
        self._who = b""
        self._subject = ""

    @property
    def plan(self) -> Plan:
        """The plan of the call."""
        return self._plan

    def start(self, first: bytes, complete: bool) -> None:
        """Begin; a body that is signed is looked at first."""
        self.early, self.complete = first, complete
        rule = self._route.rule
        if self._route.preflight:
            self._reply_preflight()
        elif rule.closed:
            self._refuse(route_refusals.CLOSED)
        elif not self._within("", by_caller=False):
            return
        elif rule.signatures is not None:
            self._begin_signed(first, complete)
        elif rule.gate is not None:
            self._judged(rule.gate.check(self.head, self._peer(), self._began, time.time()))
        else:
            self.admit()

    def body(self, data: Data, complete: bool) -> None:
        """Pass more of the body on, or hold it until it is all there."""
        signature = self._signature
        if signature is None:
            super().body(data, complete)
            return
        self.complete = complete
        self.early += bytes(data)
        signature.update(data)
        if complete:
            self._signature = None
            self._judged(signature.judge(time.monotonic()))

    def request_head(self) -> bytes:
        """Return the head to send to the replica, which says who calls."""
        return b"%b%b%b%b\r\n" % (self._plan.prefix, self._ident[1], self._start_line, self._who)

    def response_lines(self, answer: Answer) -> bytes:
        """Return the function's headers, ours and the route's."""
        return self._with_routes(super().response_lines(answer))

    def _with_routes(self, lines: bytes) -> bytes:
        return (without_theirs(lines) if self._route.rule.entry.cors is not None else lines) + self._lines

    def whole(self, answer: Answer, body: bytes) -> None:
        """Write the response the general way."""
        self.answered(answer, body, True)

    def _peer(self) -> str:
        return self.connection.peer.decode("ascii", "replace")

    def _begin_signed(self, first: bytes, complete: bool) -> None:
        gate = self._route.rule.signatures
        assert gate is not None
        begun = gate.begin(self.head, time.time())
        if isinstance(begun, Denied):
            self._judged(begun)
            return
        begun.update(first)
        if complete:
            self._judged(begun.judge(time.monotonic()))
            return
        self._signature = begun
        if self.head.expects and not first:
            self.connection.write(CONTINUE)

    def _judged(self, judged: Admitted | Denied) -> None:
        if isinstance(judged, Denied):
            self._lines += judged.lines
            self._refuse(judged.refusal)
            return
        self._who, self._subject = judged.lines, judged.subject
        auth = self._route.rule.entry.auth
        self._caller = f"{auth.kind}:{judged.subject[:_MOST_CALLER]}" if auth is not None else ""
        if self._within(judged.subject, by_caller=True):
            self.admit()

    def _within(self, subject: str, *, by_caller: bool) -> bool:
        """Count the call where the route has a limit of this kind; whether it may go on, else it was refused.

        Who is nobody by name is told apart by address.
        """
        rule = self._route.rule
        rate = rule.entry.rate
        if rate is None or rate.by_caller != by_caller:
            return True
        name = subject or peer_of(self._peer())
        taken = self._gateway.buckets.take(rule.entry.key, rate, name, time.monotonic())
        self._lines += rates.lines(rule.entry.name, rate, taken)
        if not taken.allowed:
            self._refuse(rates.exceeded(rate, taken))
        return taken.allowed

    def _reply_preflight(self) -> None:
        keep = self.head.keep_alive and self.complete and not self._gateway.draining
        block = STATUS_LINES[204] + date_line() + self._ident[0] + self._route.preflight
        self.reply(204, block + (b"" if keep else b"Connection: close\r\n") + b"\r\n", keep=keep)

    def _refuse(self, refusal: Refusal) -> None:
        # What a page of another site may read, and how long it should wait, it must learn of a refusal too.
        self._start_line, line = self._start_line + self._lines, self._start_line
        super()._refuse(refusal)
        self._start_line = line
