"""The state of one gateway process: its table, its figures, and what it has to tell the control plane."""

import asyncio
import logging
import time
from collections.abc import Callable

from dayfly.gateway.admission import SUSPECT_S, Lane, Seat
from dayfly.gateway.headers import ends_from_function
from dayfly.gateway.metering import Meters
from dayfly.gateway.table import Table
from dayfly.http1.pool import Pool
from dayfly.http1.sieve import Sieve
from dayfly.model.table import Delta, Demand, Report, Snapshot, ToControl, ToGateway

_log = logging.getLogger("dayfly.gateway")


class State:
    """What the link and the listeners share. `tell` sends a message to the control plane, or drops it while it is away.

    Dropping is harmless: figures are totals, and every starving function is told again with each report.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.meters = Meters()
        sieve = Sieve(ends_from_function)
        self.table = Table(lambda address: Pool(address, sieve), self.meters)
        self.ready = asyncio.Event()
        """Set once the first snapshot has come."""
        self.tell: Callable[[ToControl], None] = drop
        self._loop = loop
        self._starving: dict[Lane, None] = {}

    def receive(self, message: ToGateway) -> None:
        """Act on a message of the control plane."""
        if isinstance(message, Report):
            self.tell(self.meters.all(message.id))
        elif isinstance(message, Delta):
            self.table.apply(message)
        elif isinstance(message, Snapshot):
            self.table.reset(message)
            self.ready.set()
            _log.info("routing table received version=%d functions=%d", message.version, len(message.entries))
            self.report()

    def report(self) -> None:
        """Tell what changed, and which functions still starve."""
        load = self.meters.changed()
        if load is not None:
            self.tell(load)
        for lane in list(self._starving):
            if lane.starving:
                self.tell(Demand(lane.name, len(lane.waiting)))
            else:
                del self._starving[lane]

    def demand(self, lane: Lane) -> None:
        """Tell at once that calls wait for this function's first replica."""
        if lane not in self._starving or len(lane.waiting) == 1:
            self._starving[lane] = None
            self.tell(Demand(lane.name, len(lane.waiting)))

    def suspect(self, lane: Lane, seat: Seat) -> None:
        """Leave an endpoint out that does not answer."""
        lane.suspect(seat, time.monotonic())
        _log.warning("endpoint does not answer function=%s address=%s", lane.name, seat.endpoint.address)
        self._loop.call_later(SUSPECT_S + 0.01, lambda: lane.reconsider(time.monotonic()))
        if lane.starving:
            self.demand(lane)

    def trim(self) -> None:
        """Close connections to replicas that nobody needed since the last call."""
        for lane in self.table:
            lane.trim()

    def close(self) -> None:
        """Let go of every connection to a replica."""
        for lane in self.table:
            lane.close()


def drop(message: ToControl) -> None:
    """Drop what cannot be told now."""
