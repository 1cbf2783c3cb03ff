"""The split: which calls of a function go to its canary.

A canary is a revision on trial that gets a part of the calls, in percent, and never more. The part is dealt out by
error diffusion: every call adds the percentage to a rest, and the call that brings it to a hundred is the canary's. So
any hundred calls in a row have exactly its part, evenly spread, and gateways need not agree on anything.

A call that falls to the canary while none of its seats is free goes to the others, so that a canary too slow for its
part holds nobody up. A call that falls to the others never goes to the canary: it waits for one of theirs.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dayfly.gateway.admission import Seat

_WHOLE = 100


class Split:
    """A canary's part, and the seats it may be served at."""

    __slots__ = ("_rest", "percent", "revision", "seats")

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self.percent = 0
        self.seats: list[Seat] = []
        """The canary's endpoints that may be used now."""
        self._rest = 0

    def pick(self, others: "list[Seat]", limit: int) -> "Seat | None":
        """Take a seat for the next call, one with fewer than `limit` calls; None when those it may have are full."""
        rest = self._rest + self.percent
        seat = _take(self.seats, limit) if rest >= _WHOLE else None
        if seat is None:
            seat = _take(others, limit)
        if seat is not None:
            self._rest = rest % _WHOLE
        return seat


def _take(seats: "list[Seat]", limit: int) -> "Seat | None":
    best, fewest = None, limit
    for seat in seats:
        if seat.outstanding < fewest:
            best, fewest = seat, seat.outstanding
            if not fewest:
                break
    if best is None:
        return None
    if best is not seats[-1]:
        # To the end with it, so that equal ones take turns.
        seats.remove(best)
        seats.append(best)
    best.outstanding += 1
    return best
