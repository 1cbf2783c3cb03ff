"""Reports: what functions did in a day, a week or a month, sent to receivers by a schedule."""

import re
from typing import Literal

import msgspec

from dayfly.model.alert import MAX_LABELS
from dayfly.model.errors import InvalidSpec
from dayfly.model.names import parse_alert_name, parse_namespace
from dayfly.model.past_alert import PastAlert

Every = Literal["day", "week", "month"]
MAX_NAMESPACE_REPORTS = 20
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}", re.ASCII)


class ReportSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A report that is wanted: a day's each day, a week's each Monday, a month's on its first day."""

    name: str
    namespace: str = ""
    """Whose functions it is about; empty for those of all namespaces."""
    every: Every
    at: str = "07:00"
    """When it is sent, as clocks of the zone show it."""
    zone: str = "UTC"
    """The time zone, as Europe/Paris: it also says when a day begins."""
    receivers: tuple[str, ...] = ()
    """Who is sent it; without any it is there to be looked at."""
    paused: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Its identity."""
        return self.namespace, self.name

    @property
    def cron(self) -> str:
        """When it is sent, as cron has it. Raises InvalidSpec."""
        found = _TIME.fullmatch(self.at)
        if found is None:
            raise InvalidSpec(f"at: {self.at[:20]!r} must be a time such as 07:00")
        day = {"day": "* * *", "week": "* * MON", "month": "1 * *"}[self.every]
        return f"{int(found[2])} {int(found[1])} {day}"

    def check(self) -> None:
        """Refuse what cannot be sent. Raises InvalidName, InvalidSpec with the field in the text."""
        parse_alert_name(self.name)
        if self.namespace:
            parse_namespace(self.namespace)
        _ = self.cron
        if not _ZONE.fullmatch(self.zone):
            raise InvalidSpec(f"zone: {self.zone[:64]!r} is no time zone such as Europe/Paris")
        if len(self.receivers) > MAX_LABELS:
            raise InvalidSpec(f"receivers: at most {MAX_LABELS} may be named")
        for name in self.receivers:
            parse_alert_name(name)


class KeptReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report as it is kept."""

    report: ReportSpec
    created_unix_ms: int
    updated_unix_ms: int


class ReportStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and how it does."""

    report: ReportSpec
    created_unix_ms: int
    updated_unix_ms: int
    next_unix_ms: int
    """When it is sent next; 0 for one that is paused."""
    sent_unix_ms: int = 0
    """When everybody was last sent it by its schedule; 0 for never."""
    trouble: str = ""
    """Why somebody was not sent the last one yet; empty when everybody was."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a report was sent."""

    due_unix_ms: int
    """The moment of its schedule that was last taken up."""
    sent: tuple[str, ...] = ()
    """Who was sent that one."""
    is_done: bool = True
    sent_unix_ms: int = 0
    failures: int = 0
    retry_unix_ms: int = 0


class Span(msgspec.Struct, frozen=True):
    """A time that a report is about, and the one before it."""

    before_unix_ms: int
    since_unix_ms: int
    until_unix_ms: int


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What a function did, or several."""

    calls: int = 0
    failed: int = 0
    cold: int = 0
    p50_s: float | None = 0.0
    """Within how long half of the calls were answered; None beyond the longest time that is told apart."""
    p95_s: float | None = 0.0
    p99_s: float | None = 0.0
    cost: float = 0.0

    @property
    def failed_part(self) -> float:
        """The part of the calls that failed."""
        return self.failed / self.calls if self.calls else 0.0


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """A function or a namespace, and what it did in the time before."""

    name: str
    now: Sums
    before: Sums


class ErrorRow(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which calls of a function failed."""

    function: str
    status: int
    error: str
    calls: int
    example: str
    """The id of the last such call."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of a chart."""

    at_unix_ms: int
    calls: int = 0
    failed: int = 0
    p95_s: float | None = 0.0


class ReportFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is in a report."""

    title: str
    namespace: str
    zone: str
    since_unix_ms: int
    until_unix_ms: int
    total: ReportRow
    functions: tuple[ReportRow, ...]
    """Those with most calls, now and before."""
    more_functions: int = 0
    namespaces: tuple[ReportRow, ...] = ()
    errors: tuple[ErrorRow, ...] = ()
    alerts: tuple[PastAlert, ...] = ()
    steps: tuple[Step, ...] = ()
    currency: str = ""
    has_prices: bool = False
