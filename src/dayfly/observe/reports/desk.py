"""Reports as the API and the control plane have them: what can be asked, and the loop that sends what is due.

Who was sent a report is written down after each receiver, so that after a kill, or while one of several cannot be
reached, nobody is sent it again but who was being sent it at that moment. What came up while nobody was there is sent
once: the last of it.
"""

import asyncio
import logging
from typing import Literal

import msgspec

from dayfly.decide.report_times import Times, may_try, take_up, tried
from dayfly.model.errors import DayflyError, InvalidSpec, LimitExceeded, NotFound, StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.model.notice import Attachment, Letter
from dayfly.model.receiver import Receiver
from dayfly.model.report import MAX_NAMESPACE_REPORTS, KeptReport, ReportFigures, ReportSpec, ReportStatus, Standing
from dayfly.observe.alerts.alerts import Alerts
from dayfly.observe.alerts.book import read_all
from dayfly.observe.alerts.ports import CheckOpen, Clock
from dayfly.observe.reports.charts import draw
from dayfly.observe.reports.gathering import Facts, gather
from dayfly.observe.reports.page import page
from dayfly.observe.reports.paper import check_paper, paper
from dayfly.observe.reports.plain import plain
from dayfly.storage.watch import WatchKey, WatchStore

Form = Literal["html", "pdf", "text"]
LOOK_S = 20.0
_log = logging.getLogger("dayfly.observe")


class Reports:
    """The reports there are. `open` it once the store is open, and after the alerts."""

    kind = "reports"
    """What they are called among the things that lie in namespaces."""

    def __init__(
        self, store: WatchStore, facts: Facts, alerts: Alerts, check_open: CheckOpen, clock: Clock
    ) -> None:  # fmt: skip
        self._store = store
        self._facts = facts
        self._alerts = alerts
        self._check_open = check_open
        self._clock = clock
        self._turn = asyncio.Lock()
        self._known: dict[WatchKey, KeptReport] = {}
        self._standings: dict[WatchKey, Standing] = {}
        self._troubles: dict[WatchKey, str] = {}

    async def open(self) -> None:
        """Read all of them, and how far each was sent. Raises StoreUnavailable."""
        self._known = await read_all(self._store, "report", KeptReport)
        self._standings = await read_all(self._store, "reported", Standing)

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Send what is due now."""
        for key, kept in list(self._known.items()):
            if kept.report.paused or not kept.report.receivers:
                continue
            now = self._clock.unix_ms()
            standing = self._standings.get(key, Standing(due_unix_ms=kept.created_unix_ms))
            standing = take_up(standing, Times(kept.report).last_until(now))
            if may_try(standing, now):
                await self._send_due(key, kept.report, standing)

    def listed(self, namespace: str | None) -> list[ReportStatus]:
        """Return a namespace's reports, or all, ordered by namespace and name."""
        return [self.get(*key) for key in sorted(self._known) if namespace in (None, key[0])]

    def get(self, namespace: str, name: str) -> ReportStatus:
        """Return a report, and how it does. Raises NotFound."""
        key = namespace, name
        kept = self._present(key)
        standing = self._standings.get(key, Standing(due_unix_ms=0))
        report = kept.report
        return ReportStatus(
            report=report, created_unix_ms=kept.created_unix_ms, updated_unix_ms=kept.updated_unix_ms,
            next_unix_ms=0 if report.paused else Times(report).next_after(self._clock.unix_ms()),
            sent_unix_ms=standing.sent_unix_ms, trouble=self._troubles.get(key, ""),
        )  # fmt: skip

    async def put(self, report: ReportSpec) -> tuple[ReportStatus, Literal["created", "updated"]]:
        """Let the report be this. Raises InvalidSpec, NotFound (no such namespace), LimitExceeded, StoreUnavailable."""
        report.check()
        Times(report)
        if report.namespace:
            self._check_open(NamespaceName(report.namespace))
        async with self._turn:
            before = self._known.get(report.key)
            others = sum(key[0] == report.namespace for key in self._known if key != report.key)
            if others >= MAX_NAMESPACE_REPORTS:
                raise LimitExceeded(f"there are {others} reports already, and there may be no more; remove one")
            for name in report.receivers:
                self._receiver(report.namespace, name)
            now = self._clock.unix_ms()
            created = before.created_unix_ms if before is not None else now
            kept = KeptReport(report=report, created_unix_ms=created, updated_unix_ms=now)
            await self._store.keep("report", {report.key: msgspec.json.encode(kept).decode()})
            self._known[report.key] = kept
            if before is None or before.report.cron != report.cron or before.report.zone != report.zone:
                # What the new schedule would have had sent before it was there was not missed.
                sent = self._standings.get(report.key, Standing(due_unix_ms=0)).sent_unix_ms
                await self._keep(report.key, Standing(due_unix_ms=now, sent_unix_ms=sent))
        return self.get(*report.key), "created" if before is None else "updated"

    async def remove(self, namespace: str, name: str) -> None:
        """Remove the report. Raises NotFound, StoreUnavailable."""
        async with self._turn:
            self._present((namespace, name))
            await self._store.keep("report", {(namespace, name): None})
            self._known.pop((namespace, name), None)
            await self._store.keep("reported", {(namespace, name): None})
            self._standings.pop((namespace, name), None)

    async def show(self, namespace: str, name: str, form: Form) -> bytes:
        """Return the report as it would be sent now. Raises NotFound, NotSupported (pdf), StoreUnavailable."""
        if form == "pdf":
            check_paper()
        figures = await self.figures(namespace, name)
        return await asyncio.to_thread(_formed, figures, form, self._clock.unix_ms())

    async def figures(self, namespace: str, name: str, *, so_far: bool = False) -> ReportFigures:
        """Return what is in the report as it would be sent now, or what there is so far for the next one.

        Raises NotFound, StoreUnavailable.
        """
        report, now = self._present((namespace, name)).report, self._clock.unix_ms()
        return await self._figures(report, Times(report).end_of(now) if so_far else now)

    async def send(self, namespace: str, name: str) -> list[str]:
        """Send the report to its receivers now; return whom. Raises NotFound, InvalidSpec, Unavailable."""
        report = self._present((namespace, name)).report
        if not report.receivers:
            raise InvalidSpec("receivers: the report has none that it could be sent to")
        letter = await self._letter(report, self._clock.unix_ms(), f"by-hand-{self._clock.unix_ms()}")
        for receiver in report.receivers:
            await self._alerts.post(self._receiver(namespace, receiver), letter)
        return list(report.receivers)

    async def inside(self, namespace: NamespaceName) -> list[str]:
        """Return nothing: a report is no reason to keep a namespace without anything to tell of."""
        del namespace
        return []

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove all of the namespace's. Raises StoreUnavailable."""
        for key in [key for key in self._known if key[0] == namespace]:
            await self.remove(*key)

    async def _send_due(self, key: WatchKey, report: ReportSpec, standing: Standing) -> None:
        sent, trouble = standing.sent, ""
        try:
            letter = await self._letter(report, standing.due_unix_ms, str(standing.due_unix_ms))
        except DayflyError as error:
            letter, trouble = None, str(error)
        for name in report.receivers if letter is not None else ():
            if name in sent:
                continue
            try:
                assert letter is not None
                await self._alerts.post(self._receiver(report.namespace, name), letter)
            except DayflyError as error:
                trouble = str(error)
                continue
            sent = (*sent, name)
            await self._keep(key, msgspec.structs.replace(standing, sent=sent))
        if trouble:
            self._troubles[key] = trouble
            _log.warning("report %s was not sent to everybody and will be tried again: %s", report.name, trouble)
        else:
            self._troubles.pop(key, None)
        if key in self._known:
            await self._keep(key, tried(standing, sent, self._clock.unix_ms(), is_done=not trouble))

    async def _figures(self, report: ReportSpec, at_ms: int) -> ReportFigures:
        return await gather(self._facts, report, at_ms, self._clock.unix_ms())

    async def _letter(self, report: ReportSpec, at_ms: int, name: str) -> Letter:
        figures = await self._figures(report, at_ms)
        return await asyncio.to_thread(_letter_of, figures, f"report-{report.name}-{name}", self._clock.unix_ms())

    async def _keep(self, key: WatchKey, standing: Standing) -> None:
        self._standings[key] = standing
        try:
            await self._store.keep("reported", {key: msgspec.json.encode(standing).decode()})
        except StoreUnavailable as error:
            _log.warning("how far a report was sent is not kept: %s", error)

    def _receiver(self, namespace: str, name: str) -> Receiver:
        try:
            return self._alerts.receiver(namespace, name).receiver
        except NotFound:
            hint = "`dayfly alert receiver list` shows those there are; a namespace's report goes to its own."
            raise InvalidSpec(f"receivers: there is no receiver {name}", hint=hint) from None

    def _present(self, key: WatchKey) -> KeptReport:
        if key not in self._known:
            raise NotFound(f"there is no report {key[1][:80]}")
        return self._known[key]


def _formed(figures: ReportFigures, form: Form, now_ms: int) -> bytes:
    if form == "text":
        return plain(figures).encode()
    charts = draw(figures)
    return paper(figures, charts, now_ms) if form == "pdf" else page(figures, charts, in_mail=False).encode()


def _letter_of(figures: ReportFigures, name: str, now_ms: int) -> Letter:
    charts = draw(figures)
    pictures = tuple(Attachment(chart.name, "image/png", chart.png, is_inline=True) for chart in charts)
    return Letter(
        id=name, title=f"{figures.title}, {len(figures.alerts)} alerts", text=plain(figures),
        html=page(figures, charts, in_mail=True), attachments=pictures, at_unix_ms=now_ms,
    )  # fmt: skip
