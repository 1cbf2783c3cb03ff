"""Moments and what the clocks of a time zone show at them, also on the days on which those are put forward or back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

NEAR = timedelta(hours=3)
"""By how much clocks are put back or forward at most."""
_NONE = timedelta()

Moments = Callable[[datetime, tzinfo], tuple[datetime, ...]]
"""Gives the moments at which something is due that is due when clocks show this, in order."""


def moments_of(reading: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """Return when clocks show this: twice where they are put back, and never where they are put forward past it."""
    passes = {reading.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return tuple(sorted(each for each in passes if each.astimezone(zone).replace(tzinfo=None) == reading))


def moment_of(reading: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """Return when clocks show this for the first time; where they are put forward past it, the moment of that."""
    while not (found := moments_of(reading, zone)):
        reading += timedelta(minutes=1)
    return found[:1]


def range_near(moment: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the least and the greatest reading from which what is due before or after a moment may be looked for."""
    offsets = [(moment + near).astimezone(zone).utcoffset() or _NONE for near in (-NEAR, _NONE, NEAR)]
    naive = moment.astimezone(UTC).replace(tzinfo=None)
    return naive + min(offsets), naive + max(offsets)
