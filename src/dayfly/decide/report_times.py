"""When reports are due, and what they are about: whole days, weeks and months of a time zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dayfly.decide.cron import Schedule
from dayfly.decide.local_time import moment_of
from dayfly.model.report import ReportSpec, Span, Standing

FIRST_RETRY_MS, LONGEST_RETRY_MS = 60_000, 3_600_000


class Times:
    """The schedule of a report. Raises InvalidSpec for a zone that this machine does not know."""

    def __init__(self, spec: ReportSpec) -> None:
        self._schedule = Schedule(spec.cron, spec.zone)
        self._every = spec.every
        self._zone = UTC if spec.zone.upper() == "UTC" else ZoneInfo(spec.zone)

    def next_after(self, now_ms: int) -> int:
        """Return when it is due next."""
        found = self._schedule.next_after(_moment(now_ms))
        return _ms(found) if found is not None else 0

    def last_until(self, now_ms: int) -> int:
        """Return when it was due last; 0 for never."""
        found = self._schedule.last_until(_moment(now_ms))
        return _ms(found) if found is not None else 0

    def span(self, at_ms: int) -> Span:
        """Return what a report of this moment is about: the last whole day, week or month, and the one before."""
        today = self._day(at_ms)
        if self._every == "day":
            days = [today - timedelta(days=back) for back in (2, 1, 0)]
        elif self._every == "week":
            monday = today - timedelta(days=today.weekday())
            days = [monday - timedelta(days=7 * back) for back in (2, 1, 0)]
        else:
            first = today.replace(day=1)
            last = (first - timedelta(days=1)).replace(day=1)
            days = [(last - timedelta(days=1)).replace(day=1), last, first]
        # Where clocks are put forward at midnight, a day begins later.
        before, since, until = (_ms(moment_of(day, self._zone)[0]) for day in days)
        return Span(before, since, until)

    def end_of(self, now_ms: int) -> int:
        """Return when the day, week or month of this moment is over."""
        today = self._day(now_ms)
        if self._every == "day":
            over = today + timedelta(days=1)
        elif self._every == "week":
            over = today + timedelta(days=7 - today.weekday())
        else:
            over = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
        return _ms(moment_of(over, self._zone)[0])

    def steps(self, span: Span) -> list[int]:
        """Return when the bars of its charts begin: hours of a day, else days; they end with the span."""
        if self._every == "day":
            return list(range(span.since_unix_ms, span.until_unix_ms, 3_600_000))
        day = _moment(span.since_unix_ms).astimezone(self._zone).replace(tzinfo=None)
        found = [span.since_unix_ms]
        while True:
            day += timedelta(days=1)
            begins = _ms(moment_of(day, self._zone)[0])
            if begins >= span.until_unix_ms:
                return found
            found.append(begins)

    def _day(self, at_ms: int) -> datetime:
        """Return how clocks of the zone show the beginning of the moment's day."""
        local = _moment(at_ms).astimezone(self._zone)
        return local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)


def take_up(standing: Standing, last_ms: int) -> Standing:
    """Return the standing of a report whose schedule last came up then.

    Of several that nobody was there for, the last stands for all. One that was not sent to everybody gives way to it.
    """
    if last_ms <= standing.due_unix_ms:
        return standing
    return Standing(due_unix_ms=last_ms, is_done=False, sent_unix_ms=standing.sent_unix_ms)


def may_try(standing: Standing, now_ms: int) -> bool:
    """Whether somebody is to be sent it now."""
    wait_ms = standing.retry_unix_ms - now_ms
    return not standing.is_done and not 0 < wait_ms <= LONGEST_RETRY_MS


def tried(standing: Standing, sent: tuple[str, ...], now_ms: int, *, is_done: bool) -> Standing:
    """Return the standing after it was tried; who was sent it is not sent it again."""
    if is_done:
        return Standing(due_unix_ms=standing.due_unix_ms, sent=sent, sent_unix_ms=now_ms)
    wait_ms = min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** min(standing.failures, 10))
    return Standing(
        due_unix_ms=standing.due_unix_ms, sent=sent, is_done=False, sent_unix_ms=standing.sent_unix_ms,
        failures=standing.failures + 1, retry_unix_ms=now_ms + wait_ms,
    )  # fmt: skip


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
