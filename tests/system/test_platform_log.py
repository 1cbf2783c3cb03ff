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

from dayfly.model.errors import NotFound
from dayfly.queue.server import ACCESS
from dayfly.server.folders import find_run_dir

WANTED = {"at", "level", "process", "logger", "message"}
DIES = """
import os
import signal


def handle(event, context):
    os.kill(os.getpid(), signal.SIGKILL)
"""
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

    # A call whose replica is killed while it works on it: the function cannot say so any more, and the platform does.
    platform.deploy_function(scratch / "dies", DIES, "--annotation", "com.openfaas.retry.attempts=1")
    broken = door.ask("POST", "/function/dies", b"x")
    assert broken.status == 502
    failed = broken.headers["x-call-id"]
    queued = door.submit("dies")
    eventually("the queued one is over", lambda: door.state(queued) in ("dead", "failed"))

    # A zygote that dies says so as an interpreter does, over several lines; nats-server does not like strangers.
    os.kill(platform.pids("zygote")[0], signal.SIGABRT)
    eventually("another zygote", lambda: "zygote is back" in platform.log())
    with socket.create_connection(("127.0.0.1", nats_port(platform)), timeout=30) as stranger:
        stranger.sendall(b'CONNECT {"user": "x", "pass": "y"}\r\nPING\r\n')
        eventually("it is refused", lambda: b"Authorization Violation" in stranger.recv(4096))
    # What the parts say is there for administrators too, by part, as it comes.
    assert any("Server is ready" in line for line in platform.ok("machine", "logs", "nats-server").splitlines())
    (zygote,) = [
        part for part in json.loads(platform.ok("machine", "-o", "json"))["processes"] if part["role"] == "zygote"
    ]
    kept = [json.loads(line) for line in platform.ok("machine", "logs", zygote["log"], "-o", "json").splitlines()]
    assert any(line["text"].startswith("Fatal Python error: Aborted") and line["part"] == "zygote" for line in kept)
    nobody = platform.run("machine", "logs", "nobody")
    assert (nobody.code, "called nobody" in nobody.err, "dayfly machine" in nobody.err) == (
        NotFound.exit_code,
        True,
        True,
    )
    newest = platform.ok("machine", "logs", "supervisor", "--tail", "1").splitlines()
    assert [line.endswith(" is back") for line in newest] == [True]
    run_dir = find_run_dir(platform.data_dir)
    password, token = json.loads((run_dir / ACCESS).read_text())["password"], (run_dir / "token").read_text()
    platform.stop()
    for file in (platform.data_dir / "log").iterdir():
        assert password.encode() not in file.read_bytes()
        assert token.encode() not in file.read_bytes()

    lines = said(platform)
    assert all(line.keys() >= WANTED for line in lines)
    assert {"supervisor", "control", "gw0", "queue", "egress", "zygote", "nats-server"} >= {
        line["process"] for line in lines
    }
    words = {(line["process"], line["level"], line["message"]) for line in lines}
    assert ("nats-server", "info", "Server is ready") in words
    for call in (failed, queued):
        about = [line for line in lines if line.get("call_id") == call]
        assert ("gw0", "warning", "dies.openfaas-fn", "502") in {
            (line["process"], line["level"], line["function"], line.get("status")) for line in about
        }, call
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
