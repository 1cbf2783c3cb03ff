"""Noting: what an exchange with a function has to remember for the record of the call.

What is the same for equal heads is in the call's plan, and what was counted anyway is taken from there, so that a call
that ends well costs a handful of additions and one struct.
"""

import re
from typing import TYPE_CHECKING

from dayfly.gateway.admission import Lane, Seat
from dayfly.gateway.ids import Ident
from dayfly.gateway.payloads import Taking
from dayfly.gateway.plan import Plan
from dayfly.http1.exchange import Exchange
from dayfly.http1.head import CHUNKED
from dayfly.http1.wire import Data
from dayfly.model.invocation import IDENT_BYTES, Note

if TYPE_CHECKING:
    from dayfly.gateway.listener import PublicListener

FUNCTION_ERROR = "function_error"
USED = b"x-dayfly-used"
"""The header in which a runtime tells what a call took: microseconds of processor time, and KiB of memory if it knows.
It is what the replica says, where somebody's code runs: for people, and nothing that a limit could rest on."""
_USED = re.compile(rb"([0-9]{1,12})(?: ([0-9]{1,12}))?")
_UNTOLD = (-1.0, 0)
_CUT = {408: "request_timeout", 413: "payload_too_large", 499: "client_gone", 502: "answer_broken", 504: "timeout"}
"""Why calls end otherwise than by an answer, by the status that stands for it."""


class NotedExchange(Exchange):
    """An exchange that counts what goes through it, and can note the call when it is over."""

    __slots__ = (
        "_began", "_caller", "_cold", "_gateway", "_ident", "_plan", "_received", "_refused", "_seated", "_sent",
        "_start_line", "_taking", "_used",
    )  # fmt: skip

    _began: float
    _caller: str
    """Who calls, as far as a gate knows."""
    _cold: bool
    """Whether the call waited for a replica to start."""
    _gateway: "PublicListener"
    _ident: Ident
    _plan: Plan
    _received: int
    """Bytes of a body that came in pieces."""
    _refused: str
    """The code of what we said instead of the function."""
    _seated: float
    _sent: int
    _start_line: bytes
    _taking: Taking | None
    """Takes the call's payload, where that is kept."""
    _used: bytes
    """What the replica says that the call took."""

    def answer(self, data: Data, complete: bool) -> None:
        """Pass more of the response's body on."""
        self._sent += len(data)
        if self._taking is not None:
            self._taking.more(data)
        super().answer(data, complete)

    def body(self, data: Data, complete: bool) -> None:
        """Pass more of the request's body on."""
        if self._taking is not None:
            self._taking.sent(data)
        super().body(data, complete)

    def _encoded(self, data: Data, complete: bool) -> bytes:
        if self.head.length == CHUNKED:
            self._received += len(data)
        return super()._encoded(data, complete)

    def _error(self, status: int) -> str:
        """Return why a call that ends with this status failed; nothing when it did not."""
        if self._refused:
            return self._refused
        if status == self.status:
            return FUNCTION_ERROR if status >= 500 else ""
        return _CUT.get(status, "refused")

    def _note_refused(self, status: int, now: float) -> None:
        """Note a call that was refused before it asked for a seat: by a gate, for its size, or with its key."""
        lane = self._gateway.lanes.get(self._plan.name)
        error = self._refused or ("" if self.pool is not None else self._error(status))
        if lane is not None and error:
            self._note(lane, None, status, now, error)

    def _note(self, lane: Lane, seat: Seat | None, status: int, now: float, error: str) -> None:
        length = self.head.length
        received = length if length >= 0 else self._received
        seated = self._seated if seat is not None else now
        run_s, sent, origin = now - seated, self._sent, self._plan.origin
        meter, records = lane.meter, self._gateway.records
        meter.run_s += run_s
        meter.received += received
        meter.sent += sent
        taking, payload = self._taking, None
        if taking is not None:
            self._taking = None
            payload = taking.over(self._plan.prefix, status, error)
        if records.has_room(lane.name, bool(error)):
            records.notes.append(
                Note(
                    self._ident[1][:IDENT_BYTES], self._start_line, lane.name,
                    seat.endpoint if seat is not None else None, origin, self._caller or origin.caller,
                    seated - self._began, self._cold, run_s, status, received, sent, error,
                    *(_told(self._used) if self._used else _UNTOLD), payload,
                )
            )  # fmt: skip
        elif payload is not None:
            records.payloads.let_go(payload)


def _told(used: bytes) -> tuple[float, int]:
    """Return processor time in seconds and memory in bytes, as far as the replica told them."""
    match = _USED.fullmatch(used)
    return (int(match[1]) / 1e6, int(match[2] or 0) * 1024) if match is not None else _UNTOLD
