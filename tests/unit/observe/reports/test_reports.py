"""Reports hold what functions did, in every form, and are sent by their schedule to real servers."""

from __future__ import annotations

import asyncio
import html
import io
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pypdf
import pytest
from PIL import Image
from tests.unit.observe.alerts.servers import Mailbox, Posts, http_server, smtp_server

from dayfly.control.clock import ManualClock
from dayfly.model.alert import Alert
from dayfly.model.allowance import Used
from dayfly.model.cost import Prices
from dayfly.model.errors import InvalidSpec, NotFound, NotSupported, Unavailable
from dayfly.model.invocation import Invocation, RecordLimits
from dayfly.model.names import FunctionKey, NamespaceName, parse_function_key
from dayfly.model.past_alert import PastAlertQuery
from dayfly.model.receiver import AlertmanagerTarget, EmailTarget, Receiver, WebhookTarget
from dayfly.model.report import ReportFigures, ReportSpec
from dayfly.model.rollup import Rollup
from dayfly.model.table import LATENCY_BUCKETS_S, FunctionLoad
from dayfly.observe.alerts.alerts import Alerts
from dayfly.observe.alerts.book import Book
from dayfly.observe.alerts.past_alerts import AlertFile, PastAlerts
from dayfly.observe.alerts.senders import Senders
from dayfly.observe.alerts.telling import Telling
from dayfly.observe.alerts.watch import Watch
from dayfly.observe.alerts.way import Way
from dayfly.observe.failures import FailureQuery
from dayfly.observe.record_file import RecordFile
from dayfly.observe.reports import charts, paper
from dayfly.observe.reports.desk import Reports
from dayfly.observe.reports.gathering import Facts
from dayfly.observe.rollup_sums import RollupSums
from dayfly.observe.rollups import totals_of
from dayfly.storage.memory_watch import MemoryWatch

HOUR_MS = 3_600_000
EVIL = "<script>alert(1)</script>\r\nBcc: victim@example.org"
HELLO, OTHER = parse_function_key("hello.team"), parse_function_key("other.zoo")


class Office:
    """Reports over a file of records with some days in it, receivers, and a clock that is turned by hand."""

    def __init__(self, folder: Path, prices: Prices = Prices(call=0.5, currency="EUR")) -> None:  # noqa: B008 - it is frozen
        self.clock = ManualClock(unix_ms=1_700_031_600_000)  # 2023-11-15 07:00 UTC
        self.store = MemoryWatch()
        self.file = RecordFile(folder / "calls.db", RecordLimits())
        self.past = PastAlerts(AlertFile(folder / "alerts.db"))
        self.used: dict[FunctionKey, Used] = {HELLO: Used(calls=40), OTHER: Used(calls=2)}
        self.begin(prices)

    def begin(self, prices: Prices = Prices(call=0.5, currency="EUR")) -> None:  # noqa: B008 - it is frozen
        """Begin a life, of which the store knows what the last one did."""
        nothing: Any = None
        self.book = Book(self.store, _Vault(), lambda _name: None, self.clock)
        watch = Watch(self.book, nothing, self.store, self.clock)
        senders = Senders(Way(("public",)), self.book.secret_of, self.clock)
        telling = Telling(self.book, watch, senders, self.store, self.clock, "http://console")
        self.alerts = Alerts(self.book, watch, telling, senders, self.past, self.clock, 15.0)
        facts = Facts(
            namespaces=lambda: [HELLO.namespace, OTHER.namespace], sums=self.sums, failures=self.failures,
            used=self.spent, alerts=self.past, prices=prices,
        )  # fmt: skip
        self.reports = Reports(self.store, facts, self.alerts, lambda _name: None, self.clock)

    async def open(self) -> None:
        await self.alerts.open()
        await self.reports.open()

    async def sums(self, query: RollupSums) -> list[Rollup]:
        return self.file.summed(query)

    async def failures(self, query: FailureQuery) -> list[Any]:
        return self.file.failures(query)

    async def spent(self, namespace: NamespaceName, since: int, until: int) -> dict[FunctionKey, Used]:
        assert until - since in (23, 24, 25, 7 * 24)
        return {key: used for key, used in self.used.items() if key.namespace == namespace}

    async def fill(self) -> None:
        """Have calls, failures and an alert be there, of yesterday and the day before."""
        self.file.open()
        await self.past.open()
        midnight = 1_700_006_400_000  # 2023-11-15 00:00 UTC
        for back, number in ((24, 20), (12, 20), (36, 10)):
            counts = {500: (number // 10, 0.1, buckets(number // 10, 6)), 200: (number, 0.1, buckets(number, 1))}
            self.add("hello.team", counts, midnight - back * HOUR_MS, boot=f"b{back}")
        self.add("other.zoo", {200: (2, 1.0, buckets(2, 8))}, midnight - HOUR_MS, boot="c")
        calls = [
            Invocation(id=f"call-{number}", function="hello", namespace="team", trigger="http", method="GET", path="/",
                       started_unix_ms=midnight - HOUR_MS, status=500, error="function_error")
            for number in range(3)
        ]  # fmt: skip
        assert self.file.append(calls) is None
        told: dict[str, Any] = {
            "id": "a", "rule": "errors", "namespace": "team", "kind": "error_rate", "severity": "critical",
            "state": "resolved", "labels": {}, "value": 1.0, "text": EVIL, "pending_unix_ms": midnight - 3 * HOUR_MS,
            "fired_unix_ms": midnight - 2 * HOUR_MS, "resolved_unix_ms": midnight - HOUR_MS,
        }  # fmt: skip
        other = told | {"id": "b", "namespace": "zoo", "rule": "of-zoo"}
        await self.past.note([Alert(**told), Alert(**other)], midnight)

    def add(self, function: str, codes: Any, at_ms: int, boot: str) -> None:
        load = FunctionLoad(function, 0, 0, 0, codes, 1)
        assert self.file.roll_up({("gw0", boot, function): totals_of(load)}, at_ms) is None

    async def close(self) -> None:
        self.file.close()
        await self.past.close()


def buckets(calls: int, at: int) -> list[int]:
    counts = [0] * (len(LATENCY_BUCKETS_S) + 1)
    counts[at] = calls
    return counts


class _Vault:
    async def keep(self, namespace: str, name: str, content: bytes) -> None:
        raise AssertionError((namespace, name, content))

    async def read(self, namespace: str, name: str) -> bytes | None:
        del namespace, name
        return None

    async def drop(self, namespace: str, name: str) -> None:
        raise AssertionError((namespace, name))


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Office], Awaitable[None]]], None]:
    def tell(story: Callable[[Office], Awaitable[None]]) -> None:
        async def main() -> None:
            office = Office(tmp_path)
            await office.fill()
            await office.open()
            try:
                await story(office)
            finally:
                await office.close()

        asyncio.run(main())

    return tell


Play = Callable[[Callable[[Office], Awaitable[None]]], None]


def test_a_report_has_what_functions_did_beside_the_time_before(play: Play) -> None:
    async def story(office: Office) -> None:
        await office.reports.put(ReportSpec(name="daily", every="day"))
        text = (await office.reports.show("", "daily", "text")).decode()
        assert "Daily report: daily\n2023-11-14, UTC, all namespaces" in text
        line = next(line for line in text.splitlines() if re.match(r"hello\.team +44 ", line))
        assert line.split() == ["hello.team", "44", "+300", "%", "9.1", "%", "10", "ms", "500", "ms", "500", "ms", "2",
                                "20.0000", "EUR"]  # fmt: skip
        assert re.search(r"^other.zoo +2 +new", text, re.MULTILINE)
        assert re.search(r"^team +44 ", text, re.MULTILINE)
        assert re.search(r"^hello.team +500 +function_error +3$", text, re.MULTILINE)
        assert "critical  errors  <script>" in text
        assert "\r" not in text

    play(story)


def test_a_namespaces_report_is_about_it_alone(play: Play) -> None:
    async def story(office: Office) -> None:
        await office.reports.put(ReportSpec(name="mine", namespace="zoo", every="day"))
        for form in ("text", "html"):
            text = (await office.reports.show("zoo", "mine", form)).decode()
            assert "other.zoo" in text
            assert "hello" not in text
            assert "of-zoo" in text
            assert "team" not in text
        with pytest.raises(NotFound):
            await office.reports.show("team", "mine", "text")

    play(story)


def test_the_page_stands_alone_and_runs_nothing(play: Play) -> None:
    async def story(office: Office) -> None:
        await office.reports.put(ReportSpec(name="weekly", every="week"))
        office.clock.advance(7 * 86_400)
        page = (await office.reports.show("", "weekly", "html")).decode()
        assert "<script" not in page
        assert "&lt;script&gt;" in page
        assert "url(" not in page
        assert all(each.startswith("data:image/png;base64,") for each in re.findall(r'(?:src|href)="([^"]*)"', page))
        assert "http" not in page.replace("http-equiv", "")
        assert page.count('src="data:image/png;base64,') == 2
        assert 'alt="Calls over time, ' in page

    play(story)


ROWS = (
    ("hello.team", "44", "+300 %", "9.1 %", "10 ms", "500 ms", "500 ms", "2", "20.0000 EUR"),
    ("hello.team", "500", "function_error", "3"),
)
"""What the report says, as its tables and its paper have it."""


def rows(page: str) -> list[tuple[str, ...]]:
    """The rows of a page's tables."""
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", page)]
    return [tuple(html.unescape(re.sub("<[^>]*>", "", cell)) for cell in each) for each in found]


def test_the_tables_of_the_page_say_what_happened(play: Play) -> None:
    async def story(office: Office) -> None:
        await office.reports.put(ReportSpec(name="daily", every="day"))
        said = rows((await office.reports.show("", "daily", "html")).decode())
        assert [row for row in ROWS if row not in [each[: len(row)] for each in said]] == []
        assert ("team", "44") in [each[:2] for each in said]

    play(story)


def test_the_pdf_can_be_read_and_has_its_pictures(play: Play) -> None:
    async def story(office: Office) -> None:
        await office.reports.put(ReportSpec(name="daily", every="day"))
        reader = pypdf.PdfReader(io.BytesIO(await office.reports.show("", "daily", "pdf")))
        text = "".join(page.extract_text() for page in reader.pages)
        for part in ("Daily report: daily", "hello.team", "other.zoo", "function_error", "20.0000 EUR", "+300 %"):
            assert part in text
        for row in ROWS:
            assert " ".join(row) in " ".join(text.split())
        assert sum(len(page.images) for page in reader.pages) == 2

    play(story)


def test_a_time_beyond_those_that_are_told_apart_is_none_and_travels_as_json(play: Play) -> None:
    async def story(office: Office) -> None:
        slowest = {200: (3, 60.0, buckets(3, len(LATENCY_BUCKETS_S)))}
        office.add("slow.zoo", slowest, 1_700_006_400_000 - HOUR_MS, boot="d")
        await office.reports.put(ReportSpec(name="daily", namespace="zoo", every="day"))
        figures = await office.reports.figures("zoo", "daily")
        assert [row.now.p50_s for row in figures.functions] == [None, 2.5]
        assert msgspec.json.decode(msgspec.json.encode(figures), type=ReportFigures) == figures
        assert re.search(
            rf"slow.zoo +3 +new +0 +> {LATENCY_BUCKETS_S[-1]:g} s",
            (await office.reports.show("zoo", "daily", "text")).decode(),
        )

    play(story)


def test_what_there_is_so_far_is_told_before_its_time_is_over(play: Play) -> None:
    async def story(office: Office) -> None:
        await office.reports.put(ReportSpec(name="weekly", every="week"))
        whole, so_far = [await office.reports.figures("", "weekly", so_far=on) for on in (False, True)]
        assert so_far.since_unix_ms == whole.until_unix_ms
        assert (whole.total.now.calls, so_far.total.now.calls) == (0, 57)
        assert so_far.total.before == whole.total.now

    play(story)


def test_charts_show_calls_and_their_failures_where_they_were(play: Play) -> None:
    async def story(office: Office) -> None:
        await office.reports.put(ReportSpec(name="daily", every="day"))
        figures = await office.reports.figures("", "daily")
        assert [step.calls for step in figures.steps] == [22, *[0] * 11, 22, *[0] * 10, 2]
        calls, times = charts.draw(figures)
        picture = Image.open(io.BytesIO(calls.png)).convert("RGB")
        colours = {colour for _, colour in picture.getcolors(1 << 20) or []}
        assert {(0x3B, 0x82, 0xC4), (0xB3, 0x26, 0x1E)} <= colours
        assert picture.size == (1760, 440)
        assert times.name == "latency.png"

    play(story)


def test_without_the_libraries_there_are_tables_and_a_sentence(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(office: Office) -> None:
        await office.reports.put(ReportSpec(name="daily", every="day"))
        monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
        html = (await office.reports.show("", "daily", "html")).decode()
        assert "hello.team" in html
        assert "<img" not in html
        with pytest.raises(NotSupported, match=r"pip install 'dayfly\[reports\]'"):
            await office.reports.show("", "daily", "pdf")
        assert paper.MISSING.count("\n") == 0

    play(story)


def test_nothing_that_happened_is_a_report_too(tmp_path: Path) -> None:
    async def main() -> None:
        office = Office(tmp_path, Prices())
        office.file.open()
        await office.past.open()
        await office.open()
        await office.reports.put(ReportSpec(name="daily", every="day"))
        for form in ("html", "text", "pdf"):
            assert await office.reports.show("", "daily", form)
        assert b"EUR" not in await office.reports.show("", "daily", "text")
        await office.close()

    asyncio.run(main())


def mail_to(port: int) -> EmailTarget:
    return EmailTarget(host="127.0.0.1", port=port, security="none", sender="d@example.org", to=("ops@example.org",))


def test_a_report_is_mailed_when_it_is_due_with_its_pictures_and_once(play: Play) -> None:
    mailbox = Mailbox()

    async def story(office: Office) -> None:
        await office.book.put_receiver(Receiver(name="ops", target=mail_to(port)), None)
        await office.reports.put(ReportSpec(name="daily", every="day", receivers=("ops",)))
        await office.reports.look()
        assert mailbox.taken == [], "what was due before it was there was not missed"
        office.clock.advance(86_400)
        await office.reports.look()
        await office.reports.look()
        assert len(mailbox.taken) == 1
        office.begin()
        await office.open()
        await office.reports.look()
        assert len(mailbox.taken) == 1, "a restart sends nothing again"
        office.clock.advance(5 * 86_400)
        await office.reports.look()
        await office.reports.look()
        assert len(mailbox.taken) == 2, "of what was missed the last is sent"
        status = office.reports.get("", "daily")
        assert (status.sent_unix_ms, status.trouble) == (office.clock.unix_ms(), "")

    with smtp_server(mailbox) as port:
        play(story)
    _, mail = mailbox.taken[0]
    assert mail["Subject"].startswith("Daily report: daily, ")
    assert mail["Bcc"] is None


def test_who_cannot_be_reached_is_tried_again_and_nobody_else(play: Play) -> None:
    posts, mailbox = Posts(), Mailbox()

    async def story(office: Office) -> None:
        hook = WebhookTarget(url=f"http://127.0.0.1:{web}/")
        await office.book.put_receiver(Receiver(name="mail", target=mail_to(port)), None)
        await office.book.put_receiver(Receiver(name="hook", target=hook), None)
        await office.reports.put(ReportSpec(name="daily", every="day", receivers=("mail", "hook")))
        office.clock.advance(86_400)
        posts.statuses = [500]
        await office.reports.look()
        assert "answered 500" in office.reports.get("", "daily").trouble
        await office.reports.look()
        assert len(posts.taken) == 1, "not at once"
        office.begin()
        await office.open()
        office.clock.advance(60)
        await office.reports.look()
        assert (len(posts.taken), len(mailbox.taken)) == (2, 1)
        assert office.reports.get("", "daily").trouble == ""

    with smtp_server(mailbox) as port, http_server(posts) as web:
        play(story)
    told = json.loads(posts.taken[1].body)
    assert (told["type"], "hello.team" in told["text"]) == ("report", True)


def test_a_report_is_sent_by_hand_to_its_own_receivers(play: Play) -> None:
    mailbox = Mailbox()

    async def story(office: Office) -> None:
        await office.book.put_receiver(Receiver(name="ops", target=mail_to(port)), None)
        await office.reports.put(ReportSpec(name="daily", every="day", receivers=("ops",)))
        assert await office.reports.send("", "daily") == ["ops"]
        assert len(mailbox.taken) == 1
        with pytest.raises(InvalidSpec, match="there is no receiver ops"):
            await office.reports.put(ReportSpec(name="mine", namespace="team", every="day", receivers=("ops",)))
        await office.reports.put(ReportSpec(name="nobody", every="day"))
        with pytest.raises(InvalidSpec, match="has none"):
            await office.reports.send("", "nobody")
        manager = AlertmanagerTarget(url="http://127.0.0.1:1")
        await office.book.put_receiver(Receiver(name="ops", target=manager), None)
        with pytest.raises(Unavailable, match="takes alerts"):
            await office.reports.send("", "daily")

    with smtp_server(mailbox) as port:
        play(story)
    ((_, mail),) = mailbox.taken
    page = mail.get_body(("html",))
    assert page is not None
    assert [row for row in ROWS if row not in [each[: len(row)] for each in rows(page.get_content())]] == []
    sources = re.findall(r'(?:src|href)="([^"]*)"', page.get_content())
    assert sources == ["cid:calls.png", "cid:latency.png"]
    pictures = {part["Content-ID"]: part.get_content_type() for part in mail.walk() if part["Content-ID"]}
    assert pictures == {"<calls.png>": "image/png", "<latency.png>": "image/png"}


def test_a_report_goes_with_its_namespace(play: Play) -> None:
    async def story(office: Office) -> None:
        await office.reports.put(ReportSpec(name="mine", namespace="zoo", every="day"))
        await office.reports.clear(OTHER.namespace)
        await office.alerts.clear(OTHER.namespace)
        assert office.reports.listed(None) == []
        assert await office.store.kept("report") == {}
        assert [each.rule for each in await office.past.find(PastAlertQuery())] == ["errors"]

    play(story)
