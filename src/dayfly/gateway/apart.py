"""Calls of replicas apart: the platform names the replica, and the call goes there or nowhere.

It is a call of the function as any other: counted, bounded by budgets, recorded with the revision of that replica. But
it neither waits for a seat nor takes one from others, and no other replica is tried in the place of this one.
"""

from typing import TYPE_CHECKING

from dayfly.gateway import refusals
from dayfly.gateway.admission import Lane, Seat
from dayfly.gateway.call import FunctionCall
from dayfly.gateway.plan import Plan
from dayfly.gateway.routes import FunctionRoute
from dayfly.http1.answer import Answer
from dayfly.http1.head import RequestHead
from dayfly.http1.server import ServerConnection
from dayfly.model.apart import Apart

if TYPE_CHECKING:
    from dayfly.gateway.listener import PublicListener


class ApartPlan(Plan):
    """The plan of a call of one replica."""

    __slots__ = ("apart",)

    def __init__(self, head: RequestHead, route: FunctionRoute, apart: Apart) -> None:
        super().__init__(head, route, None, False)
        self.apart = apart


class ApartCall(FunctionCall):
    """One call of one replica."""

    __slots__ = ("_apart",)

    def __init__(
        self, connection: ServerConnection, head: RequestHead, gateway: "PublicListener", plan: ApartPlan
    ) -> None:
        super().__init__(connection, head, gateway, plan)
        self._apart = plan.apart

    def admit(self) -> None:
        """Go to the replica, if there is such a function and its budgets leave a call."""
        lane = self._gateway.lanes.get(self._plan.name)
        if lane is None:
            self._refuse(refusals.unknown(self._plan.name))
            return
        self._lane = lane
        if lane.meter.started >= lane.last:
            self._guarded(lane)
            return
        lane.meter.started += 1
        if lane.entry.payloads is not None:
            self._take(lane.entry.payloads)
        endpoint = self._apart.endpoint
        self._go(lane, Seat(endpoint, self._gateway.pool(endpoint.address)), self._began)
        self.connection.due(self._began + self._apart.timeout_s)

    def whole(self, answer: Answer, body: bytes) -> None:
        """Write the response the general way."""
        self.answered(answer, body, True)

    def failed(self, why: str, left: bool, /) -> None:
        """Say that the replica is gone, and why if somebody knows."""
        lane, seat = self._lane, self._seat
        assert lane is not None
        if left and seat is not None:
            self._gateway.ask_why(self, seat)
        else:
            self._refuse(refusals.lost(lane, why))

    def expired(self) -> None:
        """Say that the call has taken longer than its revision may."""
        assert self._lane is not None
        if self.status:
            self._break_off(504)
        else:
            self._refuse(refusals.timed_out(self._lane, self._apart.timeout_s))

    def _leave(self, lane: Lane) -> Seat | None:
        seat = super()._leave(lane)
        if seat is not None:
            seat.pool.close()
        return seat
