"""The file of the history: series, their changes by tier, and the moments at which there were samples.

Counters are kept as if they had never begun anew: when one falls, or a new process begins it, it goes on from where it
was. So the difference of any two of its samples, in whatever tier, is what it rose by.
"""

import logging
import math
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec

from dayfly.model.errors import StoreUnavailable
from dayfly.model.history import HistoryLimits
from dayfly.model.table import FunctionLoad
from dayfly.observe.family import Family
from dayfly.observe.history import bounds
from dayfly.observe.history.rolling import Moment, Point, changed, rolled
from dayfly.observe.history.scrape import GatewayLife, Scrape, about, namespace_in, samples
from dayfly.observe.history.tiers import TIERS
from dayfly.observe.promql.nodes import NAME
from dayfly.observe.promql.series import Labels
from dayfly.observe.side_file import SideFile

_log = logging.getLogger("dayfly.observe")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, labels TEXT NOT NULL, namespace TEXT NOT NULL, counts INTEGER NOT NULL,
  base REAL NOT NULL, life TEXT NOT NULL, UNIQUE (name, labels)
) STRICT;
CREATE TABLE IF NOT EXISTS points (
  tier INTEGER NOT NULL, series INTEGER NOT NULL, at INTEGER NOT NULL, value REAL, low REAL, high REAL, total REAL,
  number INTEGER, PRIMARY KEY (tier, series, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS points_by_time ON points (tier, at);
CREATE TABLE IF NOT EXISTS moments (
  tier INTEGER NOT NULL, at INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (tier, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS families (name TEXT PRIMARY KEY, kind TEXT NOT NULL, help TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS marks (
  gateway TEXT NOT NULL, boot TEXT NOT NULL, function TEXT NOT NULL, at INTEGER NOT NULL, load BLOB NOT NULL,
  PRIMARY KEY (gateway, boot, function)
) STRICT, WITHOUT ROWID;
"""
_NEWEST = """
SELECT id, name, labels, namespace, counts, base, life, (
  SELECT value FROM points WHERE tier = 0 AND series = id ORDER BY at DESC LIMIT 1
) FROM series
"""
_SET_BACK_MS = 600_000
_PUT = "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_LABELS = msgspec.json.Decoder(Labels)


class _Series(msgspec.Struct):
    number: int
    namespace: str
    counts: bool
    base: float
    life: str
    value: float | None
    about: tuple[str, str]
    seen_ms: int = 0


class HistoryFile(SideFile):
    """The tables. All methods are for the thread that writes; others read what it has committed."""

    what = "file of the history"
    schema = _SCHEMA

    def __init__(self, path: Path, limits: HistoryLimits) -> None:
        super().__init__(path)
        self._limits = limits
        self._series: dict[Labels, _Series] = {}
        self._families: dict[str, tuple[str, str]] = {}
        self._marks: dict[GatewayLife, FunctionLoad] = {}
        self.refused = 0
        """Series that there was no room for, at the last moment."""

    @property
    def marks(self) -> dict[GatewayLife, FunctionLoad]:
        """How far gateways had been counted when the last sample was written."""
        return self._marks

    def opened(self, writer: sqlite3.Connection) -> int:
        """Take stock; return the last moment."""
        self._series = {
            _labels(name, labels): _Series(
                number, namespace, bool(counts), base, life, value, about(_labels(name, labels))
            )
            for number, name, labels, namespace, counts, base, life, value in writer.execute(_NEWEST)
        }
        self._families = {name: (kind, text) for name, kind, text in writer.execute("SELECT * FROM families")}
        rows = writer.execute("SELECT gateway, boot, function, load FROM marks")
        self._marks = {row[:3]: msgspec.msgpack.decode(row[3], type=FunctionLoad) for row in rows}
        newest: int | None = writer.execute("SELECT max(at) FROM moments").fetchone()[0]
        return newest or 0

    def append(self, scrape: Scrape) -> StoreUnavailable | None:
        """Write what was found; return why it could not be written, None when it was.

        A moment that is not after the last one is left out: the machine's clock was set back a little. When it was set
        back by more, it was wrong before, and what is kept of a time to come is removed.
        """
        try:
            assert self._writer is not None
            with self._writer:
                newest = self._writer.execute("SELECT max(at) FROM moments").fetchone()[0] or 0
                if newest - scrape.at_ms > _SET_BACK_MS:
                    _log.warning("the clock was set back: what is kept of a time to come is removed")
                    bounds.cut_future(self._writer, scrape.at_ms)
                    self.opened(self._writer)
                    newest = 0
                if scrape.at_ms > newest:
                    self._append(self._writer, scrape, before_ms=newest)
        except sqlite3.Error as error:
            self._forget_unwritten()
            return self.unwritten(error)
        return None

    def roll_up(self) -> StoreUnavailable | None:
        """Make what the coarser tiers lack, span by span; return why it could not be written, None when it was."""
        try:
            assert self._writer is not None
            for tier in range(1, len(TIERS)):
                while self._roll_up(self._writer, tier):
                    pass
        except sqlite3.Error as error:
            return self.unwritten(error)
        return None

    def trim(self) -> None:
        """Remove what is too old, and what is too much."""
        try:
            assert self._writer is not None
            gone = bounds.trim(self._writer, self._limits)
        except sqlite3.Error as error:
            _log.warning("old figures stay for now path=%s reason=%s", self._path, error)
            return
        self._series = {labels: one for labels, one in self._series.items() if one.number not in gone}
        kept = {(gateway, boot) for gateway, boot in self._writer.execute("SELECT gateway, boot FROM marks")}
        self._marks = {life: load for life, load in self._marks.items() if life[:2] in kept}

    def forget(self, namespace: str) -> StoreUnavailable | None:
        """Remove the namespace's series; return why they could not be removed, None when they were."""
        try:
            assert self._writer is not None
            with self._writer:
                bounds.forget(self._writer, namespace)
        except sqlite3.Error as error:
            return self.unwritten(error)
        self._series = {labels: one for labels, one in self._series.items() if one.namespace != namespace}
        return None

    def _append(self, writer: sqlite3.Connection, scrape: Scrape, *, before_ms: int) -> None:
        rows: list[tuple[object, ...]] = []
        at_ms, refused, there = scrape.at_ms, 0, set[tuple[str, str]]()
        for group in scrape.groups:
            self._describe(writer, group.families)
            for labels, counts, found in samples(group.families):
                if math.isnan(found):
                    continue
                known = self._series.get(labels)
                if known is None:
                    if not self._has_room(labels):
                        refused += 1
                        continue
                    known = self._begin(writer, labels, counts=counts, life=group.life)
                # What is counted for the first time, or again, was where it was a moment ago: so the first call of all,
                # and the first failure, are in rates. What there was no room for is not counted for the first time.
                if counts and known.value is None and group.life and before_ms and not self.refused:
                    rows.append((0, known.number, before_ms, known.base, None, None, None, None))
                value = self._counted(writer, known, found, group.life) if counts else found
                if value != known.value:
                    rows.append((0, known.number, at_ms, value, None, None, None, None))
                    known.value = value
                known.seen_ms = at_ms
                there.add(known.about)
        for known in self._series.values():
            # A counter does not end while what it counts is there: a process that is new has not counted yet.
            if known.value is not None and known.seen_ms != at_ms and not (known.counts and known.about in there):
                rows.append((0, known.number, at_ms, None, None, None, None, None))
                known.base = known.value if known.counts else 0.0
                known.life, known.value = "gone", None
                writer.execute("UPDATE series SET base = ?, life = 'gone' WHERE id = ?", (known.base, known.number))
        writer.executemany(_PUT, rows)
        writer.execute("INSERT INTO moments VALUES (0, ?, 1)", (at_ms,))
        self._mark(writer, scrape)
        self.refused = refused

    def _counted(self, writer: sqlite3.Connection, known: _Series, found: float, life: str) -> float:
        """Return what a counter that never begins anew would show."""
        before = known.value if known.value is not None else known.base
        if known.life != life or found + known.base < before:
            known.base, known.life = before, life
            writer.execute("UPDATE series SET base = ?, life = ? WHERE id = ?", (known.base, life, known.number))
        return found + known.base

    def _has_room(self, labels: Labels) -> bool:
        if len(self._series) >= self._limits.series:
            return False
        mine = namespace_in(labels)
        if not mine or len(self._series) < self._limits.series // 2:
            return True
        return sum(one.namespace == mine for one in self._series.values()) < self._limits.series // 2

    def _begin(self, writer: sqlite3.Connection, labels: Labels, *, counts: bool, life: str) -> _Series:
        name, rest = dict(labels)[NAME], [each for each in labels if each[0] != NAME]
        row = (name, msgspec.json.encode(rest).decode(), namespace_in(labels), counts, 0.0, life)
        sql = "INSERT INTO series (name, labels, namespace, counts, base, life) VALUES (?, ?, ?, ?, ?, ?)"
        number = writer.execute(sql, row).lastrowid
        assert number is not None
        self._series[labels] = found = _Series(number, row[2], counts, 0.0, life, None, about(labels))
        return found

    def _describe(self, writer: sqlite3.Connection, families: Iterable[Family]) -> None:
        for family in families:
            if self._families.get(family.name) != (family.kind, family.text):
                self._families[family.name] = family.kind, family.text
                writer.execute(
                    "INSERT OR REPLACE INTO families VALUES (?, ?, ?)", (family.name, family.kind, family.text)
                )

    def _mark(self, writer: sqlite3.Connection, scrape: Scrape) -> None:
        new = {life: load for life, load in scrape.marks.items() if self._marks.get(life) is not load}
        writer.executemany(
            "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?)",
            [(*life, scrape.at_ms, msgspec.msgpack.encode(load)) for life, load in new.items()],
        )
        self._marks |= new

    def _forget_unwritten(self) -> None:
        """Believe what is in the file: what was noted beside it came to nothing."""
        assert self._writer is not None
        try:
            self.opened(self._writer)
        except sqlite3.Error as error:
            _log.warning("the history cannot be read path=%s reason=%s", self._path, error)

    def _roll_up(self, writer: sqlite3.Connection, tier: int) -> bool:
        """Make one span of a tier; return whether there was one."""
        every_ms, finer = TIERS[tier].every_ms, tier - 1
        last = writer.execute("SELECT max(at) FROM moments WHERE tier = ?", (tier,)).fetchone()[0]
        begin_ms = 0 if last is None else last - last % every_ms + every_ms
        sql = "SELECT min(at), max(at) FROM moments WHERE tier = ? AND at >= ?"
        first, newest = writer.execute(sql, (finer, begin_ms)).fetchone()
        if first is None:
            return False
        begin_ms = first - first % every_ms
        end_ms = begin_ms + every_ms
        if newest < end_ms:
            return False
        sql = "SELECT at, number FROM moments WHERE tier = ? AND at >= ? AND at < ? ORDER BY at"
        moments = [Moment(*row) for row in writer.execute(sql, (finer, begin_ms, end_ms))]
        rows: list[tuple[object, ...]] = []
        for series, points in self._changes(writer, finer, begin_ms, end_ms).items():
            before, carried = (_value_before(writer, each, series, begin_ms) for each in (finer, tier))
            rows += [
                (tier, series, *msgspec.structs.astuple(point))
                for point in changed(rolled(moments, before, points), carried)
            ]
        with writer:
            writer.executemany(_PUT, rows)
            number = sum(moment.number for moment in moments)
            writer.execute("INSERT INTO moments VALUES (?, ?, ?)", (tier, moments[-1].at_ms, number))
        return True

    def _changes(self, writer: sqlite3.Connection, tier: int, from_ms: int, to_ms: int) -> dict[int, list[Point]]:
        sql = (
            "SELECT series, at, value, low, high, total, number FROM points"
            " WHERE tier = ? AND at >= ? AND at < ? ORDER BY series, at"
        )
        found: dict[int, list[Point]] = {}
        for series, *point in writer.execute(sql, (tier, from_ms, to_ms)):
            found.setdefault(series, []).append(Point(*point))
        return found


def _value_before(connection: sqlite3.Connection, tier: int, series: int, at_ms: int) -> float | None:
    sql = "SELECT value FROM points WHERE tier = ? AND series = ? AND at < ? ORDER BY at DESC LIMIT 1"
    row = connection.execute(sql, (tier, series, at_ms)).fetchone()
    return row[0] if row else None


def _labels(name: str, labels: str) -> Labels:
    return tuple(sorted([(NAME, name), *_LABELS.decode(labels)]))
