"""A call of a function: from its head to the count of how it ended."""

import logging
import time
from typing import TYPE_CHECKING

from dayfly.gateway.admission import Lane, Seat
from dayfly.gateway.headers import passes_as_trailer
from dayfly.gateway.ids import call_id
from dayfly.gateway.plan import Plan
from dayfly.gateway.problems import problem
from dayfly.http1.answer import STATUS_LINES, Answer
from dayfly.http1.date import date_line
from dayfly.http1.exchange import Exchange
from dayfly.http1.head import RequestHead
from dayfly.http1.server import ServerConnection
from dayfly.http1.wire import JOINED_BYTES, Data

if TYPE_CHECKING:
    from dayfly.gateway.listener import PublicListener

_log = logging.getLogger("dayfly.gateway")


class FunctionCall(Exchange):
    """One call of one function.

    `answered` does in one go for the warm call, whose request and response came whole, what `Exchange` does for any.
    """

    __slots__ = ("_began", "_gateway", "_hold_until", "_ident", "_lane", "_plan", "_seat", "_seated", "_start_line")

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
        self._lane: Lane | None = None
        self._seat: Seat | None = None
        self._hold_until = 0.0
        self._began = time.monotonic()
        self._start_line = b"X-Start-Time: %d\r\n" % time.time_ns()
        self._ident = plan.ident(gateway.ids) if plan.own_ident else gateway.ids.take()

    def admit(self) -> None:
        """Take a seat, or wait for one, or say why not."""
        lane = self._gateway.lanes.get(self._plan.name)
        if lane is None:
            self._refuse_unknown()
            return
        self._lane = lane
        lane.meter.started += 1
        seat = lane.pick()
        if seat is None:
            self._wait(lane)
        else:
            self._go(lane, seat, self._began)

    def _go(self, lane: Lane, seat: Seat, now: float) -> None:
        self._seat = seat
        self._seated = now
        meter = lane.meter
        meter.inflight += 1
        if not meter.changed:
            meter.touch()
        self.connection.due(now + lane.entry.timeout_s)
        self.forward(seat.pool)

    def _wait(self, lane: Lane) -> None:
        entry = lane.entry
        if not lane.seats:
            if entry.failing:
                self.turned_away(lane)
                return
            lane.meter.cold += 1
        if not lane.wait(self):
            self._problem(
                429,
                "queue_full",
                f"{entry.queue_limit} calls of {lane.name} wait already for a free replica"
                f"{self._inflight_text(lane)}; no more may wait (queue_limit).",
                hint="Try again, or raise com.openfaas.scale.max or max_inflight of the function.",
                retry_after_s=1,
            )
            return
        if not self._hold_until:
            self._hold_until = time.monotonic() + entry.hold_s
        self.connection.due(self._hold_until)
        if lane.starving:
            self._gateway.demand(lane)

    def _inflight_text(self, lane: Lane) -> str:
        return f" (each works on max_inflight = {lane.entry.max_inflight} at a time)" if lane.entry.max_inflight else ""

    def seated(self, seat: Seat) -> None:
        """Go on after waiting."""
        assert self._lane is not None
        self._go(self._lane, seat, time.monotonic())

    def turned_away(self, lane: Lane) -> None:
        """Answer that waiting is in vain."""
        if lane.removed:
            self._problem(404, "not_found", f"The function {lane.name} was removed while the call waited for it.")
            return
        self._problem(
            503,
            "function_failing",
            f"No replica of {lane.name} can be started: {lane.entry.failing}",
            hint="The function's log says more; a corrected deployment serves at once.",
            retry_after_s=5,
        )

    def request_head(self) -> bytes:
        """Return the head to send to the replica."""
        return b"%b%b%b\r\n" % (self._plan.prefix, self._ident[1], self._start_line)

    def response_lines(self, answer: Answer) -> bytes:
        """Return the function's headers and ours."""
        seconds = time.monotonic() - self._began
        ours = b"%b%bX-Duration-Seconds: %.6f\r\n" % (self._ident[0], self._start_line, seconds)
        return answer.lines + ours

    def answered(self, answer: Answer, first: Data, complete: bool) -> None:
        """Write the response's head and what of its body came along."""
        head = self.head
        warm = complete and self.complete and 0 < answer.length < JOINED_BYTES and head.keep_alive and head.minor
        if not warm or self._gateway.draining:
            self._answered(answer, first, complete)
            return
        self.status = status = answer.status
        connection = self.connection
        now = time.monotonic()
        seconds = now - self._began
        transport = connection.transport
        if transport is None or transport.is_closing():
            return
        transport.write(
            b"%b%b%b%b%bX-Duration-Seconds: %.6f\r\nContent-Length: %b\r\n\r\n%b"
            % (
                STATUS_LINES[status],
                b"" if answer.dated else date_line(),
                answer.lines,
                self._ident[0],
                self._start_line,
                seconds,
                answer.stated,
                bytes(first),
            )
        )
        upstream, self.upstream = self.upstream, None
        assert upstream is not None
        upstream.release()
        lane, seat, self._seat = self._lane, self._seat, None
        assert lane is not None
        assert seat is not None
        lane.meter.inflight -= 1
        lane.meter.finish(status, seconds)
        if seat.tally is not None:
            seat.tally.count(status, now - self._seated)
        lane.leave(seat)
        connection.finish(now, True)

    def _answered(self, answer: Answer, first: Data, complete: bool) -> None:
        most = self._gateway.limits.answer_bytes
        size = max(answer.length, len(first))
        if most and size > most:
            self._problem(
                502,
                "answer_too_large",
                f"The function's answer has {size} bytes or more; {most} may pass.",
                hint="The operator can raise the gateway's limit answer_bytes; larger things belong into a blob store.",
            )
            return
        if most and answer.length < 0:
            self.room = most - len(first)
        super().answered(answer, first, complete)

    def outgrown(self) -> None:
        """Break the answer off: its head is out, or soon would be, and nobody knows what is still to come."""
        name, ident = self._plan.name.decode(), call_id(self._ident).decode()
        _log.warning("answer broken off function=%s call_id=%s: it has outgrown the limit answer_bytes", name, ident)
        super().outgrown()

    def trailer_passes(self, name: bytes) -> bool:
        """Whether the function gets a trailer of this name."""
        return passes_as_trailer(name)

    def failed(self, why: str) -> None:
        """Try another replica if nothing was sent to this one, else say that it is gone."""
        lane = self._lane
        assert lane is not None
        if self.written:
            self._problem(
                502,
                "replica_lost",
                f"The replica of {lane.name} that worked on this call gave no answer: {why}.",
                hint="The function's log says why it ended. The call was not repeated, as it may have had effects.",
            )
            return
        seat = self._leave(lane)
        if seat is not None:
            self._gateway.suspect(lane, seat)
        following = lane.pick()
        if following is not None:
            self._go(lane, following, time.monotonic())
        else:
            self._wait(lane)

    def finished(self, status: int, now: float) -> None:
        """Count the call and free its seat."""
        lane = self._lane
        if lane is None:
            return
        lane.meter.finish(status, now - self._began)
        seat = self._leave(lane)
        if seat is not None:
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
            self._say_hold_over(lane)
        else:
            self._problem(
                504,
                "timeout",
                f"{lane.name} did not answer within its timeout of {lane.entry.timeout_s:g} s.",
                hint="Raise `timeout` of the function if it needs longer.",
            )

    def _say_hold_over(self, lane: Lane) -> None:
        waited = f"{lane.entry.hold_s:g} s"
        if lane.seats:
            self._problem(
                429,
                "queue_timeout",
                f"No replica of {lane.name} was free within {waited}{self._inflight_text(lane)}.",
                hint="Try again, or raise com.openfaas.scale.max or max_inflight of the function.",
                retry_after_s=1,
            )
        else:
            self._problem(
                503,
                "no_replica",
                f"No replica of {lane.name} was ready within {waited}, the longest that a call is held (hold_s).",
                hint="The function's log and `dayfly describe` say what the start is waiting for.",
                retry_after_s=1,
            )

    def _refuse_unknown(self) -> None:
        if self._gateway.known:
            self._problem(
                404, "not_found", "There is no such function.", hint="`dayfly list` shows the functions there are."
            )
        else:
            self._problem(
                503,
                "no_table",
                "This gateway has not heard from the control plane yet and knows no function.",
                retry_after_s=1,
            )

    def _problem(self, status: int, code: str, detail: str, *, hint: str = "", retry_after_s: int = 0) -> None:
        keep = self.head.keep_alive and self.complete and not self._gateway.draining
        response = problem(
            status,
            code,
            detail,
            call_id=call_id(self._ident),
            hint=hint,
            retry_after_s=retry_after_s,
            headers=self._start_line,
            keep=keep,
            bodiless=self.head.method == b"HEAD",
        )
        self.reply(status, response, keep=keep)
