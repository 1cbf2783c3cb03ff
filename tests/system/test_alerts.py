"""Alerts and reports on a whole platform: told to real servers, once though the control plane is killed in between."""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest
from tests.system.conftest import end
from tests.system.driver import ROOT, Platform, eventually, kill
from tests.unit.observe.alerts.servers import Mailbox, Posts, http_server, smtp_server

FAIL = """
def handle(event, context):
    return {"statusCode": 500, "body": "no"}
"""


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A platform that looks at its rules each second."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        Path(name).chmod(0o755)
        found = Platform(Path(name) / "data", {"DAYFLY_ALERT_INTERVAL": "1s"})
        try:
            found.start()
            yield found
        finally:
            end(found)


def ask(platform: Platform, path: str) -> Any:
    token = (platform.data_dir / "run" / "token").read_text()
    return platform.ask("GET", path, headers={"Authorization": f"Bearer {token}"}).json()


def looked(platform: Platform, rule: str) -> int:
    """Return when the rule was last looked at; 0 while nobody answers."""
    try:
        return int(ask(platform, f"/v1/alerts/rules/{rule}")["looked_unix_ms"])
    except (OSError, KeyError, ValueError):
        return 0


def test_receivers_are_told_once_though_the_control_plane_is_killed(platform: Platform, tmp_path: Path) -> None:
    posts, mailbox = Posts(), Mailbox()
    folder = Path(tempfile.mkdtemp(dir=platform.data_dir.parent))
    with http_server(posts) as web, smtp_server(mailbox) as mail:
        platform.ok("alert", "receiver", "set", "hook", "--kind", "webhook", "--url", f"http://127.0.0.1:{web}/x",
                    "--group-wait", "0s", "--group-interval", "0s", "--secret-stdin",
                    stdin="whsec_a2V5a2V5a2V5")  # fmt: skip
        platform.ok("alert", "receiver", "set", "ops", "--kind", "email", "--host", "127.0.0.1", "--port", str(mail),
                    "--security", "none", "--from", "d@example.org", "--to", "ops@example.org",
                    "--group-wait", "0s", "--group-interval", "0s")  # fmt: skip
        assert platform.ok("alert", "receiver", "test", "hook") == "Sent to hook\n"
        assert "whsec" not in platform.ok("alert", "receiver", "describe", "hook", "--output", "json")
        assert b"whsec" not in (platform.data_dir / "state.db").read_bytes()
        platform.deploy_function(folder / "breaks", FAIL)
        platform.ok("alert", "rule", "set", "errors", "--kind", "error_rate", "--threshold", "0", "--window", "1h")
        assert platform.ask("GET", "/function/breaks").status == 500
        eventually("both were told", lambda: len(posts.taken) == 2 and len(mailbox.taken) == 1)
        told = json.loads(posts.taken[1].body)
        assert (told["status"], told["alerts"][0]["text"]) == (
            "firing", "calls of breaks.openfaas-fn that failed in 1h: 100 %, more than 0 %",
        )  # fmt: skip
        assert posts.taken[1].headers["webhook-signature"].startswith("v1,")
        assert "firing" in platform.ok("alert", "list")
        before = looked(platform, "errors")
        (control,) = platform.pids("control")
        kill(control)
        eventually("the next control plane looks", lambda: looked(platform, "errors") > before)
        again = looked(platform, "errors")
        eventually("and again", lambda: looked(platform, "errors") > again)
        assert (len(posts.taken), len(mailbox.taken)) == (2, 1)
        platform.ok("alert", "rule", "set", "errors", "--kind", "error_rate", "--threshold", "1", "--window", "1h")
        eventually("the end was told", lambda: len(posts.taken) == 3 and len(mailbox.taken) == 2)
        assert json.loads(posts.taken[2].body)["status"] == "resolved"
        platform.ok("report", "create", "daily", "--every", "day", "--receiver", "ops")
        assert platform.ok("report", "send", "daily") == "Report sent: daily, to ops\n"
        assert mailbox.taken[-1][1]["Subject"].startswith("Daily report: daily")
        pdf = tmp_path / "daily.pdf"
        platform.ok("report", "show", "daily", "--output", str(pdf))
        assert "Daily report: daily" in pypdf.PdfReader(pdf).pages[0].extract_text()
        platform.ok("alert", "receiver", "remove", "hook", "ops")
        platform.ok("report", "remove", "daily")


@pytest.mark.parametrize("page", ["alerts.md", "reports.md"])
def test_the_pages_commands_work_as_they_are_written(platform: Platform, page: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    mailbox, lines = Mailbox(), "".join(blocks).replace("\\\n", " ").splitlines()
    assert len(lines) >= 9
    with smtp_server(mailbox) as port:
        for line in lines:
            given, _, command = line.rpartition(" | ")
            # The server of the page is nobody's; one of ours takes its place where it has no user name to let in.
            if page == "reports.md":
                command = command.replace("smtp.example.org", f"127.0.0.1 --port {port} --security none")
            word, *arguments = shlex.split(command)
            assert word == "dayfly", line
            secret = "https://hooks.example.org/key" if "SLACK" in given else "whsec_a2V5a2V5a2V5"
            platform.ok(*arguments, stdin=secret if given else "", cwd=tmp_path)
    assert len(mailbox.taken) == (1 if page == "reports.md" else 0)
    if page == "reports.md":
        assert (tmp_path / "weekly.pdf").read_bytes().startswith(b"%PDF")
        assert (tmp_path / "weekly.html").read_text().startswith("<!doctype html>")
