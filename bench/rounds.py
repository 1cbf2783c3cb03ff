"""Alternating rounds: A B A B …, so that whatever else the machine does falls on every side alike."""

from collections.abc import Callable, Mapping, Sequence

from bench.figures import Spread
from bench.loads import LoadFailed, Sample

Side = Callable[[float], Sample]
"""Loads one side for so many seconds."""


class Series:
    """What the rounds gave each side. A side that failed once is out, with the reason kept in `failures`."""

    def __init__(self) -> None:
        self.samples: dict[str, list[Sample]] = {}
        self.failures: dict[str, str] = {}

    def rates(self, side: str) -> Spread:
        """Requests a second, by round. Raises KeyError for a side that failed."""
        return Spread(tuple(sample.rate_per_s for sample in self.samples[side]))

    def p50_ms(self, side: str) -> Spread:
        """Median latency in milliseconds, by round. Raises KeyError for a side that failed."""
        return Spread(tuple(sample.p50_ms for sample in self.samples[side]))

    def p99_ms(self, side: str) -> Spread:
        """99th percentile of latency in milliseconds, by round. Raises KeyError for a side that failed."""
        return Spread(tuple(sample.p99_ms for sample in self.samples[side]))

    def __contains__(self, side: str) -> bool:
        return side in self.samples


def alternate(
    sides: Mapping[str, Side], *, rounds: int, seconds: float, warm_up_s: float, say: Callable[[str], None]
) -> Series:
    """Load every side once a round, in the order given, after a warm-up of each."""
    series = Series()
    for name, side in sides.items():
        _attempt(series, name, side, warm_up_s)
    for number in range(rounds):
        for name in [name for name in sides if name not in series.failures]:
            say(f"round {number + 1}/{rounds}: {name}")
            sample = _attempt(series, name, sides[name], seconds)
            if sample is not None:
                series.samples.setdefault(name, []).append(sample)
    for name in series.failures:
        series.samples.pop(name, None)
    return series


def _attempt(series: Series, name: str, side: Side, seconds: float) -> Sample | None:
    try:
        return side(seconds)
    except LoadFailed as failed:
        series.failures[name] = str(failed)
        return None


def paired(series: Series, names: Sequence[str]) -> bool:
    """Whether every one of these sides got through all its rounds."""
    return all(name in series for name in names)
