"""What was measured and what it means: spreads over rounds, budgets, verdicts.

A figure keeps one value per round and never a bare mean, so that a reader sees how steady it was. What could not be
measured becomes a `Gap` with its reason: a line that is missing without a word would read as a line that passed.
"""

import statistics
from collections.abc import Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """One quantity, measured once a round. Never empty."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.values)

    @property
    def lowest(self) -> float:
        """The smallest round."""
        return min(self.values)

    @property
    def highest(self) -> float:
        """The largest round."""
        return max(self.values)


class Budget(msgspec.Struct, frozen=True):
    """A promise of the design, in the unit of the figure it is set beside."""

    limit: float
    at_least: bool = False
    """Whether more is better; a ratio of throughputs, for example."""

    def met_by(self, value: float) -> bool:
        """Whether `value` keeps the promise; the limit itself does."""
        return value >= self.limit if self.at_least else value <= self.limit


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    group: str
    what: str
    unit: str
    """`×` for a ratio, else `req/s`, `ms`, `s`, `MiB`, `KiB`."""
    spread: Spread
    budget: Budget | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """`PASS`, `MISS`, or nothing where no budget was set. The median decides."""
        if self.budget is None:
            return ""
        return "PASS" if self.budget.met_by(self.spread.median) else "MISS"


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something this run did not measure, and why."""

    group: str
    what: str
    why: str


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time went in something that missed its budget: the hottest lines first."""

    group: str
    what: str
    tool: str
    lines: tuple[str, ...]


def ratio(over: Spread, under: Spread) -> Spread:
    """Return `over / under`, round by round. Raises ValueError when the rounds do not pair."""
    return Spread(tuple(a / b for a, b in zip(over.values, under.values, strict=True)))


def difference(more: Spread, less: Spread) -> Spread:
    """Return `more - less`, round by round. Raises ValueError when the rounds do not pair."""
    return Spread(tuple(a - b for a, b in zip(more.values, less.values, strict=True)))


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that `percent` of all samples do not exceed (nearest rank).

    Raises ValueError without samples or for a percentage outside 0 (exclusive) to 100.
    """
    if not samples or not 0 < percent <= 100:
        raise ValueError("a percentile needs samples and 0 < percent <= 100")
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]
