"""What a function's own pages show and send, in a real browser: each line of its log, each kind of body, each chart."""

import base64
import json
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.system.browser import Watched
from tests.system.conftest import started
from tests.system.console import PASSWORD, invoke, open_function
from tests.system.driver import Platform, eventually, kill

from dayfly.catalog.listing import items

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAFUlEQVR4nGM0TpvJwMDAwMDAxAADABVaATaYsE7nAAAAAElFTkSuQmCC"
)
"""Three dots wide."""
TELLER = """\
import asyncio
import os


async def handle(event, context):
    if event.path == "/long":
        print("x" * 40_000)
    for number in range(int(event.query.get("lines", "0"))):
        print(event.query["call"], number)
        await asyncio.sleep(0)
    if event.path.startswith("/stamped"):
        os.write(1, b"\\x1eo%x \\x1f%s\\n" % (int(event.query["ns"]), event.path.encode()))
    if event.path == "/picture":
        return {"statusCode": 200, "headers": {"Content-Type": "image/png", "X-Note": "<b>"},
                "body": bytes.fromhex("HEX")}
    if event.path == "/words":
        return {"statusCode": 201, "headers": {"Content-Type": "text/plain",
                "Content-Disposition": 'attachment; filename="words.csv"'}, "body": "no, JSON\\n"}
    seen = {name: event.headers.get(name) for name in ("content-type", "x-mine", "x-empty")}
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"},
            "body": {"method": event.method, "path": event.path, "query": dict(event.query), "headers": seen,
                     "body": event.body.decode("latin-1")}}
""".replace("HEX", PICTURE.hex())
LINES = 150
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def installed() -> Iterator[Platform]:
    """A platform with a function that tells what it is asked, twice."""
    with started({"DAYFLY_ADMIN_PASSWORD": PASSWORD}) as (platform, folder):
        platform.deploy_function(folder / "teller", TELLER, "--label", "com.openfaas.scale.min=2")
        eventually("both replicas are there", lambda: platform.describe("teller")["ready_replicas"] == 2)
        yield platform


def test_no_line_is_missing_and_none_comes_twice(page: Page, window: Watched, installed: Platform) -> None:
    """Replicas stamp their lines each by itself, pieces of a long line have one time, and a late line is old."""
    open_function(page, "teller")
    page.get_by_role("link", name="Logs").click()
    log = page.get_by_role("log")
    expect(log).to_be_visible()
    tell(installed, "first")
    assert installed.ask("GET", "/function/teller/long").status == 200
    expect(log).to_contain_text("x" * 100)
    expect(log.locator(".text")).to_have_text(told(installed))
    assert len({line["replica"] for line in lines_of(installed)}) == 2
    now = time.time_ns()
    for number, ns in enumerate((now, now, now - 10**9, now)):
        assert installed.ask("GET", f"/function/teller/stamped/{number}?ns={ns}").status == 200
        expect(log).to_contain_text(f"/stamped/{number}")
    expect(log.locator(".text")).to_have_text(told(installed))  # which are in the file from now on
    cut_off(installed, "meanwhile")
    expect(log.locator(".text")).to_have_text(told(installed))
    expect(page.get_by_role("alert").filter(has_text=re.compile("."))).to_have_count(0)
    tell(installed, "then")
    expect(log.locator(".text")).to_have_text(told(installed))
    forgive(window)


def test_a_replicas_log_goes_on_where_it_was_cut_off(page: Page, window: Watched, installed: Platform) -> None:
    """As the page that looks at the machine shows it, be it held still or not."""
    tell(installed, "before")
    replica = lines_of(installed)[-1]["replica"]
    page.get_by_label("Main").get_by_role("link", name="Machine", exact=True).click()
    page.get_by_label("Machine", exact=True).get_by_role("link", name=re.compile("^Replicas")).click()
    page.get_by_role("button", name=f"Follow the log of {replica}").click()
    dialog = page.get_by_role("dialog")
    texts, pause = dialog.get_by_role("log").locator(".text"), dialog.get_by_role("button", name="Pause")
    begun = told(installed, replica)[-200:]
    expect(texts).to_have_text(begun)
    cut_off(installed, "away")
    kept = begun + news(installed, replica, begun)
    expect(texts).to_have_text(kept)
    expect(dialog.get_by_role("alert")).to_have_text("")
    pause.click()
    tell(installed, "held")
    waiting = len(news(installed, replica, kept))
    expect(dialog.get_by_role("status").last).to_have_text(f"Paused; {waiting} new lines wait.")
    cut_off(installed, "held-away")
    waiting = len(news(installed, replica, kept))
    expect(dialog.get_by_role("status").last).to_have_text(f"Paused; {waiting:,} new lines wait.")
    pause.click()
    expect(texts).to_have_text(kept + news(installed, replica, kept))
    forgive(window)
    dialog.get_by_role("button", name="Close").click()


def cut_off(installed: Platform, name: str) -> None:
    """End whatever the page follows, and have more printed meanwhile than it had at first."""
    kill(installed.pids("control")[0])
    tell(installed, name, 2 * LINES)
    eventually("the control plane is back", lambda: installed.ask("GET", "/healthz").status == 200)


def forgive(window: Watched) -> None:
    """Let the browser have said that a stream broke off, and nothing else."""
    assert [error for error in window.errors if not re.search("net::ERR|50[0-9]", error)] == []
    window.errors.clear()


def tell(installed: Platform, name: str, lines: int = LINES) -> None:
    """Have both replicas print at a time."""
    with ThreadPoolExecutor(2) as pool:
        asked = [f"/function/teller/?lines={lines}&call={name}-{number}" for number in (1, 2)]
        assert [reply.status for reply in pool.map(lambda path: installed.ask("GET", path), asked)] == [200, 200]


def lines_of(installed: Platform) -> list[dict[str, Any]]:
    """What the function printed, as the platform has it."""
    return [json.loads(line) for line in installed.ok("logs", "teller", "--output", "json").splitlines()]


def told(installed: Platform, replica: str = "") -> list[str]:
    """What was printed, by one replica if it is named."""
    return [line["text"] for line in lines_of(installed) if replica in ("", line["replica"])]


def news(installed: Platform, replica: str, seen: list[str]) -> list[str]:
    """What a replica printed after the last that was `seen`."""
    texts = told(installed, replica)
    return texts[len(texts) - texts[::-1].index(seen[-1]) :]


NASTY = "/a/../b/./[1-3]/{x,y}/%2e%2E/~'$HOME`id`!&;|^\\*()"


def test_what_is_copied_as_curl_is_the_same_call(page: Page) -> None:
    """The line is run by a shell, as whoever pastes it runs it."""
    open_function(page, "teller")
    page.get_by_label("Method").select_option("Other…")
    page.get_by_label("Its name").fill("m-search")
    page.get_by_text("Query and headers").click()
    page.get_by_role("button", name="Add parameter").click()
    page.get_by_label("Parameter 1: name").fill("a[]")
    page.get_by_label("Parameter 1: value").fill("{1} & 'two'")
    page.get_by_role("button", name="Add header").click()
    page.get_by_label("Header 1: name").fill("X-Mine")
    page.get_by_label("Header 1: value").fill('it\'s "so" $(id) \\')
    page.get_by_role("button", name="Add header").click()
    page.get_by_label("Header 2: name").fill("X-Empty")
    answer = invoke(page, "@it's\n'quoted' $HOME `id` \\ !\n", path=NASTY)
    seen = json.loads(answer.get_by_label("Body of the answer").inner_text())
    assert (seen["method"], seen["body"]) == ("M-SEARCH", "@it's\n'quoted' $HOME `id` \\ !\n")
    status, body = copied_and_run(page, Path("/"))
    assert (status, json.loads(body)) == (200, seen)


def copied_and_run(page: Page, folder: Path) -> tuple[int, str]:
    """Copy the call as curl and have a shell in the folder run it; return the answer's status and its body."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('')")
    page.get_by_role("form").get_by_role("button", name=re.compile("^(Copy as curl|Copied)$")).click()
    eventually("it is copied", lambda: page.evaluate("navigator.clipboard.readText()"))
    copied = page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(["sh", "-c", copied], cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    head, _, body = done.stdout.partition("\n\n")
    assert head.startswith("HTTP/1.1 "), copied
    return int(head.split()[1]), body


def choose(page: Page, legend: str, choice: str) -> None:
    page.get_by_role("group", name=legend).get_by_role("radio", name=choice, exact=True).check()


def send(page: Page) -> Locator:
    """Send the form as it is, and return where the answer's body is shown."""
    with page.expect_response(re.compile("/invoke$")):
        page.get_by_role("button", name="Invoke").click()
    expect(page.get_by_role("button", name="Invoke")).to_be_enabled()
    return page.get_by_role("region", name="Answer").get_by_label("Body of the answer")


def test_a_form_and_a_file_arrive_as_they_are(page: Page, tmp_path: Path) -> None:
    open_function(page, "teller")
    choose(page, "Request body", "Form")
    for number, (name, value) in enumerate((("a b", "1&2=3"), ("\u00fc", "'\u00e9'")), 1):
        page.get_by_role("button", name="Add field").click()
        page.get_by_label(f"Field {number}: name").fill(name)
        page.get_by_label(f"Field {number}: value").fill(value)
    seen = json.loads(send(page).inner_text())
    assert seen["body"] == "a+b=1%262%3D3&%C3%BC=%27%C3%A9%27"
    assert seen["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert json.loads(copied_and_run(page, tmp_path)[1]) == seen
    held = tmp_path / "it's a file.bin"
    held.write_bytes(bytes(range(256)))
    choose(page, "Request body", "File")
    page.locator("[type=file]").set_input_files(held)
    seen = json.loads(send(page).inner_text())
    assert seen["body"].encode("latin-1") == held.read_bytes()
    assert seen["headers"]["content-type"] == "application/octet-stream"
    assert json.loads(copied_and_run(page, tmp_path)[1]) == seen


def test_every_method_path_and_query_is_the_same_by_curl(page: Page, tmp_path: Path) -> None:
    open_function(page, "teller")
    choose(page, "Request body", "Text")
    page.get_by_role("textbox", name="Body").fill("")
    page.get_by_text("Query and headers").click()
    page.get_by_role("button", name="Add parameter").click()
    page.get_by_label("Parameter 1: name").fill("q")
    page.get_by_label("Parameter 1: value").fill("1 2")
    page.get_by_role("button", name="Add header").click()
    page.get_by_label("Header 1: name").fill("X-Mine")
    page.get_by_label("Path").fill("/a/b?c=d")
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
        page.get_by_label("Method").select_option(method)
        page.get_by_label("Header 1: value").fill(method)
        seen = json.loads(send(page).inner_text())
        assert (seen["method"], seen["path"], seen["query"]) == (method, "/a/b", {"c": "d", "q": "1 2"})
        assert seen["headers"]["x-mine"] == method
        assert json.loads(copied_and_run(page, tmp_path)[1]) == seen
    page.get_by_label("Method").select_option("HEAD")
    expect(send(page)).to_have_text(re.compile("^(This is not JSON.)?$"))
    assert copied_and_run(page, tmp_path) == (200, "")


def test_an_answer_is_shown_as_somebody_wants_it(page: Page) -> None:
    open_function(page, "teller")
    answer = page.get_by_role("region", name="Answer")
    page.get_by_label("Path").fill("/picture")
    page.get_by_role("button", name="Invoke").click()
    shown = answer.get_by_role("img", name="The function's answer")
    eventually("the picture is shown", lambda: shown.evaluate("image => image.naturalWidth") == 3)
    answer.get_by_text("Headers (").click()
    expect(answer.locator("dl")).to_contain_text("<b>")
    choose(page, "Show the answer as", "Download")
    expect(answer).to_contain_text(f"a file of {len(PICTURE)} B")
    with page.expect_download() as coming:
        page.get_by_role("button", name="Invoke").click()
    assert (coming.value.suggested_filename, coming.value.path().read_bytes()) == ("teller.png", PICTURE)
    page.get_by_label("Path").fill("/words")
    with page.expect_download() as coming:
        page.get_by_role("button", name="Invoke").click()
    assert (coming.value.suggested_filename, coming.value.path().read_text()) == ("words.csv", "no, JSON\n")
    expect(answer).to_contain_text("201")
    for shape, hint in (("Image", "This is no image that can be shown."), ("JSON", "This is not JSON."), ("Text", "")):
        choose(page, "Show the answer as", shape)
        expect(answer.get_by_label("Body of the answer")).to_have_text("no, JSON\n")
        expect(answer.locator(".hint")).to_have_text([hint] if hint else [])
    with page.expect_download() as coming:
        answer.get_by_role("button", name="Download").click()
    assert coming.value.path().read_text() == "no, JSON\n"


def test_the_last_tries_are_there_to_go_on_from(page: Page, installed: Platform) -> None:
    installed.ok("store", "deploy", "figlet")
    open_function(page, "teller")
    page.get_by_label("Path").fill("/")
    for number in range(21):
        page.get_by_role("textbox", name="Body").fill(f"try {number}")
        send(page)
    tries = page.get_by_label("Last tries").get_by_role("listitem")
    page.get_by_role("link", name="Status", exact=True).click()
    page.get_by_role("heading", name="Now").wait_for()
    page.get_by_role("link", name="Invoke", exact=True).click()
    expect(tries).to_have_count(20)
    expect(page.get_by_role("textbox", name="Body")).to_have_value("try 20")
    tries.last.get_by_role("button").click()
    expect(page.get_by_role("textbox", name="Body")).to_have_value("try 1")
    answer = page.get_by_role("region", name="Answer").get_by_label("Body of the answer")
    assert json.loads(answer.inner_text())["body"] == "try 1"
    # Another function has its own, and what to send that the store says of it.
    page.get_by_label("Where you are").get_by_role("link", name="Functions").click()
    open_function(page, "figlet")
    expect(tries).to_have_count(0)
    page.get_by_role("button", name="Fill in the sample").click()
    sample = page.get_by_role("textbox", name="Body").input_value()
    (body,) = [each.sample.body for each in items() if each.name == "figlet"]
    assert sample == body != ""
    expect(send(page)).to_have_text(installed.ask("POST", "/function/figlet", sample.encode()).body.decode())
