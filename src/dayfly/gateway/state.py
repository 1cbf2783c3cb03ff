"""The state of one gateway process: its table, its figures, and what it has to tell the control plane."""

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec

from dayfly.gateway.admission import SUSPECT_S, Lane, Seat
from dayfly.gateway.endings import Bereft, Endings
from dayfly.gateway.headers import ends_from_function
from dayfly.gateway.metering import Meters
from dayfly.gateway.noting import USED
from dayfly.gateway.records import Records
from dayfly.gateway.rules import Rules
from dayfly.gateway.table import Table
from dayfly.http1.pool import Pool
from dayfly.http1.sieve import Sieve
from dayfly.model.depth import DEFAULT_MAX_DEPTH
from dayfly.model.table import Confirmed, Delta, Demand, Report, Snapshot, ToControl, ToGateway

_log = logging.getLogger("dayfly.gateway")


class State:
    """What the link and the listeners share. `tell` sends a message to the control plane, or drops it while it is away.

    Dropping is harmless: figures are totals, and every starving function is told again with each report.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        max_depth: int = DEFAULT_MAX_DEPTH,
        records: Records | None = None,
    ) -> None:
        self.meters = Meters()
        self.records = records if records is not None else Records()
        sieve = Sieve(ends_from_function, USED)
        self.make_pool: Callable[[str], Pool] = lambda address: Pool(address, sieve)
        """Makes connections to a replica."""
        self.table = Table(self.make_pool, self.meters, max_depth)
        self.rules = Rules()
        self.on_rules: list[Callable[[], None]] = []
        """Told whenever routes have changed."""
        self.endings = Endings(loop.call_later)
        self.ready = asyncio.Event()
        """Set once the first snapshot has come."""
        self.tell: Callable[[ToControl], None] = drop
        self.hand_over: Callable[[], None] = lambda: None
        """Hands records of calls over to the control plane."""
        self._loop = loop
        self._starving: dict[Lane, None] = {}

    def receive(self, message: ToGateway) -> None:
        """Act on a message of the control plane."""
        if isinstance(message, Report):
            self.hand_over()
            self.tell(self.meters.all(message.id))
        elif isinstance(message, Delta):
            for ended in message.ended:
                self.endings.hear(ended)
            self.table.apply(message)
            if message.routes or message.unrouted:
                self.rules.change(message.routes, message.unrouted)
                self._tell_of_rules()
        elif isinstance(message, Confirmed):
            self.records.confirmed(message.batch)
        elif isinstance(message, Snapshot):
            self.table.reset(message)
            self.rules.reset(message.routes)
            self._tell_of_rules()
            self.records.begin(message.confirms)
            self.ready.set()
            _log.info("routing table received version=%d functions=%d", message.version, len(message.entries))
            self.report()

    def remember(self, snapshot: Snapshot) -> None:
        """Serve what an earlier life was told, until the control plane says what is so now.

        What it does not know may be there all the same. Functions with a budget are left out: how much of it is left
        is not known any more.
        """
        entries = tuple(entry for entry in snapshot.entries if entry.allowed is None)
        self.table.reset(msgspec.structs.replace(snapshot, entries=entries))
        self.table.known = False
        self.rules.reset(snapshot.routes)
        self._tell_of_rules()
        _log.info("routing table remembered version=%d functions=%d", snapshot.version, len(entries))

    def introduce(self) -> None:
        """Tell a control plane that is not the first what was counted before it came."""
        if self.ready.is_set():
            self.tell(msgspec.structs.replace(self.meters.all(0), again=True))

    def _tell_of_rules(self) -> None:
        for tell in self.on_rules:
            tell()

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
        if seat.suspect_until and seat.pool.silent:
            return  # it is being tried already
        lane.suspect(seat, time.monotonic())
        _log.warning("endpoint does not answer function=%s address=%s", lane.name, seat.endpoint.address)
        self._loop.call_later(SUSPECT_S + 0.01, lambda: self._reconsider(lane, seat))
        if lane.starving:
            self.demand(lane)

    def _reconsider(self, lane: Lane, seat: Seat) -> None:
        """Use a suspect again, once its machine is heard."""
        if not seat.pool.silent:
            lane.reconsider(time.monotonic())
        elif not seat.pool.closed:
            seat.pool.try_out(lambda heard: self._tried(lane, seat, heard=heard))

    def _tried(self, lane: Lane, seat: Seat, *, heard: bool) -> None:
        if heard:
            lane.trust(seat)
        else:
            self._loop.call_later(SUSPECT_S, lambda: self._reconsider(lane, seat))

    def ask_why(self, call: Bereft, seat: Seat) -> None:
        """Have the call told why the replica of its seat is gone: soon, or at once when nobody could say."""
        if self.tell is drop:
            call.bereft(None)
        else:
            self.endings.ask(seat.endpoint.replica, call)

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
