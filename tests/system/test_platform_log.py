"""The platform's own log as JSON: every line of every process, whoever of them cannot write JSON itself."""

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.system.conftest import end
from tests.system.door import Door
from tests.system.driver import Platform, eventually

WANTED = {"at", "level", "process", "logger", "message"}
PRINTS = "def handle(event, context):\n    print('printed')\n    return 'x'\n"


@pytest.fixture
def silent(scratch: Path) -> Iterator[Platform]:
    """A platform that is not started yet."""
    platform = Platform(scratch / "data", {})
    try:
        yield platform
    finally:
        end(platform)


def said(platform: Platform) -> list[dict[str, Any]]:
    return [json.loads(line) for line in platform.log().splitlines()]


@pytest.mark.timeout(300)
def test_every_line_of_every_process_is_json(silent: Platform, scratch: Path) -> None:
    platform = silent
    platform.start_foreground("--log-format", "json")
    platform.deploy_function(scratch / "hello", PRINTS)
    door = Door(platform)
    assert door.ask("POST", "/function/hello", b"x").status == 200

    # A zygote that dies says so as an interpreter does, over several lines; nats-server does not like strangers.
    os.kill(platform.pids("zygote")[0], signal.SIGABRT)
    eventually("another zygote", lambda: "zygote is back" in platform.log())
    with socket.create_connection(("127.0.0.1", nats_port(platform)), timeout=30) as stranger:
        stranger.sendall(b'CONNECT {"user": "x", "pass": "y"}\r\nPING\r\n')
        eventually("it is refused", lambda: b"Authorization Violation" in stranger.recv(4096))
    platform.stop()

    lines = said(platform)
    assert all(line.keys() >= WANTED for line in lines)
    assert {"supervisor", "control", "gw0", "queue", "egress", "zygote", "nats-server"} >= {
        line["process"] for line in lines
    }
    words = {(line["process"], line["level"], line["message"]) for line in lines}
    assert ("nats-server", "info", "Server is ready") in words
    assert any(who == "zygote" and text.startswith("Fatal Python error: Aborted") for who, _, text in words)
    assert any(
        who == "nats-server" and level == "error" and "authentication error" in text for who, level, text in words
    )
    assert ("supervisor", "info", "zygote was killed by signal 6; starting it again") in words
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"]) for line in lines)
    assert "printed" not in {text for _, _, text in words}, "what functions print is not the platform's word"


def nats_port(platform: Platform) -> int:
    (pid,) = platform.pids("nats")
    config = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[2].decode()
    found = re.search(r'listen: "127.0.0.1:(\d+)"', Path(config).read_text())
    assert found is not None
    return int(found[1])
