"""How much history is kept: by age, by size, and by the number of series."""

import sqlite3

from dayfly.model.history import HistoryLimits
from dayfly.observe.history.tiers import TIERS

_BOOTS = 4
"""Lives of a gateway that are remembered: one that leaves may still report when the next has begun."""
_STALE = """
DELETE FROM points WHERE tier = ?1 AND at < ?2 AND (value IS NULL OR EXISTS (
  SELECT 1 FROM points AS later
  WHERE later.tier = ?1 AND later.series = points.series AND later.at > points.at AND later.at <= ?2
))
"""


_UNUSED = """
SELECT id FROM series WHERE NOT EXISTS (SELECT 1 FROM points WHERE series = id AND tier IN (0, 1, 2, 3))
"""


def trim(writer: sqlite3.Connection, limits: HistoryLimits) -> set[int]:
    """Remove what is too old, and what is too much; return the series that are gone. Raises sqlite3.Error."""
    newest = writer.execute("SELECT max(at) FROM moments WHERE tier = 0").fetchone()[0]
    if newest is None:
        return set()
    for tier, kept in enumerate(TIERS):
        _cut(writer, tier, newest - kept.keep_ms)
    for _ in range(20):
        if _used_bytes(writer) <= limits.size_bytes:
            break
        for tier in range(len(TIERS)):
            _shorten(writer, tier)
    gone = _without_points(writer)
    with writer:
        writer.executemany("DELETE FROM series WHERE id = ?", [(each,) for each in gone])
        boots = writer.execute("SELECT gateway, boot FROM marks GROUP BY gateway, boot ORDER BY max(at) DESC")
        seen: dict[str, list[str]] = {}
        for gateway, boot in boots.fetchall():
            seen.setdefault(gateway, []).append(boot)
        past = [(gateway, boot) for gateway, lives in seen.items() for boot in lives[_BOOTS:]]
        writer.executemany("DELETE FROM marks WHERE gateway = ? AND boot = ?", past)
    return gone


def cut_future(writer: sqlite3.Connection, now_ms: int) -> None:
    """Remove what is after a moment, in all tiers. Raises sqlite3.Error."""
    for table in ("points", "moments"):
        sql = f"DELETE FROM {table} WHERE tier IN (0, 1, 2, 3) AND at >= ?"  # noqa: S608 - one of the two
        writer.execute(sql, (now_ms,))


def forget(writer: sqlite3.Connection, namespace: str) -> None:
    """Remove the namespace's series. Raises sqlite3.Error."""
    mine = "SELECT id FROM series WHERE namespace = ?"
    sql = f"DELETE FROM points WHERE tier IN (0, 1, 2, 3) AND series IN ({mine})"  # noqa: S608 - constants of this module
    writer.execute(sql, (namespace,))
    writer.execute("DELETE FROM series WHERE namespace = ?", (namespace,))
    writer.execute("DELETE FROM marks WHERE function LIKE ?", (f"%.{namespace}",))


def _cut(writer: sqlite3.Connection, tier: int, oldest_ms: int) -> None:
    """Let a tier begin there; of each series the value that held then stays."""
    with writer:
        writer.execute(_STALE, (tier, oldest_ms))
        writer.execute("DELETE FROM moments WHERE tier = ? AND at < ?", (tier, oldest_ms))


def _shorten(writer: sqlite3.Connection, tier: int) -> None:
    """Take the oldest tenth of a tier."""
    first, last = writer.execute("SELECT min(at), max(at) FROM moments WHERE tier = ?", (tier,)).fetchone()
    if first is not None:
        _cut(writer, tier, first + max(1, (last - first) // 10))


def _without_points(writer: sqlite3.Connection) -> set[int]:
    return {row[0] for row in writer.execute(_UNUSED)}


def _used_bytes(writer: sqlite3.Connection) -> int:
    names = ("page_count", "freelist_count", "page_size")
    pages, free, size = (writer.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
    return int((pages - free) * size)
