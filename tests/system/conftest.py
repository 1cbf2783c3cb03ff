"""Every system test gets a platform of its own, and none may leave anything behind."""

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page
from tests.system.browser import Watched, chromium
from tests.system.console import PASSWORD, sign_in
from tests.system.driver import Platform, born, children_of, eventually, kill, processes_that_know

from dayfly.server.settings import key_dir


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder that other accounts can pass through, as functions that run as root's guests need it."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def platform(scratch: Path) -> Iterator[Platform]:
    """A platform that is not started yet; stopped afterwards, and everything of it must be gone."""
    platform = Platform(scratch / "data")
    try:
        yield platform
    finally:
        end(platform)


@pytest.fixture(scope="module")
def shared_platform() -> Iterator[Platform]:
    """A running platform for tests that do not disturb it."""
    with started({}) as (platform, _):
        yield platform


@contextlib.contextmanager
def started(
    environ: dict[str, str], before: Callable[[Path], None] = lambda _folder: None
) -> Iterator[tuple[Platform, Path]]:
    """A running platform with these settings, in a folder of its own that other accounts can pass through.

    `before` is handed the folder before the platform is started.
    """
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        before(folder)
        platform = Platform(folder / "data", environ)
        try:
            platform.start()
            yield platform, folder
        finally:
            end(platform)


def end(platform: Platform) -> None:
    """Stop the platform and prove that no process, socket or run file of it is left."""
    status = platform.status()
    secrets = [link.resolve() for link in (platform.data_dir / "run").glob("scratch/*/secrets")]
    pids = {process["pid"] for process in status.get("processes", ())} | children_of(status.get("pid", 0))
    everything = {pid: began for pid in pids if (began := born(pid))}
    platform.stop()
    for key in key_dir(os.environ).glob("*.key"):
        if f"{platform.data_dir}/" in key.read_text():
            key.unlink()
    try:
        eventually("all of it has ended", lambda: not [pid for pid in everything if born(pid) == everything[pid]])
    finally:
        for pid in everything:
            if born(pid) == everything[pid]:
                kill(pid)
    eventually("its processes are gone", lambda: not processes_that_know(str(platform.data_dir)))
    eventually("its sockets are gone", lambda: str(platform.data_dir) not in Path("/proc/net/unix").read_text())
    assert not (platform.data_dir / "run").exists()
    assert not [place for place in secrets if place.exists()]


@pytest.fixture(scope="module")
def console(installed: Platform) -> str:
    """The address of the console of the platform that a file's tests share."""
    return str(installed.status()["console_url"])


@pytest.fixture(scope="module")
def window() -> Iterator[Watched]:
    """The one browser of a file's tests."""
    with chromium() as context:
        yield Watched(context)


@pytest.fixture
def page(window: Watched, console: str) -> Iterator[Page]:
    """The page, signed in and at the list; no complaint and no foreign request is let pass, no text of a function's is
    more than that.
    """
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
    assert page.locator("img[src=x]").count() == 0
    credential = page.evaluate("sessionStorage.getItem('dayfly.authorization') ?? ''").rpartition(" ")[2]
    kept = unquote(page.evaluate("JSON.stringify([{...localStorage}, document.cookie])"))
    page.goto("about:blank")
    for secret in {PASSWORD, credential} - {""}:
        assert secret not in kept, "what lets somebody in is in the tab's own storage alone"
        assert [address for address in window.addresses if secret in unquote(address)] == []
    assert window.errors == []
    assert window.hosts <= {re.sub("^http://", "", console)}
