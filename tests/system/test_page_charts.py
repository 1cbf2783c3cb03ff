"""The charts of a function in a real browser: each shows what there was, just now and months ago, by the clock."""

import asyncio
import base64
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.system.conftest import started
from tests.system.console import PASSWORD, shot
from tests.system.driver import Platform, eventually

from dayfly.control.clock import ManualClock
from dayfly.model.history import HistoryLimits
from dayfly.observe.family import Family
from dayfly.observe.history.scrape import Group, Scrape
from dayfly.observe.history.store import HistoryStore

CODE = """\
import asyncio
import time


async def handle(event, context):
    if event.path == "/bad":
        raise ValueError("as asked")
    if event.path == "/wait":
        await asyncio.sleep(50)
    if event.path == "/slow":
        await asyncio.sleep(0.3)
    if event.path == "/burn":
        end = time.process_time() + 1
        while time.process_time() < end:
            pass
    return "done"
"""
ADMIN = {"Authorization": "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()}
DAY_S = 86_400
BEGUN_S = int(time.time()) // 900 * 900 - 50 * DAY_S
"""When there was a load, for a day, long ago."""
pytestmark = pytest.mark.timeout(180)


def long_ago(folder: Path) -> None:
    """Have the history know of a day, sampled each five minutes: a call a second, of which each tenth failed."""
    path = folder / "data" / "records" / "history.db"
    path.parent.mkdir(parents=True, mode=0o700)

    async def write() -> None:
        store = HistoryStore(path, HistoryLimits(), ManualClock())
        await store.open()
        for second in range(0, DAY_S + 1, 300):
            store.record(Scrape((BEGUN_S + second) * 1000, (Group("then", figures(second)),)))
            await store.flushed()
        await store.close()

    with ThreadPoolExecutor(1) as pool:  # the browser's driver has this thread's event loop
        pool.submit(asyncio.run, write()).result()


def figures(second: int) -> tuple[Family, ...]:
    """What was counted when so many seconds of that day had passed."""

    def family(name: str, kind: str, *samples: tuple[str, dict[str, str], float]) -> Family:
        return Family(
            name,
            kind,
            name,
            tuple((suffix, labels | {"function_name": "past.openfaas-fn"}, n) for suffix, labels, n in samples),
        )

    # Half took 10 ms at most, as many as not 20 ms, and of the rest all but a fiftieth half a second.
    buckets = (("0.01", 0.5), ("0.02", 0.9), ("0.5", 0.98), ("1.0", 1.0), ("+Inf", 1.0))
    return (
        family(
            "gateway_function_invocation_total", "counter",
            ("", {"code": "200"}, 0.9 * second), ("", {"code": "500"}, 0.1 * second),
        ),
        family(
            "gateway_functions_seconds", "histogram",
            *(("_bucket", {"code": "200", "le": le}, part * second) for le, part in buckets),
        ),
        family("dayfly_function_inflight", "gauge", ("", {}, 5)),
        family("dayfly_function_replicas_ready", "gauge", ("", {}, 7)),
        family("dayfly_function_cold_starts_total", "counter", ("", {}, second / 60)),
        family("dayfly_function_cpu_seconds_total", "counter", ("", {}, 0.25 * second)),
        family("dayfly_function_memory_bytes", "gauge", ("", {}, 48 * 2**20)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def installed() -> Iterator[Platform]:
    """A platform with a function that was called long ago, and one that was never called."""
    with started({"DAYFLY_ADMIN_PASSWORD": PASSWORD}, before=long_ago) as (platform, folder):
        for name in ("past", "loaded"):
            platform.deploy_function(folder / name, CODE)
            platform.ok("scale", name, "0")
        both = ("past", "loaded")
        eventually("they are at zero", lambda: {platform.describe(name)["state"] for name in both} == {"idle"})
        yield platform


def open_charts(page: Page, name: str) -> None:
    page.goto(f"{page.url.split('#')[0]}#/functions/openfaas-fn/{name}/charts")
    page.get_by_role("heading", name="Cold starts").wait_for()


def shown(page: Page, title: str) -> Locator:
    """What the legend of a chart says."""
    return page.get_by_role("region", name=title, exact=True).get_by_role("listitem")


def number(page: Page, title: str) -> float:
    found = re.search(r"([0-9.]+)(?:/s| m| MiB)?$", shown(page, title).inner_text())
    assert found, shown(page, title).inner_text()
    return float(found[1])


def newest(installed: Platform, metric: str) -> float:
    """Return what a figure of the function is now, 0 where there is none; the history has it from then on."""
    query = urlencode({"query": f'{metric}{{function_name="loaded.openfaas-fn"}}'})
    found = installed.ask("GET", f"/api/v1/query?{query}", headers=ADMIN).json()["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0


def test_a_load_is_shown_as_it_was_just_now(page: Page, installed: Platform) -> None:
    newest(installed, "dayfly_function_inflight")
    assert installed.ask("GET", "/function/loaded/burn").status == 200
    for path, status, times in (("", 200, 30), ("bad", 500, 6), ("slow", 200, 4)):
        for _ in range(times):
            assert installed.ask("GET", f"/function/loaded/{path}").status == status
    with ExitStack() as stack:
        for _ in range(3):
            connection = installed.connect()
            stack.callback(connection.close)
            connection.request("GET", "/function/loaded/wait")
        eventually("they are worked on", lambda: newest(installed, "dayfly_function_inflight") == 3)
        open_charts(page, "loaded")
        expect(shown(page, "Calls in flight")).to_have_text("in flight 3")
        expect(shown(page, "Replicas")).to_have_text("ready 1")
        expect(shown(page, "Cold starts")).to_have_text(re.compile(r"^in 1 minute 1(\.[0-9]+)?$"))
        # Rates are of a minute, and go on half the way to the next sample, as Prometheus has them.
        assert 41 * 0.99 <= 60 * number(page, "Calls") <= 41 * 1.6
        assert 6 * 0.99 <= 60 * number(page, "Errors") <= 6 * 1.6
        cpu_s = newest(installed, "dayfly_function_cpu_seconds_total")
        assert 1 <= cpu_s <= 3
        assert 1000 * 0.99 <= 60 * number(page, "CPU") <= 1000 * cpu_s * 1.6
        memory = installed.describe("loaded")["memory_bytes"] / 2**20
        assert abs(number(page, "Memory") - memory) < memory / 4
        p50, p95, p99 = shown(page, "Latency").all_inner_texts()
        assert re.fullmatch(r"p50 [0-9.]{1,4} ms", p50)
        # At least what they take; a machine that is busy takes longer.
        assert re.fullmatch(r"p95 ([2-9][0-9]{2} ms|[0-9.]+ s)", p95)
        assert re.fullmatch(r"p99 ([5-9][0-9]{2} ms|[0-9.]+ s)", p99)
        # However far apart moments are, the last of them is now.
        page.get_by_label("Time").select_option("last 1 year")
        settle(page)
        expect(shown(page, "Calls in flight")).to_have_text("in flight 3")


def test_months_are_shown_zoomed_into_and_left_again(page: Page) -> None:
    """What lasted a day, 50 days ago, is there in a year, and closer by each chart shows it as it was."""
    open_charts(page, "past")
    span = page.get_by_label("Time")
    expect(page.get_by_text("Nothing was measured in this time.")).to_have_count(7)
    expect(page.get_by_text("No call failed in this time.")).to_have_count(1)
    span.select_option("last 1 year")
    settle(page)
    assert 0.1 < max(numbers(page, "Calls")) < 0.15  # a day's calls in eight days
    span.select_option("last 3 months")
    settle(page)
    assert 0.45 < max(numbers(page, "Calls")) < 0.6  # and in two
    assert [max(numbers(page, title)) for title in ("Calls in flight", "Replicas", "Memory")] == [5, 7, 48]
    drag_over(page, time.time() - BEGUN_S - DAY_S / 2)
    expect(span.locator("option:checked")).to_have_text("a piece of it")
    settle(page)
    plot = page.get_by_role("region", name="Calls", exact=True).get_by_role("img")
    plot.focus()
    page.keyboard.press("+")
    settle(page)
    page.keyboard.press("+")
    settle(page)
    expected = {
        "Calls": ["1/s"], "Errors": ["0.1/s"], "Latency": ["10.0 ms", "320 ms", "750 ms"], "Calls in flight": ["5"],
        "Replicas": ["7"], "Cold starts": ["20"], "CPU": ["250 m"], "Memory": ["48.0 MiB"],
    }  # fmt: skip
    assert {title: columns(page, title) for title in expected} == {
        title: [{each} for each in row] for title, row in expected.items()
    }
    page.keyboard.press("-")
    settle(page)
    page.get_by_role("heading", name="past").scroll_into_view_if_needed()
    shot(page, "charts")
    plot.focus()
    page.keyboard.press("Escape")
    expect(span.locator("option:checked")).to_have_text("last 3 months")
    settle(page)
    assert 0.45 < max(numbers(page, "Calls")) < 0.6


def settle(page: Page) -> None:
    """Wait for the charts of the span that was chosen."""
    busy = page.locator(".chart[aria-busy=true]")
    expect(busy).to_have_count(0)


def drag_over(page: Page, ago_s: float) -> None:
    """Drag over the first chart of three months from a little before that moment to a little after it."""
    drawn = page.locator(".u-over").first
    drawn.scroll_into_view_if_needed()
    box = drawn.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] * (1 - ago_s / (90 * DAY_S)), box["y"] + box["height"] / 2
    page.mouse.move(x - 6, y)
    page.mouse.down()
    page.mouse.move(x + 6, y, steps=4)
    page.mouse.up()


def table(page: Page, title: str) -> list[list[str]]:
    """The chart as a table: times and values, the newest first."""
    chart = page.get_by_role("region", name=title, exact=True)
    chart.get_by_role("button", name=f"Table of {title}").click()
    rows = chart.get_by_role("table").get_by_role("row")
    found: list[list[str]] = rows.evaluate_all(
        "rows => rows.slice(1).map(row => [...row.cells].map(each => each.innerText))"
    )
    chart.get_by_role("button", name=f"Table of {title}").click()
    return found


def numbers(page: Page, title: str) -> list[float]:
    return [float(value.split("/")[0].split()[0]) for _, value, *_ in table(page, title) if value != "–"]


def columns(page: Page, title: str) -> list[set[str]]:
    """What there is in each of the table's columns but the times."""
    return [set(column) for column in list(zip(*table(page, title), strict=True))[1:]]
