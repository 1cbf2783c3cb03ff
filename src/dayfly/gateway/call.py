"""A call of a function: from its head to the count of how it ended."""

import logging
import time
from typing import TYPE_CHECKING

from dayfly.gateway import refusals
from dayfly.gateway.admission import Lane, Seat
from dayfly.gateway.headers import passes_as_trailer
from dayfly.gateway.ids import call_id
from dayfly.gateway.noting import FUNCTION_ERROR
from dayfly.gateway.plan import Plan
from dayfly.gateway.problems import problem
from dayfly.gateway.warm import WarmCall
from dayfly.http1.answer import Answer
from dayfly.http1.head import RequestHead
from dayfly.http1.server import ServerConnection
from dayfly.http1.wire import Data
from dayfly.model.payload import PayloadPolicy
from dayfly.model.table import Ended

if TYPE_CHECKING:
    from dayfly.gateway.listener import PublicListener

_log = logging.getLogger("dayfly.gateway")


class FunctionCall(WarmCall):
    """One call of one function."""

    __slots__ = ()

    def __init__(self, connection: ServerConnection, head: RequestHead, gateway: "PublicListener", plan: Plan) -> None:
        # Written out instead of calling up, as this is done for every call.
        self.connection = connection
        self.head = head
        self.upstream = None
        self.pool = None
        self.early = b""
        self.complete = True
        self.written = False
        self.status = 0
        self.chunked = False
        self.keep = False
        self.room = -1
        self._gateway = gateway
        self._plan = plan
        self._lane = None
        self._seat = None
        self._hold_until = 0.0
        self._caller = self._refused = ""
        self._cold = False
        self._received = self._sent = 0
        self._used = b""
        self._taking = None
        self._began = time.monotonic()
        self._start_line = b"X-Start-Time: %d\r\n" % time.time_ns()
        self._ident = plan.ident(gateway.ids) if plan.own_ident else gateway.ids.take()

    def admit(self) -> None:
        """Take a seat, or wait for one, or say why not."""
        lane = self._lane = self._gateway.lanes.get(self._plan.name)
        if lane is None:
            self._refuse(refusals.unknown(self._plan.name) if self._gateway.known else refusals.NO_TABLE)
            return
        meter = lane.meter
        if self._plan.depth >= lane.max_depth or meter.started >= lane.last:
            self._guarded(lane)
            return
        meter.started += 1
        if lane.entry.payloads is not None:
            self._take(lane.entry.payloads)
        seat = lane.pick()
        if seat is None:
            self._wait(lane)
        else:
            self._go(lane, seat, self._began)

    def _guarded(self, lane: Lane) -> None:
        lane.meter.refused += 1
        is_deep = self._plan.depth >= lane.max_depth
        self._refuse(refusals.too_deep(lane) if is_deep else refusals.used_up(lane, time.time()))

    def _take(self, policy: PayloadPolicy) -> None:
        self._taking = self._gateway.records.payloads.take(policy)
        if self._taking is not None:
            self._taking.sent(self.early)

    def _wait(self, lane: Lane) -> None:
        entry = lane.entry
        if not lane.seats:
            if entry.failing:
                self.turned_away(lane)
                return
            lane.meter.cold += 1
            self._cold = True
        elif entry.turns_away:
            self._refuse(refusals.busy(lane))
            return
        if not lane.wait(self):
            self._refuse(refusals.queue_full(lane))
            return
        if not self._hold_until:
            self._hold_until = time.monotonic() + entry.hold_s
        self.connection.due(self._hold_until)
        if lane.starving:
            self._gateway.demand(lane)

    def seated(self, seat: Seat) -> None:
        """Go on after waiting."""
        assert self._lane is not None
        self._go(self._lane, seat, time.monotonic())

    def turned_away(self, lane: Lane) -> None:
        """Answer that waiting is in vain."""
        self._refuse(refusals.turned_away(lane))

    def request_head(self) -> bytes:
        """Return the head to send to the replica."""
        return b"".join((self._plan.prefix, self._ident[1], self._start_line, b"\r\n"))

    def response_lines(self, answer: Answer) -> bytes:
        """Return the function's headers and ours."""
        seconds = time.monotonic() - self._began
        ours = b"%b%bX-Duration-Seconds: %.6f\r\n" % (self._ident[0], self._start_line, seconds)
        return answer.lines + ours

    def answered(self, answer: Answer, first: Data, complete: bool) -> None:
        """Write the response's head and what of its body came along."""
        most = self._gateway.limits.answer_bytes
        size = max(answer.length, len(first))
        if most and size > most:
            self._refuse(refusals.too_large(size, most))
            return
        if most and answer.length < 0:
            self.room = most - len(first)
        self._sent, self._used = len(first), answer.aside
        if self._taking is not None:
            self._taking.answered(answer.lines, first)
        super().answered(answer, first, complete)

    def outgrown(self) -> None:
        """Break the answer off: its head is out, or soon would be, and nobody knows what is still to come."""
        self._refused = "answer_too_large"
        super().outgrown()

    def trailer_passes(self, name: bytes) -> bool:
        """Whether the function gets a trailer of this name."""
        return passes_as_trailer(name)

    def failed(self, why: str, left: bool, /) -> None:
        """Try another replica if nothing was sent to this one, else say why it is gone."""
        lane = self._lane
        assert lane is not None
        seat = self._seat
        if self.written and left and seat is not None:
            if seat.pool.silent:
                self._gateway.suspect(lane, seat)
                self._refuse(refusals.lost(lane, "nothing is heard of its machine any more"))
            else:
                self._gateway.ask_why(self, seat)
            return
        if self.written:
            self._refuse(refusals.lost(lane, why))
            return
        seat = self._leave(lane)
        if seat is not None:
            self._gateway.suspect(lane, seat)
        following = lane.pick()
        if following is not None:
            self._go(lane, following, time.monotonic())
        else:
            self._wait(lane)

    def bereft(self, ended: Ended | None) -> None:
        """Say why the replica is gone; None when nobody could tell."""
        lane = self._lane
        assert lane is not None
        if self._seat is None:  # its caller has gone away meanwhile, or has been told that time is up
            return
        told = refusals.ended(lane, ended) if ended is not None else refusals.lost(lane, "it closed the connection")
        self._refuse(told)

    def finished(self, status: int, now: float) -> None:
        """Count the call and free its seat."""
        lane = self._lane
        if lane is None:
            self._note_refused(status, now)
            return
        lane.meter.finish(status, now - self._began)
        seat, error = self._leave(lane), self._error(status)
        self._note(lane, seat, status, now, error)
        if seat is not None:
            if error and status >= 500 and error != FUNCTION_ERROR:
                # The function had it, and did not come to answer: nobody else would say so.
                ident = call_id(self._ident).decode()
                _log.warning("call failed function=%s call_id=%s status=%d error=%s", lane.name, ident, status, error)
            if seat.tally is not None:
                seat.tally.count(status, now - self._seated)
        elif lane.waiting:
            lane.give_up(self)

    def _leave(self, lane: Lane) -> Seat | None:
        seat, self._seat = self._seat, None
        if seat is not None:
            lane.meter.inflight -= 1
            lane.leave(seat)
        return seat

    def expired(self) -> None:
        """Say which limit was hit, if there is still room to say anything."""
        lane = self._lane
        assert lane is not None
        if self.status:
            self._break_off(504)
        elif self._seat is None:
            self._refuse(refusals.hold_over(lane))
        else:
            self._refuse(refusals.timed_out(lane))

    def _refuse(self, refusal: refusals.Refusal) -> None:
        keep = self.head.keep_alive and self.complete and not self._gateway.draining
        response = problem(
            refusal.status,
            refusal.code,
            refusal.detail,
            call_id=call_id(self._ident),
            hint=refusal.hint,
            retry_after_s=refusal.retry_after_s,
            headers=self._start_line + refusal.internal,
            keep=keep,
            bodiless=self.head.method == b"HEAD",
            plain=refusal.plain,
        )
        self._refused = refusal.code
        head, _, body = response.partition(b"\r\n\r\n")
        self._sent = len(body)
        if self._taking is not None:
            self._taking.answered(head.partition(b"\r\n")[2], body)
        self.reply(refusal.status, response, keep=keep)
