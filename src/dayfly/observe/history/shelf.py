"""The file of the history as queries read it: which series there are, and their samples over a span.

All methods are for the one thread that reads, which has a connection of its own.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from dayfly.observe.history.budget import Budget
from dayfly.observe.history.reading import Unfolding
from dayfly.observe.history.rolling import Moment, Point
from dayfly.observe.history.tiers import TIERS, Segment, Stock, coarsest, fine_enough, segments
from dayfly.observe.promql.leaves import LOOKBACK_MS, Loaded
from dayfly.observe.promql.nodes import NAME, Matcher, Selector
from dayfly.observe.promql.pattern import Pattern
from dayfly.observe.promql.reach import Reach
from dayfly.observe.promql.series import Labels
from dayfly.storage.medium import database_failed

_LABELS = msgspec.json.Decoder(Labels)
_RANGE_SAMPLES = 4
"""How many samples a range has at least: with fewer, a rate says little."""


class Found(msgspec.Struct, frozen=True):
    """A series that there is."""

    number: int
    labels: Labels


class Family(msgspec.Struct, frozen=True):
    """What a metric is."""

    name: str
    kind: str
    help: str


class Shelf:
    """The file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close it. Idempotent."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read the file as it is at one moment. Raises StoreUnavailable."""
        try:
            if self._reader is None:
                self._reader = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None)
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise database_failed(f"the file of the history {self._path} cannot be read", self._path, error) from error

    def series(
        self, reader: sqlite3.Connection, matchers: Sequence[Matcher], namespace: str | None, budget: Budget
    ) -> list[Found]:
        """Return the series that all matchers fit, of one namespace or, with None, of all and of the installation."""
        name = next((each.value for each in matchers if each.label == NAME and each.word == "="), None)
        sql = (
            "SELECT id, name, labels FROM series WHERE (?1 IS NULL OR name = ?1) AND (?2 IS NULL OR namespace = ?2)"
            " ORDER BY id"
        )
        wanted = [(each, Pattern(each.value)) for each in matchers if each.word in ("=~", "!~")]
        exact = [each for each in matchers if each.word in ("=", "!=")]
        found = []
        for number, metric, text in reader.execute(sql, (name, namespace)):
            labels = tuple(sorted([(NAME, metric), *_LABELS.decode(text)]))
            known = dict(labels)
            budget.work(len(text) + sum(pattern.cost(known.get(each.label, "")) for each, pattern in wanted))
            if all((known.get(each.label, "") == each.value) == (each.word == "=") for each in exact) and all(
                pattern.matches(known.get(each.label, "")) == (each.word == "=~") for each, pattern in wanted
            ):
                found.append(Found(number, labels))
        return found

    def load(
        self, reader: sqlite3.Connection, selector: Selector, namespace: str | None, reach: Reach, budget: Budget
    ) -> Loaded:  # fmt: skip
        """Return what a selector needs for moments."""
        found = self.series(reader, selector.matchers, namespace, budget)
        stock = self._stock(reader)
        tier = fine_enough(selector.range_ms, reach.step_ms)
        back_ms = selector.range_ms or LOOKBACK_MS
        spans = segments(stock, tier, reach.first_ms - back_ms, reach.last_ms)
        every_ms = coarsest(spans)
        # Where samples are far from each other, a value stands for as long as it takes to the next, and a range is
        # as long as it takes to have some.
        longer_ms = _RANGE_SAMPLES * every_ms if selector.range_ms else 2 * every_ms
        if longer_ms > back_ms:
            spans = segments(stock, tier, reach.first_ms - longer_ms, reach.last_ms)
        parts = [_Part(span, *self._moments(reader, span)) for span in spans]
        series = [self._samples(reader, each, parts, budget) for each in found] if parts else []
        return Loaded(
            tuple(one.samples() for one in series),
            lookback_ms=max(LOOKBACK_MS, 2 * every_ms if every_ms > TIERS[0].every_ms else 0),
            least_range_ms=longer_ms if every_ms > TIERS[0].every_ms else 0,
        )

    def alive(self, reader: sqlite3.Connection, series: Iterable[Found], from_ms: int, to_ms: int) -> Iterator[Found]:
        """Yield the series that have samples in a span."""
        stock = self._stock(reader)
        spans = segments(stock, 0, from_ms, to_ms)
        for each in series:
            for span in spans:
                if self._has_any(reader, each.number, span):
                    yield each
                    break

    def families(self, reader: sqlite3.Connection) -> list[Family]:
        """Return what the metrics are, by name."""
        return [Family(*row) for row in reader.execute("SELECT name, kind, help FROM families ORDER BY name")]

    def _has_any(self, reader: sqlite3.Connection, number: int, span: Segment) -> bool:
        sql = "SELECT 1 FROM points WHERE tier = ? AND series = ? AND at BETWEEN ? AND ? AND value IS NOT NULL LIMIT 1"
        if reader.execute(sql, (span.tier, number, span.from_ms, span.to_ms)).fetchone():
            return True
        return self._before(reader, span.tier, number, span.from_ms) is not None

    def _samples(self, reader: sqlite3.Connection, found: Found, parts: "Sequence[_Part]", budget: Budget) -> Unfolding:
        unfolding = Unfolding(found.labels)
        sql = (
            "SELECT at, value, low, high, total, number FROM points"
            " WHERE tier = ? AND series = ? AND at BETWEEN ? AND ? ORDER BY at"
        )
        for span, moments, times in ((part.span, part.moments, part.times) for part in parts):
            points = [Point(*row) for row in reader.execute(sql, (span.tier, found.number, span.from_ms, span.to_ms))]
            before = self._before(reader, span.tier, found.number, span.from_ms)
            if before is not None or points:
                budget.read(len(points) + len(times))
                unfolding.add(moments, times, before, points)
        return unfolding

    def _before(self, reader: sqlite3.Connection, tier: int, series: int, at_ms: int) -> float | None:
        sql = "SELECT value FROM points WHERE tier = ? AND series = ? AND at < ? ORDER BY at DESC LIMIT 1"
        row = reader.execute(sql, (tier, series, at_ms)).fetchone()
        return row[0] if row else None

    def _moments(self, reader: sqlite3.Connection, span: Segment) -> tuple[list[Moment], list[int]]:
        sql = "SELECT at, number FROM moments WHERE tier = ? AND at BETWEEN ? AND ? ORDER BY at"
        moments = [Moment(*row) for row in reader.execute(sql, (span.tier, span.from_ms, span.to_ms))]
        return moments, [moment.at_ms for moment in moments]

    def _stock(self, reader: sqlite3.Connection) -> dict[int, Stock]:
        rows = reader.execute("SELECT tier, min(at), max(at) FROM moments GROUP BY tier")
        return {tier: Stock(oldest, newest) for tier, oldest, newest in rows}


class _Part(msgspec.Struct, frozen=True):
    """A segment with its moments, and their times alone."""

    span: Segment
    moments: list[Moment]
    times: list[int]
