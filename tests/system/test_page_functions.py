"""What a function's own pages show and send, in a real browser: each line of its log, each kind of body, each chart."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.system.browser import Watched
from tests.system.conftest import started
from tests.system.console import PASSWORD, invoke, open_function
from tests.system.driver import Platform, eventually, kill

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
    seen = {name: event.headers.get(name) for name in ("content-type", "x-mine", "x-empty")}
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"},
            "body": {"method": event.method, "path": event.path, "query": dict(event.query), "headers": seen,
                     "body": event.body.decode("latin-1")}}
"""
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
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as curl").click()
    page.get_by_role("status").get_by_text("Copied").wait_for(state="attached")
    copied = page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(["sh", "-c", copied], capture_output=True, text=True, timeout=60, check=True)
    head, _, body = done.stdout.partition("\n\n")
    assert head.startswith("HTTP/1.1 200 "), copied
    assert json.loads(body) == seen, copied
