"""Debian's Chromium on a page of the platform: what it asks for and complains of is kept, for a test to judge."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright
from tests.system import still_network
from tests.system.driver import ROOT

PROGRAM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WAIT_MS = 60_000
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH")


class Watched:
    """A browser's first window, and what it did; other windows are not listened to."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self.addresses: set[str] = set()
        context.set_default_timeout(WAIT_MS)
        self.page: Page = context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._request)

    @contextmanager
    def refused(self, status: str = "401 (Unauthorized)") -> Iterator[None]:
        """Something is refused so now, and nothing else is wrong: the browser says it, whatever a page does."""
        with self.page.expect_console_message(lambda message: status in message.text):
            yield
        assert [error for error in self.errors if status not in error] == []
        self.errors.clear()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.text} at {urlsplit(message.location['url']).path}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob"):
            self.hosts.add(parts.netloc)
            self.addresses.add(request.url)


@contextmanager
def chromium() -> Iterator[BrowserContext]:
    """A fresh browser; skips where there is none."""
    if not PROGRAM.exists():
        pytest.skip("there is no /usr/bin/chromium: apt-get install chromium")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="dayfly-test-") as folder:
        launcher = Path(folder) / "chromium"
        launcher.write_text(f'#!/bin/sh\nexec {sys.executable} {still_network.__file__} {PROGRAM} "$@"\n')
        launcher.chmod(0o700)
        browser = playwright.chromium.launch(executable_path=launcher, args=list(FLAGS))
        try:
            yield browser.new_context(viewport={"width": 1280, "height": 860}, accept_downloads=True)
        finally:
            browser.close()


def violations(page: Page, source: str, within: str = "") -> list[str]:
    """Return what axe finds serious on the page as it is shown, or within a part of it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(source)
    found = page.evaluate("where => axe.run(where ?? document, {resultTypes: ['violations']})", within or None)
    serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in serious]


def axe(folder: Path) -> str:
    """Return the source of axe-core as the console's lock has it; skips where npm cannot be had."""
    ready = ROOT / "ui/node_modules/axe-core/axe.min.js"
    if ready.exists():
        return ready.read_text()
    if shutil.which("npm") is None:
        pytest.skip("npm is not on PATH, which axe-core comes by: apt-get install nodejs npm")
    locked: dict[str, Any] = json.loads((ROOT / "ui/package-lock.json").read_text())["packages"]
    entry = locked["node_modules/axe-core"] | {"dev": False}
    wanted = {"name": "axe", "dependencies": {"axe-core": entry["version"]}}
    (folder / "package.json").write_text(json.dumps(wanted))
    packages = {"": wanted, "node_modules/axe-core": entry}
    (folder / "package-lock.json").write_text(json.dumps({"name": "axe", "lockfileVersion": 3, "packages": packages}))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, text=True, timeout=120)
    if done.returncode and any(word in done.stderr for word in UNREACHABLE):
        pytest.skip("npm reaches no registry, so that there is no axe-core")
    assert done.returncode == 0, done.stderr[-2000:]
    return (folder / "node_modules/axe-core/axe.min.js").read_text()
