"""Seats: how many answers that never end by themselves are kept open, in all and of one credential."""

import contextlib
from collections import Counter
from collections.abc import Iterator

from dayfly.model.errors import LimitExceeded


class Seats:
    """Those who sit, by their names."""

    def __init__(self, *, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._taken: Counter[str] = Counter()

    def check(self, who: str) -> None:
        """Refuse whom no seat is left for. Raises LimitExceeded."""
        if self._taken[who] >= self._most_each:
            raise LimitExceeded(
                f"{who} keeps {self._most_each} live lists open, and no more are held for one; close one of them"
            )
        if self._taken.total() >= self._most:
            raise LimitExceeded(f"{self._most} live lists are open, and no more are held; try again later")

    @contextlib.contextmanager
    def taken(self, who: str) -> Iterator[None]:
        """Hold a seat. Raises LimitExceeded."""
        self.check(who)
        self._taken[who] += 1
        try:
            yield
        finally:
            self._taken[who] -= 1
            if not self._taken[who]:
                del self._taken[who]
