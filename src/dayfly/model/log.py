"""Log lines: what a function printed, who printed it, and how much of it is kept."""

from typing import Literal, get_args

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.names import FunctionKey, ReplicaId
from dayfly.model.quantities import parse_duration, parse_memory

Level = Literal["debug", "info", "warning", "error", "fatal"]
LEVELS: tuple[Level, ...] = get_args(Level)
MAX_LINE_BYTES = 16_384
"""Longer lines are cut into pieces of this size."""


class LogLine(msgspec.Struct, frozen=True):
    """One line of a function's output, or of the platform about the function (`stream` is then `platform`)."""

    unix_ns: int
    key: FunctionKey
    replica: ReplicaId
    stream: str
    """`stdout`, `stderr` or `platform`."""
    call_id: str
    """The call it belongs to, or empty."""
    text: str


class FoundLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a search found."""

    number: int
    """Grows in the order of arrival."""
    unix_ns: int
    namespace: str
    function: str
    replica: str
    stream: str
    level: Level | Literal[""]
    """As the line says; empty where it says nothing."""
    call_id: str
    text: str


class FoundLines(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found, the newest first."""

    lines: list[FoundLine]
    before: int
    """Where the next page goes on; 0 where there is none."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept; beyond it the oldest lines go first, in sum those of the namespace that has most."""

    keep_s: float = 30 * 86_400.0
    lines_per_function: int = 20_000
    """A function's newest lines; up to a tenth more are kept between two clean-ups."""
    total_characters: int = 256 * 1024 * 1024
    """The text of all functions in sum; a clean-up goes down to nine tenths of it. With the index of words it takes
    about twice as much on the disk."""


_LIMITS = ("keep", "lines", "size")


def log_retention(text: str) -> Retention:
    """Return how much is kept, as somebody wrote it: `keep=720h,lines=20000,size=256Mi`. Raises InvalidSpec."""
    given = {name.strip(): value.strip() for name, _, value in (each.partition("=") for each in text.split(","))}
    unknown = sorted(set(given) - set(_LIMITS))
    if unknown:
        raise InvalidSpec(f"{unknown[0][:40]!r} is not one of {', '.join(_LIMITS)}, each with its value")
    default = Retention()
    lines = given.get("lines", str(default.lines_per_function))
    if not (lines.isascii() and lines.isdigit() and 100 <= int(lines[:9]) < 10**8):
        raise InvalidSpec(f"lines: {lines[:40]!r} is not a number from 100 on")
    retention = Retention(
        keep_s=parse_duration(given["keep"]) if "keep" in given else default.keep_s,
        lines_per_function=int(lines),
        total_characters=parse_memory(given["size"]) if "size" in given else default.total_characters,
    )
    if retention.keep_s < 60 or retention.total_characters < 2**20:
        raise InvalidSpec("keep is a minute or more, and size 1Mi or more")
    return retention
