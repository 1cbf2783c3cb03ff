"""The console's page with a thousand functions in its list, in Debian's Chromium, signed in.

What comes over the wire for the first load, when the browser paints first, when the list can be read, and what the
control plane spends on somebody who keeps the list open.
"""

import contextlib
import time
from collections.abc import Iterator

import msgspec
from playwright.sync_api import Error, Page, sync_playwright

from bench import budgets
from bench.book import Lab
from bench.figures import Spread
from bench.instance import Dayfly
from bench.processes import cpu, name, tree
from bench.programs import ProgramFailed
from bench.registering import register

_FUNCTIONS = 1000
_PASSWORD = "a word to pass by"
_WATCHED_S = 20
_WAIT_MS = 60_000
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
_TIMES = """async () => {
  while (window.listed === undefined) await new Promise(requestAnimationFrame);
  const { startTime } = performance.getEntriesByName("first-contentful-paint")[0];
  const parts = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  const page = parts.filter(({ name }) => !name.includes("/v1/"));
  const wire = page.reduce((sum, { transferSize }) => sum + transferSize, 0);
  return { paint_ms: startTime, wire_bytes: wire, list_ms: window.listed };
}"""
# The moment at which the list is in the document, told by the browser and not by who waits for it.
_WATCH = """new MutationObserver((_, watcher) => {
  if (document.querySelectorAll("main tbody tr").length < 2) return;
  watcher.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.listed = performance.now(); }));
}).observe(document, { childList: true, subtree: true });"""


class _Load(msgspec.Struct):
    paint_ms: float
    wire_bytes: int
    list_ms: float


def measure(lab: Lab) -> None:
    """Measure the group."""
    dayfly = Dayfly(lab, settings={"DAYFLY_ADMIN_PASSWORD": _PASSWORD})
    try:
        dayfly.start()
        dayfly.deploy("sleeper", "noop")
        dayfly.put_to_sleep(["sleeper"])
        dayfly.stop()
        register(dayfly, "sleeper", _FUNCTIONS)
        dayfly.start()
        _open(lab, dayfly)
    finally:
        dayfly.stop()


def _open(lab: Lab, dayfly: Dayfly) -> None:
    with sync_playwright() as playwright, _told():
        browser = playwright.chromium.launch(executable_path=lab.tools.need("chromium"), args=list(_FLAGS))
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.set_default_timeout(_WAIT_MS)
            page.add_init_script(_WATCH)
            page.goto(dayfly.console_url)
            page.get_by_role("textbox", name="Password").fill(_PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            _wait_for_list(page)
            loads = [_load(lab, page, number) for number in range(lab.plan.rounds)]
            _write(lab, loads)
            lab.say(f"the list is open for {_WATCHED_S} s")
            pid = _control(dayfly)
            before = cpu(pid)
            time.sleep(_WATCHED_S)
            after = cpu(pid)
            spent_ms = (after.user + after.system - before.user - before.system) * 1000
            lab.figure("the control plane while the list is open", Spread((spent_ms / _WATCHED_S,)), "ms a second")
        finally:
            browser.close()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say of what the browser did not do that it is a program's failure."""
    try:
        yield
    except Error as failed:
        raise ProgramFailed(f"chromium: {failed.message}") from failed


def _control(dayfly: Dayfly) -> int:
    for pid in tree(dayfly.pid):
        if "control" in name(pid):
            return pid
    raise ProgramFailed("no process of the control plane was found")


def _load(lab: Lab, page: Page, number: int) -> _Load:
    lab.say(f"load {number + 1}/{lab.plan.rounds} of the page")
    page.reload()
    _wait_for_list(page)
    return msgspec.convert(page.evaluate(_TIMES), _Load)


def _wait_for_list(page: Page) -> None:
    page.locator("main tbody tr").nth(1).wait_for()


def _write(lab: Lab, loads: list[_Load]) -> None:
    wire = Spread(tuple(load.wire_bytes / 1024 for load in loads))
    lab.figure("first load over the wire", wire, "KiB", budget=budgets.PAGE_KIB)
    note = f"{_FUNCTIONS:,} functions"
    paints, lists = (Spread(tuple(getattr(load, name) for load in loads)) for name in ("paint_ms", "list_ms"))
    lab.figure("first contentful paint", paints, "ms", budget=budgets.PAGE_PAINT_MS, note=note)
    lab.figure("the list can be read", lists, "ms", budget=budgets.PAGE_PAINT_MS, note=note)
