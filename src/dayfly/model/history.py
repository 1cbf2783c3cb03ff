"""How much history is kept, as somebody writes it."""

from urllib.parse import urlsplit

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.quantities import parse_memory

_LIMITS = ("size", "series")
_LEAST_BYTES = 2**20
_MOST_SERIES = 1_000_000


class HistoryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the history may come to."""

    size_bytes: int = 512 * 2**20
    """What its file may take on the disk; beyond it the oldest goes."""
    series: int = 20_000
    """How many series there may be, half of them of one namespace at most. 0: no history is kept."""


def history_limits(text: str) -> HistoryLimits:
    """Return the limits that somebody wrote, as `size=512Mi,series=20000`, or `off`. Raises InvalidSpec."""
    if text.lower() == "off":
        return HistoryLimits(series=0)
    given = {
        name.strip(): value.strip() for name, _, value in (part.partition("=") for part in text.split(",") if part)
    }
    unknown = sorted(set(given) - set(_LIMITS))
    if unknown:
        raise InvalidSpec(f"{unknown[0][:40]!r} is not one of {', '.join(_LIMITS)}, each with its value, or off")
    limits = HistoryLimits()
    series = given.get("series", str(limits.series))
    if not (series.isascii() and series.isdigit() and 0 < int(series[:9]) <= _MOST_SERIES and len(series) < 9):
        raise InvalidSpec(f"series: {series[:40]!r} is not a whole number from 1 to a million")
    size = parse_memory(given["size"]) if "size" in given else limits.size_bytes
    if size < _LEAST_BYTES:
        raise InvalidSpec("size is 1Mi or more")
    return HistoryLimits(size_bytes=size, series=int(series))


def prometheus_url(text: str) -> str:
    """Return the address of a Prometheus, as somebody wrote it. Raises InvalidSpec."""
    found = urlsplit(text)
    if found.scheme not in ("http", "https") or not found.hostname or found.query or found.fragment:
        raise InvalidSpec(f"{text[:80]!r} is no address such as http://prometheus:9090")
    return text.rstrip("/")
