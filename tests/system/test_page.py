"""The console's page in a real browser, on a real platform: what people do on it, and what functions cannot."""

import base64
import hmac
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, Response, expect
from tests.system.browser import Watched, axe
from tests.system.conftest import started
from tests.system.console import PASSWORD, invoke, open_function, shot, sign_in, tab_to, write
from tests.system.driver import Platform, eventually

ECHO = """\
import asyncio


async def handle(event, context):
    print("asked", event.method, event.path)
    if event.path == "/many":
        print(*range(600), sep="\\n")
    if event.path == "/wait":
        await asyncio.sleep(50)
    return {"statusCode": 200, "headers": {"Content-Type": event.headers.get("content-type", "text/plain")},
            "body": event.body}
"""
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def installed() -> Iterator[Platform]:
    """A platform with a function that echoes, and one that means harm."""
    with started({"DAYFLY_ADMIN_PASSWORD": PASSWORD}) as (platform, folder):
        platform.deploy_function(folder / "echo", ECHO)
        platform.ok("deploy", "hostile", "--handler", str(Path(__file__).with_name("hostile")), "--lang", "python")
        yield platform


def test_who_may_not_come_in_is_told_so_and_who_may_does(window: Watched, console: str) -> None:
    page = window.page
    page.goto(console)
    with window.refused():
        sign_in(page, "not this")
    expect(page.get_by_role("alert").filter(has_text="That name or password is not accepted.")).to_be_visible()
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
    page.get_by_role("link", name="echo", exact=True).click()
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
    expect(page.get_by_label("Parts of echo").get_by_role("link", name="Invoke")).to_have_count(0)
    page.goto(f"{console}/#/deploy")
    expect(page.get_by_role("heading", name="Functions", level=1)).to_be_visible()
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
    expect(
        page.get_by_role("alert").filter(has_text="Your credential is not accepted any more. Please sign in again.")
    ).to_be_visible()


def test_who_may_only_ask_comes_to_the_questions(window: Watched, installed: Platform, console: str) -> None:
    token = installed.ok("token", "create", "--role", "query").strip()
    page = window.page
    page.goto(console)
    page.evaluate("sessionStorage.clear()")
    page.reload()
    page.get_by_role("radio", name="Token").check()
    page.get_by_role("textbox", name="Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Query", level=1)).to_be_visible()
    expect(page.get_by_label("Main").get_by_role("link")).to_have_text(["Query"])
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("region", name="What it found")).to_be_visible()
    page.goto(f"{console}/#/functions/openfaas-fn/echo")
    expect(page.get_by_role("heading", name="Query", level=1)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    assert window.errors == []


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
        "curl -i --globoff --path-as-is -X POST -H 'X-Mine: 1' -H 'Content-Type: text/plain' --data-raw '' http://127.0.0.1:"
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
    """Not even where the tab itself that is signed in is led to it: neither from the console nor from the API."""

    def listed() -> list[str]:
        """The functions, and how often the one that is aimed at was called."""
        rows = [line.split() for line in installed.ok("list").splitlines()[1:]]
        return [" ".join(row[:2]) if row[0] == "echo" else row[0] for row in rows]

    before = listed()
    gateway = installed.status()["gateway_url"]
    kept = page.evaluate("sessionStorage.getItem('dayfly.authorization')")
    there, here = f"{console}/v1/namespaces/openfaas-fn/functions/echo/invoke", f"{gateway}/system/functions"

    def form_to(address: str) -> Callable[[Response], bool]:
        return lambda answer: answer.url == address and answer.request.is_navigation_request()

    with (
        page.expect_console_message(
            lambda message: "frame-ancestors 'none'" in message.text and "/v1/" not in message.text
        ),
        page.expect_response(form_to(there)) as first,
        page.expect_response(form_to(here)) as second,
    ):
        page.goto(f"{gateway}/function/hostile/page#{console}")
    assert (first.value.status, second.value.status) == (403, 401)
    found: dict[str, Any] = page.evaluate("window.found")
    assert found.pop("storage") == "null"
    assert (found.pop("list here"), found.pop("deploy here")) == ("401", "401")
    assert set(found.values()) == {"refused"}, found
    with page.expect_popup() as coming:
        page.evaluate("window.other = window.open(location.hash.slice(1)), null")
    opened = coming.value
    opened.get_by_role("heading", name="Functions").or_(opened.get_by_role("heading", name="Sign in")).wait_for()
    assert page.evaluate("look(window.other)") == "refused"
    assert opened.evaluate("window.opener") is None
    opened.close()
    page.goto(console)
    assert page.evaluate("sessionStorage.getItem('dayfly.authorization')") == kept
    assert listed() == before
    window.errors.clear()  # the browser says of each refusal that there was one
    window.hosts.discard(gateway.removeprefix("http://"))


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


def test_the_list_is_live(page: Page, installed: Platform) -> None:
    """Calls, errors and new functions come into it by themselves, and what is sorted stays sorted."""
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="hostile", exact=True))
    assert installed.ask("GET", "/function/hostile/html").status == 200
    assert installed.ask("GET", "/function/hostile/nothing").status == 500
    expect(row.get_by_role("img", name=re.compile("calls in the last 30 minutes"))).to_be_visible()
    expect(row).to_contain_text(re.compile(r"[1-9][0-9.]* %"))
    page.get_by_role("button", name="Name").click()
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "descending")
    installed.ok("store", "deploy", "figlet", "--name", "aaa-late")
    expect(page.get_by_role("rowheader").last).to_contain_text("aaa-late")
    page.get_by_label("Search by name").fill("late")
    expect(page.get_by_role("rowheader")).to_have_count(1)
    page.get_by_label("Search by name").fill("")
    page.get_by_label("Namespace").select_option("openfaas-fn")
    installed.ok("remove", "aaa-late")
    expect(page.get_by_role("link", name="aaa-late", exact=True)).to_have_count(0)
    page.get_by_label("Namespace").select_option("all")
    expect(page.get_by_role("link", name="echo", exact=True)).to_be_visible()
    page.get_by_role("button", name="Name").click()


HOSTILE_TEXT = "</script><img src=x onerror=window.pwned=1>"


def test_a_function_is_written_edited_compared_and_rolled_back(page: Page) -> None:
    page.get_by_role("link", name="Deploy new function").first.click()
    page.get_by_role("link", name="From code").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("written")
    write(page, "handler.py", "def handle(event, context):\n    return 'first'\n")
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.get_by_role("heading", name="written", level=1).wait_for()
    expect(invoke(page).get_by_label("Body of the answer")).to_have_text("first")

    page.get_by_role("link", name="Code", exact=True).click()
    page.get_by_role("button", name="handler_test.py", exact=True).click()
    page.get_by_role("button", name="Remove handler_test.py").click()
    page.get_by_label("New file").fill("note<b>.txt")
    page.get_by_role("button", name="Add", exact=True).click()
    write(page, "note<b>.txt", HOSTILE_TEXT)
    page.get_by_role("button", name="handler.py", exact=False).first.click()
    write(page, "handler.py", f"def handle(event, context):\n    # {HOSTILE_TEXT}\n    return 'second'\n")
    shot(page, "code")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Revision 2", exact=True)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Invoke", exact=True).click()
    expect(invoke(page).get_by_label("Body of the answer")).to_have_text("second")

    page.get_by_role("link", name="Revisions").click()
    page.get_by_role("button", name="What changed in revision 2").click()
    changes = page.get_by_role("region", name="handler.py, changed")
    expect(changes.locator(".cm-deletedChunk")).to_contain_text("return 'first'")
    expect(changes.locator(".cm-content")).to_contain_text(HOSTILE_TEXT)
    expect(page.get_by_role("region", name="note<b>.txt, added")).to_contain_text(HOSTILE_TEXT)
    expect(page.get_by_role("region", name="handler_test.py, removed")).to_be_visible()
    shot(page, "changes")
    page.get_by_role("button", name="Roll back to revision 1").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back", exact=True).click()
    expect(page.get_by_role("row", name=re.compile("^1 serves"))).to_be_visible()
    page.get_by_role("link", name="Invoke", exact=True).click()
    expect(invoke(page).get_by_label("Body of the answer")).to_have_text("first")


def test_a_canary_gets_its_share_and_takes_over(page: Page, installed: Platform) -> None:
    open_function(page, "echo")
    page.get_by_role("link", name="Code", exact=True).click()
    write(page, "handler.py", ECHO + "\n# better\n")
    page.get_by_label("as a canary").check()
    page.get_by_label("% of the calls").fill("20")
    page.get_by_role("button", name="Deploy", exact=True).click()
    region = page.get_by_role("region", name=re.compile("^Canary"))
    expect(region.get_by_role("img")).to_have_attribute("aria-label", re.compile("gets 20 % of the calls"))
    page.get_by_label("Share of the calls").fill("60")
    page.get_by_role("button", name="Apply").click()
    expect(region.get_by_role("img")).to_have_attribute("aria-label", re.compile("gets 60 % of the calls"))
    for _ in range(10):
        assert installed.ask("POST", "/function/echo", b"x").status == 200
    expect(region.get_by_role("cell", name=re.compile("^[1-9]")).first).to_be_visible()
    shot(page, "canary")
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("somebody promoted it by hand")).to_be_visible()


def test_settings_are_changed_and_a_refusal_stands_at_its_field(
    page: Page, installed: Platform, window: Watched
) -> None:
    open_function(page, "written")
    page.get_by_role("navigation", name="Parts of written").get_by_role("link", name="Settings").click()
    page.get_by_label("Timeout").fill("soon")
    page.get_by_role("button", name="Save and deploy").click()
    expect(
        page.get_by_role("region", name="Limits").get_by_role("alert").filter(has_text="span of time")
    ).to_be_visible()
    assert [error for error in window.errors if "400" not in error] == []
    window.errors.clear()  # the browser says of each refusal that there was one
    shot(page, "settings")
    page.get_by_label("Timeout").fill("7s")
    page.get_by_role("button", name="Add variable").click()
    page.get_by_label("Variable 1: name").fill("WHO")
    page.get_by_label("Variable 1: value").fill(HOSTILE_TEXT)
    page.get_by_label("At most").fill("3")
    expect(page.get_by_text("Changed: env, labels, timeout")).to_be_visible()
    page.get_by_role("button", name="Save and deploy").click()
    expect(page.get_by_text("Nothing is changed.")).to_be_visible()
    spec = installed.describe("written")["spec"]
    assert (spec["timeout"], spec["env"], spec["labels"]) == (
        "7s", {"WHO": HOSTILE_TEXT}, {"com.openfaas.scale.max": "3"}
    )  # fmt: skip

    triggers = page.get_by_role("region", name="Triggers")
    triggers.get_by_role("button", name="Add trigger").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("often")
    create = form.get_by_role("button", name="Create")
    place = create.bounding_box()
    form.get_by_label("Schedule").fill("*/5 * * * *")
    expect(form.get_by_role("listitem")).to_have_count(5)
    assert create.bounding_box() == place, "what is told later moves nothing away under a pointer"
    form.get_by_label("Schedule").fill("*/5 * * *")
    expect(form.get_by_text("is no cron expression")).to_be_visible()
    assert create.bounding_box() == place
    form.get_by_label("Schedule").fill("*/5 * * * *")
    shot(page, "trigger-form")
    create.click()
    expect(triggers).to_contain_text("Clock */5 * * * *")
    triggers.get_by_role("button", name="Pause often").click()
    triggers.get_by_role("button", name="Resume often").click()
    expect(triggers.get_by_role("button", name="Pause often")).to_be_visible()
    triggers.get_by_role("button", name="Change often").click()
    form.get_by_label("Time zone").fill("Europe/Paris")
    form.get_by_role("radio", name="JSON (advanced)").check()
    expect(form.get_by_role("textbox", name="The trigger as JSON")).to_contain_text('"timezone": "Europe/Paris"')
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    triggers.get_by_role("button", name="Remove trigger often").click()
    form.get_by_role("button", name="Remove", exact=True).click()
    expect(triggers).to_contain_text("Nothing calls it by itself.")


def test_a_webhook_is_made_with_its_key_and_a_refusal_leaves_nothing(
    page: Page, installed: Platform, window: Watched
) -> None:
    page.goto(f"{page.url.split('#')[0]}#/functions/openfaas-fn/echo/settings")
    page.get_by_role("button", name="Add trigger").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("pushed")
    form.get_by_role("combobox", name="Source").select_option("Webhook")
    form.get_by_role("combobox", name="Secret").select_option("Write a new one…")
    form.get_by_role("button", name="Generate a key").click()
    key = form.get_by_label("What is in it").input_value()
    assert len(key) > 32
    form.get_by_label("Oldest signature").fill("soon")
    with window.refused("400 (Bad Request)"):
        form.get_by_role("button", name="Create").click()
    expect(form.get_by_label("Oldest signature")).to_have_accessible_description(re.compile("'soon' is not a span"))
    assert "pushed-webhook" not in installed.ok("secret", "list")
    form.get_by_label("Oldest signature").fill("")
    address = form.locator("code").filter(has_text="/hooks/").inner_text()
    form.get_by_role("button", name="Create").click()
    expect(page.get_by_role("region", name="Triggers")).to_contain_text("Webhook")
    signed = "sha256=" + hmac.new(key.encode(), b"pushed", "sha256").hexdigest()
    path = address.removeprefix(installed.status()["gateway_url"])
    assert installed.ask("POST", path, b"pushed").status == 401
    assert installed.ask("POST", path, b"pushed", headers={"X-Hub-Signature-256": signed}).status == 202


def test_a_route_is_made_with_a_key_and_changed(page: Page, installed: Platform, window: Watched) -> None:
    page.goto(f"{page.url.split('#')[0]}#/functions/openfaas-fn/echo/settings")
    routes = page.get_by_role("region", name="Routes")
    routes.get_by_role("button", name="Add route").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").first.fill("front")
    form.get_by_role("textbox", name="Path").fill("/system/*")
    form.get_by_role("combobox", name="Let in").select_option("Who has a key")
    form.get_by_role("combobox", name="Secret").select_option("Write a new one…")
    form.get_by_role("button", name="Generate a key").click()
    key = form.get_by_label("What is in it").input_value()
    with window.refused("400 (Bad Request)"):
        form.get_by_role("button", name="Create").click()
    expect(form.get_by_role("textbox", name="Path")).to_have_accessible_description(re.compile("the platform's own"))
    expect(form.get_by_role("textbox", name="Path")).to_be_focused()
    expect(form.get_by_role("textbox", name="Path")).to_be_in_viewport()
    shot(page, "route-form")
    form.get_by_role("textbox", name="Path").fill("/front/*")
    form.get_by_label("without the part before the *").check()
    form.get_by_role("checkbox", name="POST").check()
    form.get_by_role("button", name="Create").click()
    expect(routes).to_contain_text("POST /front/* · key")
    let_in = {"X-Api-Key": key}
    assert installed.ask("POST", "/front/x", b"through").status == 401
    assert installed.ask("POST", "/front/x", b"through", headers=let_in).body == b"through"
    routes.get_by_role("button", name="Change front").click()
    form.get_by_role("checkbox", name="POST").uncheck()
    form.get_by_role("checkbox", name="PUT").check()
    form.get_by_role("radio", name="JSON (advanced)").check()
    text = form.get_by_role("textbox", name="The route as JSON")
    expect(text).to_contain_text('"PUT"')
    text.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("{")
    form.get_by_role("radio", name="Form").click()
    expect(form.get_by_text("This is not JSON")).to_be_visible()
    expect(form.get_by_role("radio", name="JSON (advanced)")).to_be_checked()
    text.click()
    page.keyboard.press("Control+z")
    form.get_by_role("radio", name="Form").check()
    expect(form.get_by_role("checkbox", name="PUT")).to_be_checked()
    form.get_by_role("button", name="Save").click()
    expect(routes).to_contain_text("PUT /front/* · key")
    assert installed.ask("POST", "/front/x", b"", headers=let_in).status == 405


def test_an_archive_is_opened_and_deployed(page: Page) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        code = f"def handle(event, context):\n    return {{'a': [1, {{'b': {HOSTILE_TEXT!r}}}]}}\n"
        archive.writestr("packed/handler.py", code)
        archive.writestr("packed/data/picture.bin", bytes(range(256)))
    page.get_by_role("link", name="Deploy new function").first.click()
    page.get_by_role("link", name="From an archive").click()
    sent = {"name": "Packed Function.zip", "mimeType": "application/zip", "buffer": held.getvalue()}
    page.get_by_label("Archive of the handler's folder").set_input_files(sent)  # type: ignore[arg-type] # a FilePayload
    expect(page.get_by_text("data/picture.bin")).to_be_visible()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("packed-function")
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.get_by_role("heading", name="packed-function", level=1).wait_for()
    answer = invoke(page)
    answer.get_by_label("As a tree").check()
    tree = answer.get_by_role("region", name="Body of the answer")
    tree.get_by_text("1: {1}").click()
    expect(tree).to_contain_text(f'b: "{HOSTILE_TEXT}"')
    tree.get_by_text("a: [2]").click()
    expect(tree).not_to_contain_text(HOSTILE_TEXT)
    answer.get_by_label("As a tree").uncheck()


def test_a_build_that_fails_says_why(page: Page) -> None:
    page.get_by_role("link", name="Deploy new function").first.click()
    page.get_by_role("link", name="From code").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("never")
    write(page, "handler.py", "import nothing_of_this_name\n")
    page.get_by_role("button", name="Deploy", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("nothing_of_this_name")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(page.get_by_role("textbox", name="handler.py")).to_contain_text("import nothing_of_this_name")


def test_charts_show_what_was_measured(page: Page, installed: Platform) -> None:
    open_function(page, "echo")
    page.get_by_role("link", name="Charts").click()
    memory = page.get_by_role("region", name="Memory", exact=True)
    assert installed.ask("POST", "/function/echo", b"x").status == 200
    expect(memory.get_by_role("listitem")).to_contain_text(re.compile("MiB"))
    page.get_by_label("Time").select_option("last 15 minutes")
    plot = memory.get_by_role("img")
    plot.focus()
    page.keyboard.press("End")
    expect(memory.get_by_role("status")).to_contain_text("memory")
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.98, box["y"] + 60, steps=4)
    page.mouse.up()
    expect(page.get_by_label("Time").locator("option:checked")).to_have_text("a piece of it")
    page.get_by_role("button", name="Back to now").click()
    expect(page.get_by_label("Time").locator("option:checked")).to_have_text("last 15 minutes")
    memory.get_by_role("button", name="Table of Memory").click()
    expect(memory.get_by_role("table").get_by_role("row").nth(1)).to_be_visible()


def test_charts_ask_as_often_as_they_say_and_no_more(window: Watched, installed: Platform, console: str) -> None:
    """By a clock that only the test moves on: an answer is no reason to ask at once again."""
    assert installed.ask("POST", "/function/echo", b"x").status == 200
    assert window.context.browser is not None
    other = window.context.browser.new_context()
    charts = other.new_page()
    charts.clock.install()
    asked: list[str] = []
    charts.on("request", lambda request: asked.append(request.url) if "/query_range" in request.url else None)
    charts.goto(f"{console}/#/functions/openfaas-fn/echo/charts")
    sign_in(charts)
    busy = charts.locator(".chart[aria-busy=true]")
    charts.locator(".chart").last.wait_for()
    charts.clock.run_for(100)
    expect(busy).to_have_count(0)
    before = len(asked)
    charts.clock.run_for(5000)
    expect(busy).to_have_count(0)
    assert len(asked) == before
    charts.clock.run_for(60_000)
    eventually("all have asked again", lambda: len(asked) >= 2 * before)
    other.close()


def test_old_lines_of_the_log_are_searched(page: Page, installed: Platform) -> None:
    assert installed.ask("GET", "/function/echo/%3Cimg%20onerror=window.pwned=1%20src=x%3E").status == 200
    open_function(page, "echo")
    page.get_by_role("link", name="Logs").click()
    page.get_by_label("Lines of").select_option("the last hour")
    found = page.get_by_role("region", name="Lines found")
    expect(found).to_contain_text("<img onerror=window.pwned=1 src=x>")
    page.get_by_label("Search the log").fill("ONERROR")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("1 line", exact=True)).to_be_visible()
    expect(found.locator("mark")).to_have_text("onerror")
    assert installed.ask("GET", "/function/echo/Caf%C3%A9-cre%CC%80me").status == 200
    page.get_by_label("Search the log").fill("cafe CRÈME -nothing")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(found.locator("mark")).to_have_text(["Café", "cre\u0300me"])
    # A caller's own id is a word like any other.
    mine = {"X-Call-Id": "order-42"}
    assert installed.ask("GET", "/function/echo/mine", headers=mine).headers["x-call-id"] == "order-42"
    page.get_by_label("Search the log").fill("")
    page.get_by_label("Call", exact=True).fill("order-42")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("1 line", exact=True)).to_be_visible()
    expect(found).to_contain_text("asked GET /mine")


def test_a_line_that_is_no_longer_on_the_page_is_found(page: Page, window: Watched, installed: Platform) -> None:
    call = installed.ask("GET", "/function/echo/needle").headers["x-call-id"]
    assert installed.ask("GET", "/function/echo/many").status == 200
    open_function(page, "echo")
    page.get_by_role("link", name="Logs").click()
    log, found = page.get_by_role("log"), page.get_by_role("region", name="Lines found")
    expect(log).to_contain_text("599")
    page.get_by_label("Search the log").fill("needle")
    expect(log).to_contain_text("None of the 500 newest lines has “needle” in it.")
    page.get_by_role("button", name="Search all that is kept").click()
    expect(found.locator("mark")).to_have_text("needle")
    page.get_by_label("Search the log").fill(call)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("1 line", exact=True)).to_be_visible()
    expect(found).to_contain_text("asked GET /needle")
    page.get_by_label("Search the log").fill("")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("500 lines; there are older ones")).to_be_visible()
    expect(found).not_to_contain_text("/needle")
    found.get_by_role("button", name="Older lines").click()
    expect(found).to_contain_text("asked GET /needle")
    expect(found).to_contain_text("599")
    page.get_by_label("Lines of").select_option("between two times")
    page.get_by_label("To", exact=True).fill("2020-01-01T00:00:00")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(found).to_contain_text("No line is found.")
    page.get_by_label("Search the log").fill('"half')
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("a quotation mark is left open")).to_be_visible()
    assert "400" in window.errors.pop()  # the browser says of each refusal that there was one
    page.get_by_label("Lines of").select_option("now and to come")
    page.get_by_label("Search the log").fill("")
    expect(log).to_contain_text("599")


def test_an_image_is_deployed_by_its_name(page: Page, installed: Platform) -> None:
    page.get_by_role("link", name="Deploy new function").first.click()
    page.get_by_role("link", name="From an image").click()
    page.get_by_role("textbox", name="Image", exact=True).fill("functions/figlet")
    page.get_by_label("Name").first.fill("echo")
    expect(page.get_by_text("There is a function echo already; this becomes its next revision.")).to_be_visible()
    page.get_by_label("Name").first.fill("letters")
    page.get_by_role("button", name="Deploy", exact=True).click()
    expect(page.get_by_role("heading", name="letters", level=1)).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Functions", exact=True).first.click()
    page.get_by_role("heading", name="Functions", level=1).wait_for()
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
    parts = ("", "/status", "/code", "/revisions", "/logs", "/charts", "/settings")
    places = ("#/functions", *(f"#/functions/openfaas-fn/echo{part}" for part in parts), "#/deploy", "#/deploy/code",
              "#/deploy/image", "#/deploy/archive")  # fmt: skip
    for theme, width in (("light", 1280), ("dark", 390)):
        page.set_viewport_size({"width": width, "height": 844})
        page.get_by_label("Colours").select_option(theme)
        for place in places:
            page.goto(f"{console}/{place}")
            page.wait_for_load_state("networkidle") if place == "#/deploy" else page.locator("h1").first.wait_for()
            if place.endswith("/code"):
                page.locator(".cm-content").wait_for()
            if place.endswith("/settings"):
                page.get_by_role("heading", name="Scaling").wait_for()
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


def picture() -> str:
    """A small image as an address that holds it."""
    out = io.BytesIO()
    Image.new("RGB", (40, 20), "#336699").save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
