"""The console's page in a real browser, on a real platform: what people do on it, and what functions cannot."""

import base64
import io
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from tests.system.browser import Watched, axe, chromium
from tests.system.conftest import end
from tests.system.driver import ROOT, Platform, eventually

PASSWORD = "a word to pass by"
SHOTS = ROOT / "docs/page" if os.environ.get("DAYFLY_TEST_SHOTS") else None
"""Where pictures for the documentation go, when they are wanted."""
ECHO = """\
import asyncio


async def handle(event, context):
    print("asked", event.method, event.path)
    if event.path == "/wait":
        await asyncio.sleep(50)
    return {"statusCode": 200, "headers": {"Content-Type": event.headers.get("content-type", "text/plain")},
            "body": event.body}
"""
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def installed() -> Iterator[Platform]:
    """A platform with a function that echoes, and one that means harm."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        platform = Platform(folder / "data", {"DAYFLY_ADMIN_PASSWORD": PASSWORD})
        try:
            platform.start()
            platform.deploy_function(folder / "echo", ECHO)
            platform.ok("deploy", "hostile", "--handler", str(Path(__file__).with_name("hostile")), "--lang", "python")
            yield platform
        finally:
            end(platform)


@pytest.fixture(scope="module")
def console(installed: Platform) -> str:
    """The console's address."""
    return str(installed.status()["console_url"])


@pytest.fixture(scope="module")
def window() -> Iterator[Watched]:
    """The one browser of all these tests."""
    with chromium() as context:
        yield Watched(context)


@pytest.fixture
def page(window: Watched, console: str) -> Iterator[Page]:
    """The page, signed in and at the list; no complaint and no foreign request is let pass."""
    page = window.page
    page.goto("about:blank")
    page.goto(console)
    asked = page.get_by_role("heading", name="Sign in")
    asked.or_(page.get_by_role("heading", name="Functions")).wait_for()
    if asked.is_visible():
        sign_in(page)
    page.get_by_role("heading", name="Functions").wait_for()
    yield page
    assert page.evaluate("window.pwned") is None
    page.goto("about:blank")
    assert window.errors == []
    assert window.hosts <= {re.sub("^http://", "", console)}


def sign_in(page: Page, password: str = PASSWORD) -> None:
    page.get_by_role("textbox", name="Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def open_function(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def invoke(page: Page, body: str = "", *, path: str = "/", kind: str = "Text") -> Locator:
    """Fill the form in, send it, and return where the answer is shown."""
    page.get_by_label("Path").fill(path)
    page.get_by_role("radio", name=kind, exact=True).and_(page.locator("[value=text], [value=json]")).first.check()
    page.get_by_role("textbox", name="Body").fill(body)
    before = page.get_by_label("Last tries").get_by_role("listitem").count()
    page.get_by_role("button", name="Invoke").click()
    expect(page.get_by_label("Last tries").get_by_role("listitem")).to_have_count(before + 1)
    return page.get_by_role("region", name="Answer")


def shot(page: Page, name: str) -> None:
    if SHOTS:
        SHOTS.mkdir(exist_ok=True)
        page.mouse.move(0, 0)
        page.wait_for_timeout(300)  # colours change within a tenth of a second, and a picture is no assertion
        Image.open(io.BytesIO(page.screenshot())).quantize(64).save(SHOTS / f"{name}.png", optimize=True)


def test_who_may_not_come_in_is_told_so_and_who_may_does(window: Watched, console: str) -> None:
    page = window.page
    page.goto(console)
    with window.refused():
        sign_in(page, "not this")
    expect(page.get_by_role("alert")).to_have_text("That name or password is not accepted.")
    sign_in(page)
    expect(page.get_by_role("link", name="echo", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="echo", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("[sessionStorage.length, document.cookie]") in ([0, ""], [1, ""])
    assert page.evaluate("sessionStorage.getItem('dayfly.authorization')") is None
    assert window.errors == []


def test_a_token_lets_in_and_the_page_offers_what_its_role_may(
    window: Watched, installed: Platform, console: str
) -> None:
    token = installed.ok("token", "create", "--role", "view").strip()
    page = window.page
    page.goto(console)
    page.get_by_role("radio", name="Token").check()
    page.get_by_role("textbox", name="Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="echo", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Deploy new function")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    assert window.errors == []


def test_who_may_only_call_functions_is_not_asked_to_look_at_them(
    window: Watched, installed: Platform, console: str
) -> None:
    made = json.loads(installed.ok("token", "create", "--role", "invoke", "--output", "json"))
    page = window.page
    page.goto(console)
    page.get_by_role("radio", name="Token").check()
    page.get_by_role("textbox", name="Token").fill(made["token"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Name", exact=True).fill("echo")
    page.get_by_role("button", name="Open").click()
    answer = invoke(page, "called")
    expect(answer.get_by_label("Body of the answer")).to_have_text("called")
    page.reload()
    expect(page.get_by_role("button", name="Invoke")).to_be_visible()
    assert window.errors == []
    installed.ok("token", "revoke", made["status"]["id"])
    with window.refused():
        page.get_by_role("button", name="Invoke").click()
    expect(page.get_by_role("alert")).to_have_text("Your credential is not accepted any more. Please sign in again.")


def test_a_function_is_selected_called_and_answers(page: Page) -> None:
    open_function(page, "echo")
    answer = invoke(page, "Hello, page")
    expect(answer.get_by_label("Body of the answer")).to_have_text("Hello, page")
    expect(answer).to_contain_text("200")
    assert re.search(r"\d ms", answer.inner_text())
    answer = invoke(page, '{"b":1.0,"a":[12345678901234567890,{}]}', kind="JSON")
    expected = '{\n  "b": 1.0,\n  "a": [\n    12345678901234567890,\n    {}\n  ]\n}'
    expect(answer.get_by_label("Body of the answer")).to_have_text(expected)
    shot(page, "invoke")
    page.get_by_label("Last tries").get_by_role("button").last.click()
    expect(answer.get_by_label("Body of the answer")).to_have_text("Hello, page")


def test_every_part_of_a_request_arrives(page: Page) -> None:
    open_function(page, "hostile")
    page.get_by_text("Query and headers").click()
    page.get_by_role("button", name="Add header").click()
    page.get_by_label("Header 1: name").fill("X-Mine")
    page.get_by_label("Header 1: value").fill("1")
    answer = invoke(page, path="/seen")
    body = answer.get_by_label("Body of the answer")
    expect(body).to_contain_text('"x-mine"')
    seen = json.loads(body.inner_text())
    assert "authorization" not in seen, "the credential of the page is none of the function's business"
    assert {"x-call-id", "content-type", "x-forwarded-for"} <= set(seen)
    page.get_by_label("Method").select_option("HEAD")
    page.get_by_label("Path").fill("/a b/\u00fc?x=1")
    page.get_by_text("Query and headers").wait_for()
    page.get_by_role("button", name="Add parameter").click()
    page.get_by_label("Parameter 1: name").fill("y z")
    page.get_by_label("Parameter 1: value").fill("&=")
    page.get_by_role("button", name="Invoke").click()
    expect(page.get_by_role("region", name="Answer")).to_contain_text("500")
    page.get_by_role("link", name="Logs").click()
    expect(page.get_by_role("log")).to_contain_text("KeyError: '/a b/\u00fc'")
    page.get_by_role("link", name="Invoke").click()
    page.get_by_label("Last tries").get_by_role("button").last.click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as curl").click()
    page.get_by_role("status").get_by_text("Copied").wait_for(state="attached")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(
        "curl -i -X POST -H 'X-Mine: 1' -H 'Content-Type: text/plain' --data-raw '' http://127.0.0.1:"
    )
    assert copied.endswith("/function/hostile/seen")


def test_a_call_that_takes_too_long_is_given_up(page: Page, installed: Platform) -> None:
    open_function(page, "echo")
    page.get_by_label("Path").fill("/wait")
    page.get_by_role("button", name="Invoke").click()
    eventually("the function is called", lambda: under_way(installed) == 1)
    page.get_by_role("button", name="Give up").click()
    expect(page.get_by_role("form").get_by_role("alert")).to_have_text("The call was given up.")
    eventually("nobody works on it any more", lambda: under_way(installed) == 0)


def test_a_meme_comes_as_a_file(page: Page, tmp_path: Path) -> None:
    """The walk-through of the book: the store, DEPLOY, the two lines of text, Download, Invoke."""
    page.get_by_role("link", name="Deploy new function").first.click()
    page.get_by_label("Search the store").fill("meme")
    expect(page.get_by_role("listitem")).to_have_count(1)
    page.get_by_label("Search the store").fill("")
    shot(page, "store")
    page.get_by_role("button", name="Meme machine").click()
    page.get_by_role("button", name="Deploy", exact=True).click()
    expect(page.get_by_role("heading", name="mememachine", level=1)).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Functions", exact=True).first.click()
    open_function(page, "mememachine")
    page.get_by_role("radio", name="Download").check()
    asked = {"image": picture(), "top": "CREATING A MEME", "bottom": "USING OPENFAAS"}
    with page.expect_download() as coming:
        invoke(page, json.dumps(asked), kind="JSON")
    assert coming.value.suggested_filename == "mememachine.jpg"
    coming.value.save_as(tmp_path / "meme.jpg")
    with Image.open(tmp_path / "meme.jpg") as meme:
        meme.load()
        assert (meme.format, meme.width) == ("JPEG", 800)
    page.get_by_role("radio", name="Automatic").check()
    shown = page.get_by_role("img", name="The function's answer")
    eventually("the picture is shown", lambda: shown.evaluate("image => image.naturalWidth") == 800)
    shot(page, "meme")


@pytest.mark.parametrize("path", ["/html", "/svg", "/js", "/json", "/type", "/html?refuse=1"])
def test_what_a_function_answers_is_no_page(page: Page, path: str) -> None:
    """Whatever it says that it is, and however it is shown (threat T4)."""
    open_function(page, "hostile")
    for shape in ("Automatic", "Text", "JSON", "Image"):
        page.get_by_role("radio", name=shape, exact=True).last.check()
        answer = invoke(page, path=path)
        expect(answer).to_contain_text("401" if "refuse" in path else "200")
    page.get_by_role("radio", name="Text", exact=True).last.check()
    expect(answer.get_by_label("Body of the answer")).to_contain_text("pwned")
    assert page.title() == "hostile · Dayfly"
    assert page.evaluate("sessionStorage.getItem('dayfly.authorization')").startswith("Basic ")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("link", name="Status").click()
    expect(page.get_by_role("heading", name="Now")).to_be_visible()


def test_nothing_of_a_function_opens_as_the_consoles_own(page: Page, window: Watched, console: str) -> None:
    """A picture in a tab of its own has no origin, and the address of a call is none that a link can lead to."""
    open_function(page, "hostile")
    invoke(page, path="/svg")
    address = page.get_by_role("img", name="The function's answer").get_attribute("src") or ""
    assert address.startswith("data:image/svg+xml;base64,")
    other = window.context.new_page()
    answer = other.goto(f"{console}/v1/namespaces/openfaas-fn/functions/hostile/invoke")
    assert answer is not None
    assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json")
    other.close()


def test_a_functions_own_page_gets_nothing_of_the_console(
    page: Page, window: Watched, installed: Platform, console: str
) -> None:
    calls = installed.describe("echo").get("invocations", 0)
    gateway = installed.status()["gateway_url"]
    other = window.context.new_page()
    other.goto(f"{gateway}/function/hostile/page#{console}")
    found: dict[str, Any] = other.evaluate("window.found")
    assert found.pop("storage") == "null"
    assert set(found.values()) == {"refused"}, found
    other.close()
    assert installed.describe("echo").get("invocations", 0) == calls
    assert page.evaluate("sessionStorage.getItem('dayfly.authorization')").startswith("Basic ")


def test_logs_come_by_themselves(page: Page, installed: Platform) -> None:
    open_function(page, "echo")
    page.get_by_role("link", name="Logs").click()
    log = page.get_by_role("log")
    assert installed.ask("GET", "/function/echo/first").status == 200
    expect(log).to_contain_text("asked GET /first")
    assert installed.ask("PUT", "/function/echo/second", b"").status == 200
    expect(log).to_contain_text("asked PUT /second")
    page.get_by_label("Search the log").fill("second")
    expect(log).not_to_contain_text("/first")
    page.get_by_label("Search the log").fill("")
    shot(page, "logs")


def test_a_function_is_scaled_and_removed(page: Page, installed: Platform) -> None:
    installed.ok("store", "deploy", "figlet", "--name", "short-lived")
    open_function(page, "short-lived")
    page.get_by_role("link", name="Status").click()
    page.get_by_label("Replicas", exact=True).and_(page.locator("input")).fill("2")
    page.get_by_role("button", name="Scale", exact=True).click()
    expect(page.get_by_text("2 of 2")).to_be_visible()
    page.get_by_role("button", name="Remove short-lived").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Remove short-lived").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("heading", name="Functions")).to_be_visible()
    expect(page.get_by_role("link", name="short-lived", exact=True)).to_have_count(0)
    assert "short-lived" not in installed.ok("list")


def test_an_image_is_deployed_by_its_name(page: Page, installed: Platform) -> None:
    page.get_by_role("link", name="Deploy new function").first.click()
    page.get_by_role("link", name="From an image").click()
    page.get_by_role("textbox", name="Image", exact=True).fill("functions/figlet")
    page.get_by_label("Name").first.fill("echo")
    expect(page.get_by_text("There is a function echo already; this becomes its next revision.")).to_be_visible()
    page.get_by_label("Name").first.fill("letters")
    page.get_by_role("button", name="Deploy", exact=True).click()
    expect(page.get_by_role("heading", name="letters", level=1)).to_be_visible(timeout=60_000)
    page.goto("about:blank")
    installed.ok("remove", "letters")


def test_the_keyboard_is_enough(window: Watched, console: str) -> None:
    """Sign in, find a function, call it, read the answer: with no mouse and no programmer's help."""
    page = window.page
    page.goto(console)
    page.evaluate("sessionStorage.clear()")
    page.reload()
    expect(page.get_by_role("textbox", name="Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="echo", exact=True)).to_be_visible()
    tab_to(page, page.get_by_role("link", name="echo", exact=True))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="echo", level=1).wait_for()
    expect(page.get_by_role("main")).to_be_focused()
    tab_to(page, page.get_by_role("textbox", name="Body"))
    page.keyboard.type("typed")
    tab_to(page, page.get_by_role("button", name="Invoke"))
    page.keyboard.press("Enter")
    answer = page.get_by_role("region", name="Answer").get_by_label("Body of the answer")
    expect(answer).to_have_text("typed")
    tab_to(page, answer)
    assert window.errors == []


def test_everybody_can_use_it(page: Page, console: str, tmp_path: Path) -> None:
    """No serious violation of the rules that axe knows, in light and dark, on a screen and a phone."""
    source = axe(tmp_path)
    places = ("#/functions", "#/functions/openfaas-fn/echo", "#/functions/openfaas-fn/echo/status",
              "#/functions/openfaas-fn/echo/logs", "#/deploy", "#/deploy/image")  # fmt: skip
    for theme, width in (("light", 1280), ("dark", 390)):
        page.set_viewport_size({"width": width, "height": 844})
        page.get_by_label("Colours").select_option(theme)
        for place in places:
            page.goto(f"{console}/{place}")
            page.wait_for_load_state("networkidle") if place == "#/deploy" else page.locator("h1").first.wait_for()
            page.evaluate(source)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            told = [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]
                    if one["impact"] in ("serious", "critical")]  # fmt: skip
            assert told == [], (place, theme)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (place, width)
        page.goto(f"{console}/{places[width < 500]}")
        page.get_by_role("link", name="echo").or_(page.get_by_role("button", name="Invoke")).first.wait_for()
        shot(page, "phone" if width < 500 else "functions")
    page.get_by_label("Colours").select_option("system")
    page.set_viewport_size({"width": 1280, "height": 860})


def under_way(installed: Platform) -> int:
    """How many calls the functions are at."""
    headers = {"Authorization": "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()}
    usage = installed.ask("GET", "/v1/namespaces/openfaas-fn/usage", headers=headers).json()
    return sum(each["inflight"] for each in usage["functions"])


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the element has the focus, which must be seen."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            assert wanted.evaluate("element => element.matches(':focus-visible')")
            return
    raise AssertionError(f"Tab does not lead to {wanted}")


def picture() -> str:
    """A small image as an address that holds it."""
    out = io.BytesIO()
    Image.new("RGB", (40, 20), "#336699").save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
