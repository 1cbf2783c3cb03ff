"""The warm call: a request that came whole and is answered whole, by a replica to which a connection waits.

Nearly all calls are of this kind, and what they cost bounds what a gateway serves. What `Exchange` does for any call in
thirty steps is done here in three, with the same outcome: `repeat` begins a call that is equal to the
connection's last one, `_go` sends it, `whole` answers and counts it. Without the system's part a call then takes 6.1 us
instead of 9.9, both measured in turn on a busy machine. Whatever is not plain goes the general way.
"""

import time

from dayfly.gateway.admission import Lane, Seat
from dayfly.gateway.duration import LEADS, TAILS
from dayfly.gateway.noting import FUNCTION_ERROR, NotedExchange
from dayfly.http1.answer import Answer


class WarmCall(NotedExchange):
    """The plain parts of a call of a function."""

    __slots__ = ("_hold_until", "_lane", "_seat")

    _hold_until: float
    """Until when it may wait for a seat; 0 for a call that never had to."""
    _lane: Lane | None
    _seat: Seat | None

    def repeat(self) -> None:
        """Answer the same request once more. Only what differs from call to call is made anew."""
        self.written = False
        self.status = 0
        self._began = time.monotonic()
        self._start_line = b"X-Start-Time: %d\r\n" % time.time_ns()
        ids = self._gateway.ids
        if self._plan.own_ident:
            self._ident = self._plan.ident(ids)
        else:
            self._ident = ids.ready.pop() if ids.ready else ids.take()
        self.admit()

    def _go(self, lane: Lane, seat: Seat, now: float) -> None:
        self._seat = seat
        self._seated = now
        meter = lane.meter
        meter.inflight += 1
        if not meter.changed:
            meter.touch()
        pool = seat.pool
        upstream = pool.take() if not self.head.length else None
        if upstream is None:
            self.connection.due(now + lane.entry.timeout_s)
            self.forward(pool)
            return
        connection = self.connection
        connection.call_deadline = connection.deadline = now + lane.entry.timeout_s  # `due`, where there is no body
        self.pool = pool
        self.upstream = upstream
        upstream.begin(self, self.head.method)
        if upstream.write(self.request_head()):
            self.written = True
        else:
            self._lost(upstream.reused, "it closed the connection", True)

    def whole(self, answer: Answer, body: bytes) -> None:
        """Write a counted answer that came in one piece, and be done."""
        head = self.head
        gateway = self._gateway
        now = time.monotonic()
        seconds = now - self._began
        if not (self.complete and head.keep_alive and head.minor) or gateway.draining or self._taking is not None:
            self.answered(answer, body, True)
            return
        self.status = status = answer.status
        connection = self.connection
        transport = connection.transport
        if transport is None or transport.is_closing():
            return
        if now >= answer.opening_until:
            answer.open(now)
        if seconds < 1:
            microseconds = int(seconds * 1e6)
            lead, tail = LEADS[microseconds // 1_000], TAILS[microseconds % 1_000]
        else:
            lead, tail = b"X-Duration-Seconds: %.6f" % seconds, b"\r\nContent-Length: "
        parts = (answer.opening, self._ident[0], self._start_line, lead, tail, answer.closing, body)
        transport.write(b"".join(parts))
        upstream = self.upstream
        lane = self._lane
        seat = self._seat
        assert upstream is not None
        assert lane is not None
        assert seat is not None
        self.upstream = self._seat = None
        upstream.release()
        meter = lane.meter
        records = gateway.records
        meter.inflight -= 1
        meter.finish(status, seconds)
        if seat.tally is not None:
            seat.tally.count(status, now - self._seated)
        if status < 500 and lane.name in records.full:
            # `_note`, where the call is not recorded.
            meter.run_s += now - self._seated
            meter.received += head.length
            meter.sent += answer.length
            records.passed_over += 1
        else:
            self._sent, self._used = answer.length, answer.aside
            self._note(lane, seat, status, now, FUNCTION_ERROR if status >= 500 else "")
        lane.leave(seat)
        if not head.length and not self._hold_until:
            connection.again = self
        connection.finish(now, True)
