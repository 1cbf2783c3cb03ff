"""The meter: what all gateways counted, added up exactly.

A gateway reports totals since its process started, so a report may be lost or come twice at no cost. Two sums are made
of them. The figures for Prometheus add up the totals as they were reported; those of a gateway's former life stay, so
that no series ever falls while this process lives. With another process they begin at zero, whatever gateways had
counted: what falls, but not to zero, is counted twice by whoever adds up by how much it rises. The calls ever finished
go on over restarts of the control plane too: what is kept of them says how far each gateway's present life had been
counted, since after such a restart it reports its whole totals again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import zip_longest

import msgspec

from dayfly.model.names import FunctionKey
from dayfly.model.table import LATENCY_BUCKETS_S, FunctionLoad, Load, RevisionLoad

_MARK = "@"
"""Parts a function's name from a gateway and its life in what `totals` returns: `NAME.NAMESPACE@GATEWAY@BOOT`."""


class CodeFigures(msgspec.Struct, frozen=True):
    """Calls of one function finished with one status."""

    calls: int = 0
    seconds: float = 0.0
    buckets: tuple[int, ...] = (0,) * (len(LATENCY_BUCKETS_S) + 1)
    """Calls by latency: each bucket's own, the slower ones not included in it."""

    def plus(self, other: "CodeFigures") -> "CodeFigures":
        """The sum of both."""
        buckets = tuple(mine + its for mine, its in zip(self.buckets, other.buckets, strict=True))
        return CodeFigures(self.calls + other.calls, self.seconds + other.seconds, buckets)

    def minus(self, other: "CodeFigures") -> "CodeFigures":
        """What is left without the other, which is contained in it."""
        buckets = tuple(mine - its for mine, its in zip(self.buckets, other.buckets, strict=True))
        return CodeFigures(self.calls - other.calls, self.seconds - other.seconds, buckets)


class Figures(msgspec.Struct, frozen=True):
    """What was counted of one function."""

    started: int = 0
    cold: int = 0
    codes: dict[int, CodeFigures] = {}
    refused: int = 0

    def minus(self, other: "Figures") -> "Figures":
        """What is left without the other, which is contained in it."""
        codes = dict(self.codes)
        for code, its in other.codes.items():
            codes[code] = codes.get(code, CodeFigures()).minus(its)
        return Figures(self.started - other.started, self.cold - other.cold, codes, self.refused - other.refused)

    @classmethod
    def of(cls, load: FunctionLoad) -> "Figures":
        """The totals in a gateway's report."""
        codes = {code: CodeFigures(*figures) for code, figures in load.codes.items()}
        return cls(load.started, load.cold, codes, load.refused)

    def plus(self, other: "Figures") -> "Figures":
        """The sum of both."""
        codes = dict(self.codes)
        for code, its in other.codes.items():
            codes[code] = codes.get(code, CodeFigures()).plus(its)
        return Figures(self.started + other.started, self.cold + other.cold, codes, self.refused + other.refused)


class Meter:
    """Figures of all gateways; implements the control plane's Meter. Not for several threads at once."""

    def __init__(self, tell: Callable[[str, str, Load], None] = lambda _gateway, _boot, _load: None) -> None:
        self._tell = tell
        """Told of every report too: what else is in it."""
        self._lives: dict[str, _Life] = {}
        self._former: dict[str, Figures] = {}
        self._ever: dict[str, int] = {}
        self._begun: dict[str, int] = {}
        self._sides: dict[str, dict[int, RevisionLoad]] = {}
        self._marks: Mapping[tuple[str, str, str], FunctionLoad] = {}
        self._missed: dict[str, Figures] = {}

    def merge(self, gateway: str, boot: str, load: Load) -> None:
        """Take in a gateway's report; one life of a gateway is told from the next by `boot`."""
        life = self._lives.get(gateway)
        if life is None or life.boot != boot:
            if life is not None:
                for name in life.loads:
                    self._bury(life, name)
            life = self._lives[gateway] = _Life(boot, load.functions if load.again else ())
            if load.again:
                self._catch_up(gateway, boot, load)
        life.connected = True
        self._tell(gateway, boot, load)
        for report in load.functions:
            before = life.loads.get(report.function)
            if before is not None and report.started < before.started:
                self._bury(life, report.function)
                before = None
            # A gateway first heard of may have counted for days: only the calls it has now are known to be new.
            begun = report.started - before.started if before is not None else report.inflight + report.waiting
            self._begun[report.function] = self._begun.get(report.function, 0) + begun
            if report.revisions:
                self._compare(report, before.revisions if before is not None else ())
            life.loads[report.function] = report
            self._ever[report.function] = self._ever.get(report.function, 0) + life.count(report)

    def gone(self, gateway: str) -> None:
        """Forget what the gateway has in flight; what it counted remains."""
        if gateway in self._lives:
            self._lives[gateway].connected = False

    def forget(self, key: FunctionKey) -> None:
        """Let a function deployed later under the name of this removed one start at zero calls."""
        self._ever.pop(str(key), None)
        self._begun.pop(str(key), None)
        self._sides.pop(str(key), None)

    def inflight(self, key: FunctionKey) -> int:
        """Calls being worked on now, in all gateways."""
        return sum(load.inflight for load in self._reports(key))

    def waiting(self, key: FunctionKey) -> int:
        """Calls that wait for a replica now, in all gateways."""
        return sum(load.waiting for load in self._reports(key))

    def invocations(self, key: FunctionKey) -> int:
        """Calls ever finished."""
        return self._ever.get(str(key), 0)

    def begun(self, key: FunctionKey) -> int:
        """Calls seen to begin since this meter was made; only what it grows by means something."""
        return self._begun.get(str(key), 0)

    def take_sides(self, key: FunctionKey) -> tuple[RevisionLoad, ...]:
        """Calls of the function's revisions in a canary, in all gateways, finished since this was last asked."""
        return tuple(self._sides.pop(str(key), {}).values())

    def figures(self, key: FunctionKey) -> Figures:
        """What was counted since this meter was made; never falls."""
        name = str(key)
        total = self._former.get(name, Figures())
        for life in self._lives.values():
            if name in life.loads:
                total = total.plus(life.figures(name))
        return total

    def figures_ever(self, key: FunctionKey) -> Figures:
        """What was counted since this meter was made, and before that since the marks that `remember` was given.

        For whoever keeps the marks and what was counted together: over all lives of the control plane, each call is in
        it once.
        """
        missed = self._missed.get(str(key))
        return self.figures(key) if missed is None else self.figures(key).plus(missed)

    @property
    def marks(self) -> dict[tuple[str, str, str], FunctionLoad]:
        """How far gateways were counted, by gateway, boot and function: their last reports."""
        return {
            (gateway, life.boot, name): load
            for gateway, life in self._lives.items()
            for name, load in life.loads.items()
        }

    def remember(self, marks: Mapping[tuple[str, str, str], FunctionLoad]) -> None:
        """Begin with the marks of an earlier life of the control plane, before any gateway has reported."""
        self._marks = marks

    def totals(self) -> dict[str, int]:
        """Calls ever finished by `name.namespace`, and beside them what `restore` needs to go on exactly."""
        kept = dict(self._ever)
        for gateway, life in self._lives.items():
            kept |= {_MARK.join((name, gateway, life.boot)): count for name, count in life.counted.items()}
        return kept

    def restore(self, totals: Mapping[str, int]) -> None:
        """Begin with what `totals` returned in an earlier life of the control plane."""
        for key, count in totals.items():
            name, *life = key.split(_MARK, 2)
            if len(life) == 2:
                self._lives.setdefault(life[0], _Life(life[1])).counted[name] = count
            elif not life:
                self._ever[name] = count

    def _reports(self, key: FunctionKey) -> Iterator[FunctionLoad]:
        name = str(key)
        for life in self._lives.values():
            if life.connected and name in life.loads:
                yield life.loads[name]

    def _compare(self, report: FunctionLoad, before: tuple[RevisionLoad, ...]) -> None:
        earlier = {side.revision: side for side in before}
        sides = self._sides.setdefault(report.function, {})
        for side in report.revisions:
            mark = earlier.get(side.revision)
            if mark is not None and mark.calls <= side.calls:
                side = _combined(side, mark, -1)
            if side.calls:
                known = sides.get(side.revision)
                sides[side.revision] = side if known is None else _combined(known, side, 1)

    def _catch_up(self, gateway: str, boot: str, load: Load) -> None:
        """Note what the gateway counted while no control plane was there to take it in, and just before."""
        for report in load.functions:
            found, mark = Figures.of(report), self._marks.get((gateway, boot, report.function))
            if mark is not None and mark.started <= report.started:
                found = found.minus(Figures.of(mark))
            self._missed[report.function] = self._missed.get(report.function, Figures()).plus(found)

    def _bury(self, life: "_Life", name: str) -> None:
        self._former[name] = self._former.get(name, Figures()).plus(life.figures(name))
        life.told.pop(name, None)


def _combined(one: RevisionLoad, other: RevisionLoad, sign: int) -> RevisionLoad:
    buckets = tuple(a + sign * b for a, b in zip_longest(one.buckets, other.buckets, fillvalue=0))
    return RevisionLoad(one.revision, one.calls + sign * other.calls, one.failed + sign * other.failed, buckets)


class _Life:
    """One life of a gateway: its last reports, and how many calls of each function went into the totals."""

    def __init__(self, boot: str, told: Iterable[FunctionLoad] = ()) -> None:
        self.boot = boot
        self.told = {load.function: Figures.of(load) for load in told}
        """What another control plane may have told of it."""
        self.connected = False
        self.loads: dict[str, FunctionLoad] = {}
        self.counted: dict[str, int] = {}

    def figures(self, name: str) -> Figures:
        """What was reported of a function and not told by another control plane."""
        found = Figures.of(self.loads[name])
        return found.minus(self.told[name]) if name in self.told else found

    def count(self, report: FunctionLoad) -> int:
        """Return the calls finished since the report before."""
        finished = sum(calls for calls, _, _ in report.codes.values()) - report.refused
        before = self.counted.get(report.function, 0)
        self.counted[report.function] = finished
        # Less than before: the function was removed and came back, and the gateway counts it anew.
        return finished - before if finished >= before else finished
