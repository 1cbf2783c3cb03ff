"""When a schedule is due: cron's five fields, OpenFaaS's descriptors, `@every`, in a time zone.

`0 9 * * MON-FRI`, `@hourly`, `@every 90s`, `CRON_TZ=Europe/Paris 0 9 * * *`, and several of them with `;` between. The
fields are read as Debian's cron reads them, also where clocks are put forward and back (cronsim). `@every` counts from
the epoch and not from when somebody began to look, so that whoever looks finds the same moments.

All moments are in UTC; without a zone of its own an expression is in UTC too. A function has a schedule by the
annotations of OpenFaaS's cron connector, and by some of ours:

| annotation | means |
|---|---|
| `topic` | `cron-function` among its topics: the schedule counts |
| `schedule` | when it is called |
| `com.dayfly.cron.timezone` | the zone of expressions that name none |
| `com.dayfly.cron.missed` | `once`: the last moment that nobody was there for is made up for; `skip`: none is |
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim, CronSimError

from dayfly.decide.local_time import Moments, moment_of, moments_of, range_near
from dayfly.model.errors import InvalidSpec
from dayfly.model.quantities import parse_duration

MAX_EXPRESSIONS = 20
MAX_TEXT = 1_000
MIN_EVERY_S, MAX_EVERY_S = 1.0, 366 * 86_400.0
TOPIC = "cron-function"
ZONE_ANNOTATION, MISSED_ANNOTATION = "com.dayfly.cron.timezone", "com.dayfly.cron.missed"
LATE = timedelta(seconds=30)
"""What is called so much too late is on time: looking takes a moment."""
LONG_AGO = timedelta(hours=12)
"""What was missed before that is not made up for: for less long than a queue knows what it has taken already."""
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S{1,64})\s+(.*)", re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_Turn = Callable[[datetime, bool], datetime | None]
"""Gives the next moment after one, or the last one up to it where the second argument says so."""


class Schedule:
    """The moments at which something is due."""

    def __init__(self, text: str, zone: str = "", *, zone_field: str = "zone") -> None:
        """Read expressions; `zone` is for those that name none. Raises InvalidSpec, the field in the text."""
        if len(text) > MAX_TEXT:
            raise InvalidSpec(f"schedule: has at most {MAX_TEXT} characters")
        parts = [part.strip() for part in text.split(";") if part.strip()]
        if not 1 <= len(parts) <= MAX_EXPRESSIONS:
            raise InvalidSpec(f"schedule: has 1 to {MAX_EXPRESSIONS} expressions, with ; between them")
        self.text = text
        self._turns = [_turn(part, zone, zone_field) for part in parts]

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first moment after this one at which it is due; None when there is none any more."""
        return min(filter(None, (turn(moment, False) for turn in self._turns)), default=None)

    def last_until(self, moment: datetime) -> datetime | None:
        """Return the last moment up to this one, itself included, at which it was due; None when there was none."""
        return max(filter(None, (turn(moment, True) for turn in self._turns)), default=None)


class CronPlan(msgspec.Struct, frozen=True):
    """What the annotations of a function say of its schedule."""

    schedule: Schedule
    missed: Literal["once", "skip"] = "once"

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> "CronPlan | None":
        """Read annotations; None for a function without a schedule. Raises InvalidSpec for one that cannot be read."""
        topics = [topic.strip() for topic in annotations.get("topic", "").split(",")]
        if TOPIC not in topics or not annotations.get("schedule", "").strip():
            return None
        match annotations.get(MISSED_ANNOTATION, "once"):
            case "once" | "skip" as missed:
                return cls(Schedule(annotations["schedule"], annotations.get(ZONE_ANNOTATION, "")), missed)
            case text:
                raise InvalidSpec(f"annotations: {MISSED_ANNOTATION}: {text[:40]!r} must be once or skip")

    def due(self, seen: datetime, now: datetime) -> datetime | None:
        """Return the moment after `seen` and up to `now` for which the function is to be called now.

        It is one at most: of several that went by, which takes a machine that slept, the last stands for all.
        """
        last = self.schedule.last_until(now)
        if last is None or last <= seen:
            return None
        return last if now - last <= (LATE if self.missed == "skip" else LONG_AGO) else None


def _turn(text: str, zone_name: str, zone_field: str) -> _Turn:
    zoned = _ZONE.fullmatch(text)
    if zoned:
        zone_name, text = zoned[1], zoned[2].strip()
    zone = _zone(zone_name, zone_field)
    if text.startswith("@every"):
        return _every(text)
    fields = _DESCRIPTORS.get(text.lower(), text).replace("?", "*")
    hint = "Write five fields: minute, hour, day of month, month, day of week; or @hourly, @every 5m."
    if len(fields.split()) != 5:
        raise InvalidSpec(f"schedule: {text[:80]!r} is no cron expression", hint=hint)
    try:
        turn = _cron(fields, zone)
        if turn(_EPOCH, False) is None:
            raise InvalidSpec(f"schedule: {text[:80]!r} is never due", hint="No such day comes in fifty years.")
    except CronSimError as error:
        raise InvalidSpec(f"schedule: {text[:80]!r}: {str(error).lower()}", hint=hint) from error
    return turn


def _cron(fields: str, zone: tzinfo) -> _Turn:
    # As in Debian: what is due at certain times of the day neither falls out nor comes twice where clocks are put
    # forward or back; what is due every so often follows the clocks.
    often = any(field.startswith("*") for field in fields.split()[:2])
    moments: Moments = moments_of if often else moment_of

    def turn(moment: datetime, back: bool) -> datetime | None:
        least, greatest = range_near(moment, zone)
        start = greatest.replace(microsecond=0) + timedelta(seconds=1) if back else least
        due: list[datetime] = []  # Where clocks are put back, moments do not come in the order of what clocks show.
        for reading in CronSim(fields, start, reverse=back):
            found = moments(reading, zone)
            due += [each for each in found if (each <= moment if back else each > moment)]
            if found and (found[-1] <= moment if back else found[0] > moment):
                break
        return max(due, default=None) if back else min(due, default=None)

    turn(_EPOCH, False)
    return turn


def _every(text: str) -> _Turn:
    try:
        every_s = parse_duration(text.removeprefix("@every").strip())
    except InvalidSpec as error:
        raise InvalidSpec(f"schedule: {text[:80]!r}: {error.message}", hint="For example @every 5m.") from error
    if not MIN_EVERY_S <= every_s <= MAX_EVERY_S or every_s != int(every_s):
        raise InvalidSpec(f"schedule: {text[:80]!r} must be whole seconds, from 1s to a year")
    every = int(every_s)

    def turn(moment: datetime, back: bool) -> datetime:
        passed = (moment - _EPOCH) // timedelta(seconds=every)
        return _EPOCH + timedelta(seconds=every * (passed if back else passed + 1))

    return turn


def _zone(name: str, field: str) -> tzinfo:
    if not name or name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = "Zones are called Europe/Paris; what this machine knows is in /usr/share/zoneinfo."
        raise InvalidSpec(f"{field}: this machine knows no time zone {name[:64]!r}", hint=hint) from error
