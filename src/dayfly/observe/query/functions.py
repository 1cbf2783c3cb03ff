"""Functions that queries have beside SQLite's: percentiles, the level of a log line, and what use costs."""

import json
import sqlite3
from array import array
from functools import lru_cache
from typing import Any

from dayfly.decide.log_level import level_of
from dayfly.observe.query.catalogue import LEVEL

_MOST = 2_000_000
"""Values of which one percentile is taken: sixteen megabytes."""


class Percentile:
    """`percentile(value, 95)`: the value below which so many of a hundred are; nulls and texts do not count."""

    def __init__(self) -> None:
        self._values = array("d")
        self._at = 0.0

    def step(self, value: Any, at: Any) -> None:
        """Take a value in."""
        if not isinstance(at, int | float) or not 0 <= at <= 100:
            raise ValueError("the second argument of percentile is from 0 to 100")
        if isinstance(value, int | float):
            if len(self._values) >= _MOST:
                raise ValueError(f"percentile takes {_MOST} values at most")
            self._at = at
            self._values.append(value)

    def finalize(self) -> float | None:
        """Return it, between two values by their distance; None of no values."""
        if not self._values:
            return None
        ordered = sorted(self._values)
        place = (len(ordered) - 1) * self._at / 100
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def add_functions(db: sqlite3.Connection, prices: tuple[float, float, float, str]) -> None:
    """Add them to a connection."""
    call, cpu_second, gib_second, currency = prices
    db.create_function(LEVEL, 1, _level, deterministic=True)
    db.create_function("cost", 3, lambda calls, cpu, gib: call * calls + cpu_second * cpu + gib_second * gib)
    db.create_function("currency", 0, lambda: currency)
    db.create_function("metric_labels", 1, lambda labels: _labels(labels)[0], deterministic=True)
    db.create_function("metric_function", 1, lambda labels: _labels(labels)[1], deterministic=True)
    aggregate: Any = Percentile
    db.create_aggregate("percentile", 2, aggregate)


@lru_cache(maxsize=10_000)
def _labels(text: str) -> tuple[str, str]:
    """Return a series' labels as an object, and which function they name."""
    labels: dict[str, str] = dict(json.loads(text))
    return json.dumps(labels, ensure_ascii=False), labels.get("function_name", "").partition(".")[0]


def _level(text: Any) -> str:
    return level_of(text) or "" if isinstance(text, str) else ""
