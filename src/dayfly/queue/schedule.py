"""The schedule: which call is tried next. A data structure without a clock or a store.

Calls wait until they are due, then for their turn. Higher priorities come first; within one, functions take turns, so
that a function with a thousand calls waiting does not keep another's single one waiting. No function has more calls
running than its limit; it is passed over until one of them is done.
"""

import heapq
from collections import OrderedDict, deque

from dayfly.model.queued import PRIORITIES, Priority

_Place = tuple[Priority, str]


class Schedule:
    """Calls by id. `limit` is for functions that have none of their own."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._limits: dict[str, int] = {}
        self._later: list[tuple[float, int, str]] = []
        self._places: dict[str, tuple[_Place, int]] = {}
        """Of the calls that wait, due or not, each with its function's limit as it was when the call came."""
        self._entered: dict[str, int] = {}
        """Which entry of a call is the one that counts: others are of times when it was due before."""
        self._lines: dict[_Place, deque[tuple[str, int]]] = {}
        self._turns: dict[Priority, OrderedDict[str, None]] = {priority: OrderedDict() for priority in PRIORITIES}
        self._running: dict[str, int] = {}
        self._held: dict[str, float] = {}
        """Functions of which nothing is tried before a time."""
        self._number = 0

    def add(self, call_id: str, function: str, priority: Priority, due: float, limit: int = 0) -> None:
        """Let a call wait until `due`, and then for its turn; one that waits already is due at the new time only."""
        self._number += 1
        self._places[call_id] = ((priority, function), limit or self._limit)
        self._entered[call_id] = self._number
        heapq.heappush(self._later, (due, self._number, call_id))

    def discard(self, call_id: str) -> None:
        """Let a call wait no longer. Idempotent."""
        self._places.pop(call_id, None)
        self._entered.pop(call_id, None)

    def hold(self, function: str, until: float) -> None:
        """Try none of the function's calls before `until`; those that run go on."""
        self._held[function] = until
        for turns in self._turns.values():
            turns.pop(function, None)

    def take(self, now: float) -> tuple[str, str] | None:
        """Return the next call and its function, which runs from now on; None when none is due or may run."""
        self._bring_in(now)
        for priority in PRIORITIES:
            turns = self._turns[priority]
            while turns:
                function, _ = turns.popitem(last=False)
                call_id = self._first((priority, function))
                if call_id is None:
                    continue
                self._running[function] = self._running.get(function, 0) + 1
                if self._is_full(function):
                    for others in self._turns.values():
                        others.pop(function, None)
                elif self._lines.get((priority, function)):
                    turns[function] = None
                return call_id, function
        return None

    def done(self, function: str) -> None:
        """Note that one of the function's running calls has ended."""
        left = self._running.get(function, 0) - 1
        if left > 0:
            self._running[function] = left
        else:
            self._running.pop(function, None)
        self._give_turns(function)
        if left <= 0 and not any(self._lines.get((priority, function)) for priority in PRIORITIES):
            self._limits.pop(function, None)

    def next_due(self) -> float | None:
        """Return when the next call is due that waits for its time."""
        while self._later and self._entered.get(self._later[0][2]) != self._later[0][1]:
            heapq.heappop(self._later)
        times = [self._later[0][0]] if self._later else []
        return min((*times, *self._held.values()), default=None)

    def _give_turns(self, function: str) -> None:
        if function not in self._held:
            for priority in PRIORITIES:
                if self._lines.get((priority, function)):
                    self._turns[priority].setdefault(function)

    def _bring_in(self, now: float) -> None:
        for function in [function for function, until in self._held.items() if until <= now]:
            del self._held[function]
            if not self._is_full(function):
                self._give_turns(function)
        while self._later and self._later[0][0] <= now:
            _, number, call_id = heapq.heappop(self._later)
            if self._entered.get(call_id) != number:
                continue
            place, limit = self._places[call_id]
            self._limits[place[1]] = limit
            self._lines.setdefault(place, deque()).append((call_id, number))
            if not self._is_full(place[1]):
                self._turns[place[0]].setdefault(place[1])

    def _first(self, place: _Place) -> str | None:
        line = self._lines.get(place)
        while line:
            call_id, number = line.popleft()
            if not line:
                del self._lines[place]
            if self._entered.get(call_id) == number:
                self.discard(call_id)
                return call_id
        return None

    def _is_full(self, function: str) -> bool:
        return function in self._held or self._running.get(function, 0) >= self._limits.get(function, self._limit)
