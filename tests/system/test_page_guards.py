"""What the page is to keep to whatever is shown on it: roles, colours, and how much of a long list it draws."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from tests.system.browser import Watched
from tests.system.conftest import started
from tests.system.console import ADMIN, PASSWORD, sign_in
from tests.system.driver import Platform, eventually

CODE = """\
def handle(event, context):
    return {"statusCode": 500 if event.path == "/bad" else 200, "body": "%s"}
"""
KEPT = ("--annotation", "com.dayfly.record.payloads=all", "--annotation", "com.openfaas.retry.attempts=1")
FLOW = {
    "name": "order",
    "steps": [
        {"do": "call", "name": "first", "function": "bill"},
        {"do": "approval", "name": "approved", "prompt": "Go on?"},
    ],
}
BILL = "functions/openfaas-fn/bill"
HARMLESS = re.compile(
    r"Copy( .*)?|Table.*|Zoom (in|out)|Show|Search.*|Follow.*|Run|(CSV|XLSX|PARQUET|JSON|PDF|HTML|Text)|What changed.*"
    r"|Read call .*|Entry .*|[0-9]+ more|Older .*|(first|approved) .*|[a-z_]+\.(py|txt)|x?\\.?"
)
"""Buttons that change nothing."""
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def installed() -> Iterator[Platform]:
    """A platform that has one of everything."""
    with started({"DAYFLY_ADMIN_PASSWORD": PASSWORD, "DAYFLY_ALERT_INTERVAL": "1s"}) as (platform, folder):
        fill(platform, folder)
        yield platform


def fill(platform: Platform, folder: Path) -> None:
    ok = platform.ok
    ok("namespace", "create", "other")
    ok("secret", "create", "key", stdin="word")
    platform.deploy_function(folder / "bill", CODE % "one", *KEPT)
    platform.deploy_function(folder / "bill", CODE % "two", *KEPT)
    platform.deploy_function(folder / "bill", CODE % "three", *KEPT, "--canary", "20", "--canary-no-promote")
    assert platform.ask("POST", "/function/bill/bad", b"{}").status == 500
    platform.ask("POST", "/async-function/bill/bad", b"{}")
    platform.ask("POST", "/async-function/bill", b"{}", headers={"X-Delay": "1h"})
    ok("trigger", "create", "nightly", "--function", "bill", "--kind", "cron", "--set", "schedule=0 3 * * *")
    ok("route", "create", "--name", "shop", "--path", "/shop/*", "--function", "bill")
    ok("route", "grant", "*.example.org", "--namespace", "other")
    (folder / "flow.json").write_text(json.dumps(FLOW))
    ok("flow", "deploy", "--file", str(folder / "flow.json"))
    ok("flow", "run", "order", "-d", "{}")
    ok("alert", "rule", "set", "always", "--kind", "promql", "--expr", "vector(42)")
    ok("alert", "receiver", "set", "ops", "--kind", "webhook", "--url", "http://127.0.0.1:9/hook")
    ok("alert", "silence", "add", "alertname=nothing", "--comment", "why")
    ok("report", "create", "daily", "--every", "day")
    ok("budget", "put", "trial", "calls=100/day", "--function", "bill")
    saved = platform.ask("PUT", "/v1/queries/one", b'{"sql": "select 1", "note": "kept by hand"}', headers=ADMIN)
    assert saved.status in (200, 201), saved.body


def come_in(page: Page, console: str, installed: Platform, *options: str) -> None:
    """Sign in with a new token of these options."""
    token = installed.ok("token", "create", *options).strip()
    page.goto(console)
    page.evaluate("sessionStorage.clear()")
    page.reload()
    page.get_by_role("radio", name="Token").check()
    page.get_by_role("textbox", name="Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Functions").wait_for()


OFFERED = """() => [...document.querySelectorAll(
  "main :is(button, [role=button], input[type=submit], a.button):not(:disabled), main a[href^='#/deploy']")]
  .filter(each => each.checkVisibility() && !each.closest("thead"))
  .map(each => (each.getAttribute("aria-label") ?? each.textContent).trim())"""


def offered(page: Page, console: str, place: str, shown: str) -> set[str]:
    """Return what can be done at a place once something is shown there, but for what changes nothing."""
    page.goto("about:blank")
    page.goto(f"{console}/#/{place}")
    page.locator("main").get_by_text(shown).first.wait_for(state="attached")
    return {name for name in page.evaluate(OFFERED) if not HARMLESS.fullmatch(name)}


def places(installed: Platform) -> dict[str, str]:
    """Return where somebody who may look can go, and what is shown there once it is all there."""
    call = json.loads(installed.ok("calls", "--failed", "--output", "json"))[0]["id"]
    run = json.loads(installed.ok("flow", "runs", "--output", "json"))[0]["id"]
    return {
        "functions": "bill", f"{BILL}/status": "Now", f"{BILL}/code": "def handle", f"{BILL}/revisions": "Canary",
        f"{BILL}/logs": "Search all that is kept", f"{BILL}/charts": "Memory", f"{BILL}/settings": "nightly",
        "calls": "bill", f"calls/{call}": "function_error", "events": "nightly", "events/queue": "queued",
        "events/dead-letters": "The function answered 500", "flows": "order", "flows/openfaas-fn/order": "approved",
        f"flows/openfaas-fn/order/{run}": "Begun", "query": "kept by hand", "settings/namespaces": "other",
        "settings/secrets": "key", "settings/routes": "*.example.org", "settings/budgets": "trial",
        "settings/alerts": "ops", "settings/reports": "daily", "settings/reports/daily": "Daily report",
        "settings/installation": "Version",
    }  # fmt: skip


CHANGES_NOTHING = ("/logs", "/charts", "settings/namespaces", "settings/installation", "reports/daily")


def test_who_may_look_is_offered_no_change_anywhere(window: Watched, installed: Platform, console: str) -> None:
    page = window.page
    eventually("the call is a dead letter", lambda: "bill" in installed.ok("queue", "dead"))
    eventually("the rule fires", lambda: "firing" in installed.ok("alert", "list"))
    everywhere = places(installed)
    come_in(page, console, installed, "--role", "view", "--all-namespaces")
    found = {place: offered(page, console, place, shown) for place, shown in everywhere.items()}
    assert {place: offers for place, offers in found.items() if offers} == {}
    come_in(page, console, installed, "--role", "deploy", "--all-namespaces")
    silent = [place for place, shown in everywhere.items() if not offered(page, console, place, shown)]
    assert [place for place in silent if not place.endswith(CHANGES_NOTHING)] == []


def test_who_administers_a_namespace_is_offered_nothing_of_the_installation(
    window: Watched, installed: Platform, console: str
) -> None:
    page = window.page
    come_in(page, console, installed, "--role", "admin", "--namespace", "other")
    main = page.get_by_label("Main")
    expect(main.get_by_role("link", name="Settings")).to_be_visible()
    expect(main.get_by_role("link", name="Machine")).to_have_count(0)
    page.goto(f"{console}/#/machine")
    expect(page.get_by_role("heading", name="Functions", level=1)).to_be_visible()
    assert offered(page, console, "settings/namespaces", "other") == set()
    assert offered(page, console, "settings/routes", "*.example.org") == {"Create a route…"}


def lightness(page: Page) -> float:
    colour = str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    return sum(map(int, re.findall(r"[0-9]+", colour)[:3])) / (3 * 255)


def test_it_is_as_light_or_dark_as_the_system_or_as_somebody_chose(window: Watched, console: str) -> None:
    page = window.page
    page.goto(console)
    choice = page.get_by_label("Colours")
    for system in ("dark", "light"):
        page.emulate_media(color_scheme=system)
        for chosen in ("system", "light", "dark"):
            choice.select_option(chosen)
            page.reload()
            expect(choice).to_have_value(chosen)
            is_dark = (system if chosen == "system" else chosen) == "dark"
            assert (lightness(page) < 0.2, lightness(page) > 0.8) == (is_dark, not is_dark), (system, chosen)
    choice.select_option("system")


def test_a_thousand_functions_are_listed_a_screen_or_two_at_a_time(window: Watched, console: str) -> None:
    """So that the first of them are there as soon as if there were few."""
    page = window.page
    one = {
        "state": "ready", "reason": "", "replicas": 1, "desired_replicas": 1, "calls_total": 7, "error_rate": 0.5,
        "spark": list(range(30)), "updated_unix_ms": 1_700_000_000_000,
    }  # fmt: skip
    functions = [one | {"name": f"f{number:04}", "namespace": "openfaas-fn"} for number in range(1000)]
    news = {"namespaces": ["openfaas-fn"], "functions": functions}

    def answer(route: Route) -> None:
        route.fulfill(content_type="text/event-stream", body=f"event: functions\ndata: {json.dumps(news)}\n\n")

    page.route("**/v1/functions/live*", answer)
    page.goto(console)
    page.evaluate("sessionStorage.clear()")
    page.reload()
    sign_in(page)
    rows = page.get_by_role("rowheader")
    expect(rows.filter(has_text="f0000")).to_be_visible()
    expect(page.get_by_text("1,000", exact=True).first).to_be_visible()
    shown = rows.count()
    assert shown <= 180
    page.get_by_role("button", name=re.compile("^[0-9]+ more$")).scroll_into_view_if_needed()
    rows.nth(shown).wait_for(state="attached")
    page.get_by_label("Search by name").fill("f0999")
    expect(rows).to_have_count(1)
    page.unroute("**/v1/functions/live*")
