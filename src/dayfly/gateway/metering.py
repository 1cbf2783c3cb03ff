"""Metering: how many calls, how they ended, how long they took.

A meter is a handful of integers that the call itself adds to: about 0.4 us a call, nothing allocated once a status has
been seen. Figures are totals since the process started. Reports carry the functions whose figures changed.

While a canary runs, each revision that takes part has a tally besides, from which the control plane judges the one by
the other. A tally begins with the canary and goes with it.
"""

from bisect import bisect_left

from dayfly.model.table import CANARY_BUCKETS_S, LATENCY_BUCKETS_S, FunctionLoad, Load, RevisionLoad

_LEAST_S = LATENCY_BUCKETS_S[0]


class _Cell:
    """Calls that ended with one status."""

    __slots__ = ("buckets", "count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(LATENCY_BUCKETS_S) + 1)


class Tally:
    """What one revision's calls came to since the canary began."""

    __slots__ = ("_buckets", "_calls", "_failed", "_revision")

    def __init__(self, revision: int) -> None:
        self._revision = revision
        self._calls = 0
        self._failed = 0
        self._buckets = [0] * (len(CANARY_BUCKETS_S) + 1)

    def count(self, status: int, seconds: float) -> None:
        """Count a call that one of its replicas answered with `status`, `seconds` after it got it."""
        self._calls += 1
        if status >= 500:
            self._failed += 1
        self._buckets[bisect_left(CANARY_BUCKETS_S, seconds)] += 1

    def load(self) -> RevisionLoad:
        """Return the figures."""
        return RevisionLoad(self._revision, self._calls, self._failed, tuple(self._buckets))


class Meter:
    """One function's figures."""

    __slots__ = (
        "_cells",
        "_tallies",
        "_touched",
        "changed",
        "cold",
        "function",
        "inflight",
        "received",
        "refused",
        "run_s",
        "sent",
        "started",
        "waiting",
    )

    def __init__(self, function: str, touched: list["Meter"]) -> None:
        self.function = function
        self.inflight = 0
        self.waiting = 0
        self.started = 0
        self.refused = 0
        self.cold = 0
        self.run_s = 0.0
        self.received = self.sent = 0
        self._cells: dict[int, _Cell] = {}
        self._tallies: dict[int, Tally] | None = None
        self.changed = False
        """Whether the next report includes this function."""
        self._touched = touched

    @property
    def used(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.started or self._cells)

    def touch(self) -> None:
        """Have the next report include this function."""
        if not self.changed:
            self.changed = True
            self._touched.append(self)

    def finish(self, status: int, seconds: float) -> None:
        """Count a call that ended with `status` after `seconds`."""
        cell = self._cells.get(status)
        if cell is None:
            cell = self._cells[status] = _Cell()
        cell.count += 1
        cell.seconds += seconds
        cell.buckets[bisect_left(LATENCY_BUCKETS_S, seconds) if seconds > _LEAST_S else 0] += 1
        if not self.changed:
            self.changed = True
            self._touched.append(self)

    def tally(self, revision: int) -> Tally:
        """Return what counts this revision's calls until `end_tallies`."""
        if self._tallies is None:
            self._tallies = {}
        return self._tallies.setdefault(revision, Tally(revision))

    def end_tallies(self) -> None:
        """Count by revision no longer, and have the next report say so. Idempotent."""
        if self._tallies is not None:
            self._tallies = None
            self.touch()

    def load(self) -> FunctionLoad:
        """Return the figures and begin to watch for the next change."""
        self.changed = False
        return FunctionLoad(
            function=self.function,
            inflight=self.inflight,
            waiting=self.waiting,
            started=self.started,
            codes={code: (cell.count, cell.seconds, tuple(cell.buckets)) for code, cell in self._cells.items()},
            cold=self.cold,
            revisions=tuple(tally.load() for tally in self._tallies.values()) if self._tallies else (),
            run_s=self.run_s,
            received=self.received,
            sent=self.sent,
            refused=self.refused,
        )


class Meters:
    """All functions' figures. They outlive a function's removal: totals must never run backwards."""

    def __init__(self) -> None:
        self._meters: dict[str, Meter] = {}
        self._touched: list[Meter] = []

    def of(self, function: str) -> Meter:
        """Return the meter of `name.namespace`."""
        meter = self._meters.get(function)
        if meter is None:
            meter = self._meters[function] = Meter(function, self._touched)
        return meter

    def changed(self) -> Load | None:
        """Return what changed since the last report, None when nothing did."""
        if not self._touched:
            return None
        functions = tuple(meter.load() for meter in self._touched)
        self._touched.clear()
        return Load(functions)

    def all(self, report: int) -> Load:
        """Return the figures of every function that was ever called, as the answer to `report`."""
        for meter in self._touched:
            meter.load()
        self._touched.clear()
        return Load(tuple(meter.load() for meter in self._meters.values() if meter.used), report)
