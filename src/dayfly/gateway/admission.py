"""Admission: which replica takes a call, and which calls wait.

Each function has a lane. A call takes the seat with the fewest calls outstanding; while no seat is free it waits, first
come first served, bounded in number (`queue_limit`) and time (`hold_s`). Nothing here touches a socket: a
seat only names the pool that a call is sent through.

An endpoint that does not answer is left out until the control plane says something new about its function, or for
`SUSPECT_S`, whichever is first: the control plane may believe the replica well, and then nothing else would bring the
endpoint back. One whose machine is silent is left out until a connection of ours is answered there, whatever the
control plane says: a call would wait as long as that takes, and the loss of a machine is known here first.

While a canary runs, its seats stand apart, and its `Split` says which calls are theirs. `Lane.seats` are then those of
the other endpoints, which is what a call waits for and what the control plane is told of when there is none.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, Protocol

from dayfly.gateway.metering import Meters, Tally
from dayfly.gateway.split import Split
from dayfly.http1.pool import Pool
from dayfly.model.depth import DEFAULT_MAX_DEPTH
from dayfly.model.table import Allowed, Endpoint, Entry

SUSPECT_S = 1.0
_UNLIMITED = 1 << 62


class Waiting(Protocol):
    """A call that waits for a seat."""

    def seated(self, seat: "Seat") -> None:
        """A seat was taken for this call, which waits no longer."""

    def turned_away(self, lane: "Lane") -> None:
        """The function's replicas cannot be started (`lane.entry.failing`) or it is gone; the call waits no longer."""


class Seat:
    """One endpoint and what is on its way to it."""

    __slots__ = ("endpoint", "outstanding", "pool", "suspect_until", "tally")

    def __init__(self, endpoint: Endpoint, pool: Pool) -> None:
        self.endpoint = endpoint
        self.pool = pool
        self.outstanding = 0
        self.suspect_until = 0.0
        self.tally: Tally | None = None
        """What counts the calls of its revision while a canary runs."""


class _Bound(NamedTuple):
    """How many calls may have begun, within a turn."""

    last: int
    turn: int

    def after(self, started: int, left: int, turn: int) -> "_Bound":
        """Return it as the control plane has it now. Within a turn our own count is ahead of what that has heard."""
        if left < 0:
            return _NO_BOUND
        return _Bound(min(self.last, started + left) if turn == self.turn else started + left, turn)


_NO_BOUND = _Bound(_UNLIMITED, -1)
_NO_BUDGET = Allowed(True, -1, -1, 0, "", "")


class Lane:
    """One function: its entry, its seats and the calls that wait."""

    __slots__ = (
        "_bound",
        "_make_pool",
        "_most_depth",
        "_seat_by_address",
        "_shared_bound",
        "_split",
        "_turn",
        "entry",
        "last",
        "limit",
        "max_depth",
        "meter",
        "name",
        "removed",
        "seats",
        "waiting",
    )

    def __init__(
        self, entry: Entry, make_pool: Callable[[str], Pool], meters: Meters, max_depth: int = DEFAULT_MAX_DEPTH
    ) -> None:
        self.entry = entry
        self.name = f"{entry.name}.{entry.namespace}"
        self.meter = meters.of(self.name)
        self.limit = _UNLIMITED
        self.max_depth = self._most_depth = max_depth
        """How deep a call of it may be."""
        self.last = _UNLIMITED
        """How many calls its meter may have begun before the next is refused, as budgets have it."""
        self._bound = self._shared_bound = _NO_BOUND
        self.seats: list[Seat] = []
        """Endpoints that may be used now, the canary's left out."""
        self.waiting: OrderedDict[Waiting, None] = OrderedDict()
        self.removed = False
        self._turn = 0
        self._split: Split | None = None
        self._make_pool = make_pool
        self._seat_by_address: dict[str, Seat] = {}
        self.update(entry)

    @property
    def starving(self) -> bool:
        """Whether calls wait and no endpoint that could take them is ready: the control plane must be told."""
        return bool(self.waiting) and not self.seats

    def update(self, entry: Entry) -> None:
        """Take over what the control plane says now; suspects are trusted again."""
        self.entry = entry
        self.limit = entry.max_inflight or _UNLIMITED
        self.max_depth = min(entry.max_depth or self._most_depth, self._most_depth)
        self._allow(entry.allowed)
        known, self._seat_by_address = self._seat_by_address, {}
        for endpoint in entry.endpoints:
            seat = known.pop(endpoint.address, None)
            if seat is None or seat.endpoint.replica != endpoint.replica:
                if seat is not None:
                    seat.pool.close()
                seat = Seat(endpoint, self._make_pool(endpoint.address))
            if not seat.pool.silent:
                seat.suspect_until = 0.0
            self._seat_by_address[endpoint.address] = seat
        for seat in known.values():
            seat.pool.close()
        self._arrange()
        self.serve()
        if entry.failing and not self.seats:
            self.turn_away()

    def remove(self) -> None:
        """The function is gone: let go of its connections, turn away what waits."""
        self.removed = True
        for seat in self._seat_by_address.values():
            seat.pool.close()
        self._seat_by_address.clear()
        self.seats = []
        self._split = None
        self.meter.end_tallies()
        self.turn_away()

    def close(self) -> None:
        """Let go of every connection as its call ends."""
        for seat in self._seat_by_address.values():
            seat.pool.close()

    def turn_away(self) -> None:
        """Tell every waiting call that it waits in vain."""
        while self.waiting:
            call, _ = self.waiting.popitem(last=False)
            self._note_waiting()
            call.turned_away(self)

    def pick(self) -> Seat | None:
        """Take the seat with the fewest calls outstanding; None when all are full or there is none.

        Equal seats take turns. Every seat taken is given back by `leave`.
        """
        seats = self.seats
        if self._split is not None:
            return self._split.pick(seats, self.limit)
        count = len(seats)
        if count == 1:
            only = seats[0]
            if only.outstanding >= self.limit:
                return None
            only.outstanding += 1
            return only
        best: Seat | None = None
        fewest = self.limit
        self._turn = turn = (self._turn + 1) % count if count else 0
        for at in range(turn - count, turn):
            seat = seats[at]
            if seat.outstanding < fewest:
                best, fewest = seat, seat.outstanding
                if not fewest:
                    break
        if best is not None:
            best.outstanding += 1
        return best

    def leave(self, seat: Seat) -> None:
        """Give a seat back, to the call that has waited longest if there is one."""
        seat.outstanding -= 1
        if self.waiting:
            self.serve()

    def serve(self) -> None:
        """Seat waiting calls while there are seats."""
        while self.waiting:
            seat = self.pick()
            if seat is None:
                return
            call, _ = self.waiting.popitem(last=False)
            self._note_waiting()
            call.seated(seat)

    def wait(self, call: Waiting) -> bool:
        """Let a call wait; False when as many wait already as may."""
        if len(self.waiting) >= self.entry.queue_limit:
            return False
        self.waiting[call] = None
        self._note_waiting()
        return True

    def give_up(self, call: Waiting) -> None:
        """Let a call wait no longer. Idempotent."""
        if self.waiting.pop(call, _MISSING) is None:
            self._note_waiting()

    def suspect(self, seat: Seat, now: float) -> None:
        """Leave an endpoint out for now: it does not answer."""
        seat.suspect_until = now + SUSPECT_S
        side = self._side(seat)
        if seat in side:
            side.remove(seat)

    def reconsider(self, now: float) -> None:
        """Use suspects again whose time is over."""
        for seat in [each for each in self._seat_by_address.values() if 0 < each.suspect_until <= now]:
            if not seat.pool.silent:
                self.trust(seat)

    def trust(self, seat: Seat) -> None:
        """Use a suspect again, if it is one still."""
        if seat.suspect_until and self._seat_by_address.get(seat.endpoint.address) is seat:
            seat.suspect_until = 0.0
            self._side(seat).append(seat)
            self.serve()

    def trim(self) -> None:
        """Let every endpoint's pool close what it does not need."""
        for seat in self._seat_by_address.values():
            seat.pool.trim()

    def _allow(self, allowed: Allowed | None) -> None:
        """Bound the calls that may begin, by all budgets and by the namespace's alone."""
        allowed, started = allowed or _NO_BUDGET, self.meter.started
        self._bound = self._bound.after(started, allowed.calls_left, allowed.turn)
        self._shared_bound = self._shared_bound.after(started, allowed.shared_left, allowed.shared_turn)
        self.last = min(self._bound.last, self._shared_bound.last) if allowed.is_open else 0

    def _arrange(self) -> None:
        """Put every seat on its side, and count by revision while there are two sides."""
        canary, split = self.entry.canary, self._split
        if not canary:
            if split is not None:
                self._split = None
                self.meter.end_tallies()
                for seat in self._seat_by_address.values():
                    seat.tally = None
            self.seats = [seat for seat in self._seat_by_address.values() if not seat.suspect_until]
            return
        if split is None or split.revision != canary:
            self.meter.end_tallies()
            split = self._split = Split(canary)
        split.percent = self.entry.canary_percent
        self.seats, split.seats = [], []
        for seat in self._seat_by_address.values():
            seat.tally = self.meter.tally(seat.endpoint.revision)
            if not seat.suspect_until:
                self._side(seat).append(seat)

    def _side(self, seat: Seat) -> list[Seat]:
        split = self._split
        return split.seats if split is not None and seat.endpoint.revision == split.revision else self.seats

    def _note_waiting(self) -> None:
        meter = self.meter
        meter.waiting = len(self.waiting)
        meter.touch()


_MISSING = object()
