"""A real Grafana on a real platform, in a browser: a data source that is tested, the dashboard, and questions by hand.

What it was seen to ask is asked by tests/api/test_grafana.py as well, which needs no Grafana.
"""

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Page, Response, expect
from tests.system.browser import Watched, chromium
from tests.system.conftest import end
from tests.system.driver import ROOT, Platform, eventually
from tests.system.grafana import grafana, home, provision

BOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dayfly.json").read_text())
CODE = """\
import os


def handle(event, context):
    if event.path == "/crash":
        os._exit(3)
    if event.path == "/fail":
        raise ValueError("order failed")
    return "ok"
"""
WORKS = re.compile("Data source is working|Successfully queried the Prometheus API")
REFUSED = re.compile("HTTP Error Bad Request|credential is wrong|Unauthorized")
"""One of 7.5 shows no more of a 401."""
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def used() -> Iterator[Platform]:
    """A platform where everything happened that the dashboard shows."""
    home()
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        platform = Platform(folder / "data")
        try:
            platform.start()
            for function in ("hello", "shop"):
                platform.deploy_function(folder / function, CODE)
            platform.ok("budget", "set", "hello", "calls=1000/day")
            platform.ok("flow", "create", "order", "--step", "hello", "--step", "shop")
            platform.ok("flow", "run", "order", "-d", "x", "--wait")
            platform.ok("trigger", "create", "paid", "--function", "hello", "--kind", "event", "--set", "types=a.paid")
            platform.ok("trigger", "test", "paid", "--data", "{}")
            platform.ask("POST", "/async-function/hello", b"x")
            platform.ask("GET", "/function/shop/crash")
            eventually("two samples tell of it", lambda: samples(platform) > 1)
            yield platform
        finally:
            end(platform)


@pytest.fixture(scope="module")
def seen(used: Platform) -> Iterator[str]:
    """The address of a Grafana that reads the platform with a token for questions alone."""
    token = used.ok("token", "create", "--all-namespaces", "--role", "query").strip()
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        provision(Path(name), used.status()["gateway_url"], token)
        with grafana(Path(name)) as url:
            yield url


def samples(platform: Platform) -> int:
    """Call each function once more, and return how many samples of what is sampled last there are."""
    for path in ("hello", "shop", "shop/fail"):
        platform.ask("GET", f"/function/{path}")
    query = quote("count_over_time(dayfly_function_replica_exits_total[5m])")
    token = (platform.data_dir / "run" / "token").read_text()
    answer = platform.ask("GET", f"/api/v1/query?query={query}", headers={"Authorization": f"Bearer {token}"})
    return min((int(each["value"][1]) for each in answer.json()["data"]["result"]), default=0)


class Told:
    """What the platform said to Grafana in a browser's window."""

    def __init__(self, page: Page) -> None:
        self.answers: list[Response] = []
        self._page = page
        page.on("response", self._note)

    def _note(self, answer: Response) -> None:
        if "/api/v1/" in answer.url or "/api/ds/query" in answer.url:
            self.answers.append(answer)

    def until(self, what: str, is_true: Callable[[], bool]) -> None:
        """Return once the condition is true."""

        def heard() -> bool:
            self._page.wait_for_timeout(50)  # what a page did is told while it is waited for, and only then
            return is_true()

        eventually(what, heard)

    def refused(self) -> list[str]:
        """Return what was not answered."""
        return [f"{each.status} {each.request.method} {each.url}" for each in self.answers if each.status >= 400]

    def paths(self) -> set[str]:
        """Return the addresses that were asked."""
        return {urlsplit(each.url).path.partition("/api/v1/")[2] for each in self.answers}

    def found(self) -> dict[str, bool]:
        """Return for each query over a span whether series were found."""
        told = {}
        for each in self.answers:
            if each.url.partition("?")[0].endswith("/query_range"):
                asked = parse_qs(each.request.post_data or urlsplit(each.url).query)
                told[asked["query"][0]] = bool(each.json()["data"]["result"])
        return told


@contextmanager
def window() -> Iterator[tuple[Page, Told, Watched]]:
    """A browser's window of which it is known what was asked and complained of."""
    with chromium() as context:
        watched = Watched(context)
        watched.page.set_viewport_size({"width": 1500, "height": 1640})
        yield watched.page, Told(watched.page), watched


@pytest.mark.parametrize(("source", "says"), [("Dayfly", WORKS), ("Header", WORKS), ("Wrong", REFUSED)])
def test_a_data_source_says_whether_it_works(seen: str, source: str, says: re.Pattern[str]) -> None:
    with window() as (page, told, _):
        page.goto(f"{seen}/datasources")
        page.get_by_text(source, exact=True).click()
        page.locator("button", has_text=re.compile("^(Save & )?test$", re.IGNORECASE)).click()
        expect(page.get_by_text(says).first).to_be_visible()
        assert bool(told.refused()) is (source == "Wrong")


@pytest.mark.parametrize("source", ["Dayfly", "Header"])
def test_every_panel_of_the_dashboard_shows_something(seen: str, source: str) -> None:
    with window() as (page, told, watched):
        page.goto(f"{seen}/d/dayfly/dayfly?from=now-5m&to=now&var-datasource={source}")
        for panel in BOARD["panels"]:
            expect(page.get_by_text(panel["title"], exact=True)).to_be_visible()
        wanted = sum(len(panel["targets"]) for panel in BOARD["panels"])
        told.until("all was asked", lambda: len(told.found()) >= wanted)
        page.wait_for_load_state("networkidle")
        assert [query for query, is_found in told.found().items() if not is_found] == []
        assert page.get_by_text(re.compile("No data")).count() == 0
        assert told.refused() == []
        assert watched.errors == []
        page.get_by_text("All", exact=True).first.click()
        for function in ("hello", "shop"):
            expect(page.get_by_text(f"{function}.openfaas-fn", exact=True).first).to_be_visible()
        page.keyboard.press("Escape")


def test_one_function_is_chosen(seen: str) -> None:
    with window() as (page, told, _):
        page.goto(f"{seen}/d/dayfly/dayfly?from=now-5m&to=now&var-datasource=Dayfly&var-function=hello.openfaas-fn")
        chosen = r'function_name=~"hello\\.openfaas-fn"'
        told.until("its figures are asked for", lambda: chosen in " ".join(told.found()))
        assert told.refused() == []


def test_annotations_are_asked_for(seen: str) -> None:
    (note,) = BOARD["annotations"]["list"]
    with window() as (page, told, watched):
        page.goto(f"{seen}/d/annotated/annotated?var-datasource=Dayfly")
        told.until("it was asked", lambda: note["expr"] in told.found())
        assert (told.refused(), watched.errors) == ([], [])


@pytest.mark.parametrize("source", ["Dayfly", "Header"])
def test_a_question_by_hand_is_answered_as_series_and_table(seen: str, source: str) -> None:
    left = ["now-5m", "now", source, {"expr": "sum by (code) (rate(gateway_function_invocation_total[1m]))"}]
    with window() as (page, told, watched):
        page.goto(f"{seen}/explore?left={quote(json.dumps(left))}")
        expect(page.get_by_text('{code="200"}').first).to_be_visible()
        wanted = {"query", "query_range", "rules", "label/__name__/values", "metadata"}
        told.until("the editor is filled", lambda: wanted <= told.paths())
        page.wait_for_load_state("networkidle")
        assert (told.refused(), watched.errors) == ([], [])
