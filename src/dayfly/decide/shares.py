"""Shares: which of several functions answers a call, by their weights."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate


class Shares:
    """Weights of which one at least is above 0."""

    __slots__ = ("_bounds", "_total")

    def __init__(self, weights: Sequence[int]) -> None:
        self._bounds = list(accumulate(weights))
        self._total = self._bounds[-1]

    def pick(self, seed: int) -> int:
        """Return the position of the one that the seed falls to: always the same, and of all seeds each its share."""
        return bisect_right(self._bounds, seed % self._total)
