"""Measures the page with a thousand functions in its list: PYTHONPATH=. .venv/bin/python scripts/page_figures.py

Starts a platform of its own, deploys the functions without a replica, and opens the page in Debian's Chromium, signed
in. What is told: how much came over the wire for the first load, when the browser painted first, when the list was
there, and what the control plane spends on somebody who keeps the list open.
"""

import base64
import json
import os
import tempfile
import time
from pathlib import Path

from tests.system.browser import Watched, chromium
from tests.system.conftest import end
from tests.system.driver import Platform

FUNCTIONS = 1000
PASSWORD = "a word to pass by"  # noqa: S105 - of a platform that lives for a minute
ROUNDS = 5
WATCHED_S = 20
TIMES = """() => ({
  paint: performance.getEntriesByType("paint").find(({ name }) => name === "first-contentful-paint").startTime,
  wire: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter(({ name }) => !name.includes("/v1/")).reduce((sum, { transferSize }) => sum + transferSize, 0),
  now: performance.now(),
})"""


def main() -> None:
    """Measure, and print the figures."""
    with tempfile.TemporaryDirectory(prefix="dayfly-page-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        platform = Platform(folder / "data", {"DAYFLY_ADMIN_PASSWORD": PASSWORD})
        try:
            platform.start()
            deploy_all(platform, folder)
            measure(platform)
        finally:
            end(platform)


def deploy_all(platform: Platform, folder: Path) -> None:
    """Deploy the functions, all of one code, none with a replica."""
    platform.deploy_function(folder / "function-0000", "def handle(event, context):\n    return 'here'\n")
    spec = json.dumps({
        "bundle": platform.describe("function-0000")["spec"]["bundle"], "labels": {"com.openfaas.scale.min": "0"},
    })  # fmt: skip
    credential = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    connection = platform.connect()
    for number in range(FUNCTIONS):
        path = f"/v1/namespaces/openfaas-fn/functions/function-{number:04}"
        connection.request("PUT", path, spec, {"Authorization": f"Basic {credential}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{path} was not deployed: {answer.status}")
    connection.close()


def measure(platform: Platform) -> None:
    """Open the page some times, and print the medians."""
    paints, lists, wire = [], [], 0
    with chromium() as context:
        page = Watched(context).page
        page.goto(str(platform.status()["console_url"]))
        page.get_by_role("textbox", name="Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        for _ in range(ROUNDS):
            page.reload()
            page.get_by_role("link", name="function-0000").wait_for()
            times = page.evaluate(TIMES)
            paints.append(times["paint"])
            lists.append(times["now"])
            wire = times["wire"]
        page.wait_for_timeout(2000)
        before = spent_s(platform)
        time.sleep(WATCHED_S)
        watched = (spent_s(platform) - before) / WATCHED_S
    print(f"first load over the wire     {wire / 1024:8.1f} KiB")
    print(f"first contentful paint       {sorted(paints)[ROUNDS // 2]:8.0f} ms")
    print(f"list of {FUNCTIONS} functions there  {sorted(lists)[ROUNDS // 2]:8.0f} ms")
    print(f"control plane, list open     {watched * 100:8.1f} % of a core")


def spent_s(platform: Platform) -> float:
    """Return the processor time of the control plane, in seconds."""
    (pid,) = platform.pids("control")
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
