"""The page for everybody: axe in each theme and width, no mouse at all, and a finger on a telephone."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.system.browser import Watched, axe, violations
from tests.system.conftest import started
from tests.system.console import IS_AT, PASSWORD, row, sign_in, tab_to
from tests.system.driver import Platform, eventually
from tests.system.test_page_guards import BILL, fill, places

DIALOGS = {
    "Create a trigger…": "events", "Try nightly": "events", "Remove nightly": "events", "Create a flow…": "flows",
    "Save…": "query", "Quota of other": "settings/namespaces", "Make a token…": "settings/tokens",
    "Write a secret…": "settings/secrets", "Create a route…": "settings/routes", "Set a budget…": "settings/budgets",
    "Create a rule…": "settings/alerts", "Create a receiver…": "settings/alerts", "Silence always": "settings/alerts",
    "Create a report…": "settings/reports", "Add route": f"{BILL}/settings",
}  # fmt: skip
"""What opens one, and where it is."""
SIZES = {"dark": (1280, 860), "light": (390, 844)}
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def installed() -> Iterator[Platform]:
    """A platform that has one of everything."""
    with started({"DAYFLY_ADMIN_PASSWORD": PASSWORD, "DAYFLY_ALERT_INTERVAL": "1s"}) as (platform, folder):
        fill(platform, folder)
        yield platform


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What axe is."""
    return axe(tmp_path_factory.mktemp("axe"))


@pytest.fixture
def found(page: Page, source: str) -> Iterator["Found"]:
    """What axe finds: nothing serious, or the test fails."""
    seen = Found(page, source)
    yield seen
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 860})
    assert seen.troubles == [], "\n".join(map(str, seen.troubles))


class Found:
    """Keeps what is wrong with a page in each theme and size."""

    def __init__(self, page: Page, source: str) -> None:
        self._page, self._source = page, source
        self.troubles: list[tuple[str, str, list[str]]] = []

    def look(self, where: str, within: str = "") -> None:
        """Judge what is shown: dark on a screen, light on a telephone, and that nothing there is cut off."""
        for theme, (width, height) in SIZES.items():
            self._page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type] # one of two
            self._page.set_viewport_size({"width": width, "height": height})
            wrong = violations(self._page, self._source, within)
            if not self._page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
                wrong.append("wider than the window")
            if wrong:
                self.troubles.append((where, theme, wrong))


def test_every_page_is_for_everybody(found: Found, page: Page, console: str, installed: Platform) -> None:
    eventually("the call is a dead letter", lambda: "bill" in installed.ok("queue", "dead"))
    eventually("the rule fires", lambda: "firing" in installed.ok("alert", "list"))
    installed.ok("token", "create", "--role", "view", "--note", "Ada")
    everywhere = places(installed) | {
        BILL: "Body", "machine": "Memory", "machine/processes": "supervisor", "settings/tokens": "Ada",
        "settings/audit": "token.create", "deploy": "Meme machine", "deploy/code": "handler.py",
        "deploy/image": "Image", "deploy/archive": "Archive",
    }  # fmt: skip
    for place, shown in everywhere.items():
        page.goto("about:blank")
        page.goto(f"{console}/#/{place}")
        page.locator("main").get_by_text(shown).first.wait_for(state="attached")
        found.look(place)


def test_every_dialog_is_for_everybody_and_gives_the_keyboard_back(found: Found, page: Page, console: str) -> None:
    at = ""
    for opener, place in DIALOGS.items():
        page.set_viewport_size({"width": 1280, "height": 860})
        if place != at:
            page.goto("about:blank")
            page.goto(f"{console}/#/{place}")
            at = place
        button = page.get_by_role("button", name=opener).first
        button.focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        dialog.wait_for()
        assert dialog.evaluate("element => element.contains(document.activeElement)")
        assert dialog.evaluate("element => !!element.getAttribute('aria-labelledby')")
        found.look(f"{place}: {opener}", "dialog")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(button).to_be_focused()


def test_signing_in_answers_and_differences_are_for_everybody(
    found: Found, page: Page, window: Watched, console: str, installed: Platform
) -> None:
    call = json.loads(installed.ok("calls", "--failed", "--output", "json"))[0]["id"]
    page.goto(f"{console}/#/calls/{call}")
    page.get_by_role("button", name="Replay…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Change what is sent").check()
    found.look("a replay that is changed")
    dialog.get_by_role("button", name="Replay", exact=True).click()
    dialog.get_by_label("How the bodies differ").wait_for()
    found.look("how answers differ")
    page.keyboard.press("Escape")
    page.goto(f"{console}/#/{BILL}/revisions")
    page.get_by_role("button", name="What changed in revision 2").click()
    page.get_by_role("region", name="handler.py, changed").wait_for()
    found.look("how revisions differ")
    page.goto(f"{console}/#/settings/audit")
    page.get_by_role("button", name=re.compile("^Entry .*: namespace")).first.click()
    found.look("what an entry changed")
    page.goto(f"{console}/#/{BILL}")
    page.get_by_role("button", name="Invoke").click()
    page.get_by_role("region", name="Answer").get_by_label("Body of the answer").wait_for()
    found.look("an answer")
    page.get_by_role("button", name="Sign out").click()
    with window.refused():
        sign_in(page, "pas ça, ☂")
    expect(page.get_by_role("alert").filter(has_text="That name or password is not accepted.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Password")).to_be_focused()
    found.look("signing in")
    sign_in(page)
    page.get_by_role("button", name="Sign out").wait_for()


class Keys:
    """A keyboard, and no mouse."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def to(self, wanted: Locator) -> None:
        """Go there by Tab, and see where that is."""
        wanted.wait_for()
        if not wanted.evaluate(IS_AT):
            tab_to(self._page, wanted)

    def press(self, wanted: Locator, key: str = "Enter") -> None:
        self.to(wanted)
        self._page.keyboard.press(key)

    def write(self, wanted: Locator, text: str) -> None:
        self.to(wanted)
        self._page.keyboard.press("Control+A")
        self._page.keyboard.type(text)
        expect(wanted).to_have_value(text)

    def choose(self, wanted: Locator, text: str, value: str) -> None:
        """Choose from a list by the letters that a choice begins with."""
        self.to(wanted)
        self._page.keyboard.type(text)
        expect(wanted).to_have_value(value)


def test_a_function_is_deployed_edited_and_set_without_a_mouse(
    page: Page, window: Watched, installed: Platform
) -> None:
    keys = Keys(page)
    keys.press(page.get_by_role("link", name="Deploy new function").first)
    keys.press(page.get_by_role("link", name="From code"))
    keys.write(page.get_by_role("textbox", name="Name", exact=True), "typed")
    editor = page.get_by_role("textbox", name="handler.py", exact=True)
    retype(keys, page, editor, "def handle(event, context):\nreturn 'first'")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(editor).not_to_be_focused()
    keys.press(page.get_by_role("button", name="Deploy", exact=True))
    page.get_by_role("heading", name="typed", level=1).wait_for()
    keys.press(page.get_by_role("button", name="Invoke"))
    answer = page.get_by_role("region", name="Answer").get_by_label("Body of the answer")
    expect(answer).to_have_text("first")
    keys.press(page.get_by_role("link", name="Code", exact=True))
    retype(keys, page, editor, "def handle(event, context):\nreturn 'second'")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Revision 2", exact=True)).to_be_visible()
    keys.press(page.get_by_label("Parts of typed").get_by_role("link", name="Settings"))
    keys.write(page.get_by_label("Timeout"), "soon")
    with window.refused("400 (Bad Request)"):
        page.keyboard.press("Enter")
    refused = page.get_by_role("region", name="Limits").get_by_label("Timeout")
    expect(refused).to_be_focused()
    expect(refused).to_have_accessible_description(re.compile("soon"))
    keys.write(page.get_by_label("Timeout"), "7s")
    keys.press(page.get_by_role("button", name="Save and deploy"))
    expect(page.get_by_text("Nothing is changed.")).to_be_visible()
    assert installed.describe("typed")["spec"]["timeout"] == "7s"


def retype(keys: Keys, page: Page, editor: Locator, text: str) -> None:
    """Write a file anew."""
    keys.to(editor)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
    expect(editor).to_contain_text(text.rpartition("\n")[2])


def test_an_alert_is_watched_for_silenced_and_forgotten_without_a_mouse(page: Page) -> None:
    keys, dialog = Keys(page), page.get_by_role("dialog")
    keys.press(page.get_by_label("Main").get_by_role("link", name="Settings"))
    keys.press(page.get_by_label("Settings", exact=True).get_by_role("link", name="Alerts"))
    keys.press(page.get_by_role("button", name="Create a rule…"))
    keys.write(dialog.get_by_label("Name", exact=True), "by-hand")
    keys.choose(dialog.get_by_role("combobox", name="Watches"), "Pro", "promql")
    keys.write(dialog.get_by_role("textbox", name="Expression"), "vector(7)")
    keys.choose(dialog.get_by_role("combobox", name="Severity"), "cri", "critical")
    keys.press(dialog.get_by_role("button", name="Create"))
    alerts = page.get_by_role("region", name="Alerts")
    expect(row(alerts, "by-hand")).to_contain_text("firing")
    keys.press(page.get_by_role("button", name="Silence by-hand"))
    keys.write(dialog.get_by_label("Why"), "a test")
    keys.press(dialog.get_by_role("button", name="Silence", exact=True))
    expect(row(alerts, "by-hand")).to_contain_text("silenced")
    keys.press(page.get_by_role("button", name="Remove by-hand"))
    keys.press(dialog.get_by_role("button", name="Remove"))
    expect(page.get_by_role("region", name="Rules")).not_to_contain_text("by-hand")


def test_a_finger_on_a_telephone_finds_calls_and_goes_on(window: Watched, console: str, installed: Platform) -> None:
    assert window.context.browser is not None
    phone = window.context.browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, device_scale_factor=2
    )
    page = phone.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(console)
    page.get_by_role("textbox", name="Password").tap()
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").tap()
    main = page.get_by_label("Main")
    for section in ("Calls", "Settings", "Functions"):
        main.get_by_role("link", name=section, exact=True).tap()
        page.get_by_role("heading", name=section, level=1).wait_for()
        expect(main.get_by_role("link", name=section, exact=True)).to_be_in_viewport(ratio=1)
    page.get_by_label("Search by name").tap()
    page.get_by_label("Search by name").fill("bil")
    page.get_by_role("link", name="bill", exact=True).tap()
    page.get_by_role("heading", name="bill", level=1).wait_for()
    page.get_by_label("Path").fill("/touched")
    page.get_by_role("button", name="Invoke").tap()
    answer = page.get_by_role("region", name="Answer")
    expect(answer).to_be_in_viewport()
    expect(answer).to_contain_text("200")
    eventually("it was called", lambda: "/touched" in installed.ok("calls", "--output", "json"))
    parts = page.get_by_label("Parts of bill")
    parts.get_by_role("link", name="Settings").tap()
    page.get_by_role("heading", name="Limits").wait_for()
    page.reload()
    expect(parts.get_by_role("link", name="Settings")).to_be_in_viewport(ratio=0.95)
    expect(main.get_by_role("link", name="Functions")).to_be_in_viewport(ratio=0.95)
    page.goto(f"{console}/#/settings/audit")
    expect(main.get_by_role("link", name="Settings")).to_be_in_viewport(ratio=0.95)
    expect(page.get_by_role("link", name="Audit log")).to_be_in_viewport(ratio=0.95)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(TOO_SMALL) == []
    phone.close()
    assert errors == []


TOO_SMALL = """() => [...document.querySelectorAll("main button, header a, header button, nav.tabs a")]
    .filter(each => each.checkVisibility())
    .filter(each => Math.min(each.getBoundingClientRect().width, each.getBoundingClientRect().height) < 24)
    .map(each => each.outerHTML.slice(0, 100))"""
"""What a finger may miss: less than the 24 pixels that WCAG 2.2 asks for (2.5.8)."""
