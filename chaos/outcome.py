"""What came of a scenario: the figures for a person, and the promises that were kept or broken."""

from collections import Counter
from collections.abc import Iterable

import msgspec


class Promise(msgspec.Struct, frozen=True):
    """One thing that must hold, and whether it did."""

    what: str
    kept: bool
    detail: str = ""
    """What was seen, above all when it was broken."""


P99_FACTOR = 2.0
P99_FLOOR_S = 0.005
"""A p99 below it says more about the scheduler than about what is measured."""


def hardly_slower(whose: str, was_s: float, now_s: float) -> Promise:
    """Return the promise that a p99 is at most P99_FACTOR times what it was, or that many times P99_FLOOR_S."""
    what = f"{whose} p99 is at most twice what it was, or {P99_FACTOR * P99_FLOOR_S * 1000:g} ms"
    kept = now_s <= max(was_s, P99_FLOOR_S) * P99_FACTOR
    return Promise(what, kept, f"{now_s * 1000:.1f} ms, {was_s * 1000:.1f} ms before")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario's result, as `--json` writes it: one line each."""

    scenario: str = ""
    seed: int = 0
    seconds: float = 0.0
    calls: int = 0
    failed: dict[str, int] = {}
    """Calls that were not answered as they should, by reason, allowed or not."""
    forbidden: int = 0
    """Those of them that nothing excuses."""
    state_lost: int = 0
    """Acknowledged changes that are not visible afterwards."""
    orphans: int = 0
    """Processes, sockets, cgroups and mounts that nobody owns any more."""
    figures: dict[str, str] = {}
    """What was measured, with its unit."""
    promises: tuple[Promise, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.broken

    @property
    def broken(self) -> tuple[Promise, ...]:
        """The promises that were broken; the three that every scenario makes are among them."""
        standing = (
            Promise("no call fails without an excuse", not self.forbidden, f"{self.forbidden} calls"),
            Promise("no acknowledged change is lost", not self.state_lost, f"{self.state_lost} changes"),
            Promise("nothing is left behind", not self.orphans, f"{self.orphans} left"),
        )
        return tuple(promise for promise in (*standing, *self.promises) if not promise.kept)


def counted(reasons: Iterable[str]) -> dict[str, int]:
    """Return how often each reason occurs, the most frequent first."""
    return dict(Counter(reasons).most_common())


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the value that `percent` of the values do not exceed; 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0
