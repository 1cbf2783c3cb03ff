"""start, stop, status: what they ask of the server package, and how they tell its answers."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from dayfly.server.commands import InstanceStatus
from dayfly.server.settings import StartOptions
from dayfly.server.tree import ProcessStatus

Run = Callable[..., Any]
RUNNING = InstanceStatus(
    data_dir="/d", pid=7, version="1.2", gateway_url="http://g", processes=(ProcessStatus(7, "supervisor", 2**20),)
)


def test_start_hands_over_what_was_given_and_nothing_else(dayfly: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[StartOptions] = []

    def start(options: StartOptions, *, say: Callable[[str], None] | None = None) -> int:
        seen.append(options)
        if say is not None:
            say("it serves")
        return 0

    monkeypatch.setattr("dayfly.server.commands.start", start)
    assert dayfly("start").exit_code == 0
    assert seen.pop() == StartOptions()
    detached = dayfly(
        "start", "--host", "::1", "--port", "0", "--console-port", "1", "--metrics-port", "2", "--data-dir", "/d",
        "--gateways", "3", "--tls-cert", "c", "--tls-key", "k", "--insecure-http", "--detach",
    )  # fmt: skip
    assert seen.pop() == StartOptions(
        host="::1", port=0, console_port=1, metrics_port=2, data_dir="/d", gateways=3, tls_cert="c", tls_key="k",
        insecure_http=True, detach=True,
    )  # fmt: skip
    assert detached.stdout == "it serves\n"


def test_start_ends_with_the_code_it_is_told(dayfly: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.server.commands.start", lambda _: 78)
    assert dayfly("start").exit_code == 78


@pytest.mark.parametrize("args", [("--port", "70000"), ("--gateways", "0"), ("--port", "http")])
def test_start_refuses_numbers_that_cannot_be(dayfly: Run, args: tuple[str, ...]) -> None:
    assert dayfly("start", *args).exit_code == 2


@pytest.mark.parametrize(("stopped", "code"), [(True, 0), (False, 66)])
def test_stop_says_whether_there_was_anything_to_stop(
    dayfly: Run, monkeypatch: pytest.MonkeyPatch, stopped: bool, code: int
) -> None:
    seen = []

    def stop(folder: str | None) -> bool:
        seen.append(folder)
        return stopped

    monkeypatch.setattr("dayfly.server.commands.stop", stop)
    outcome = dayfly("stop", "--data-dir", "/d")
    assert (outcome.exit_code, seen) == (code, ["/d"])
    assert outcome.stdout == ("Stopped.\n" if stopped else "")


def test_status_shows_the_processes(dayfly: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.server.commands.status", lambda _: RUNNING)
    text = dayfly("status").stdout
    assert "Gateway:     http://g" in text
    assert "Console:     <starting>" in text
    assert text.splitlines()[-1].split() == ["7", "supervisor", "1Mi"]
    assert json.loads(dayfly("status", "-o", "json").stdout)["processes"][0]["role"] == "supervisor"
    assert dayfly("status", "-o", "name").stdout == "7\n"


def test_status_of_nothing_exits_66(dayfly: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.server.commands.status", lambda _: InstanceStatus(data_dir="/d"))
    outcome = dayfly("status")
    assert (outcome.exit_code, outcome.stdout) == (66, "")
    assert "No platform runs on /d" in outcome.stderr
