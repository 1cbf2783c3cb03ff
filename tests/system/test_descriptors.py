"""The whole platform with few files to open: who comes last waits or is told, and nothing of it breaks."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.system.conftest import end
from tests.system.driver import DEADLINE_S, Platform, eventually
from tests.system.known_address import KnownAddress

ECHO = "def handle(event, context):\n    return event.body\n"


@contextlib.contextmanager
def platform_with(files: int, scratch: Path) -> Iterator[Platform]:
    """A platform each of whose processes may have so many files open."""
    platform = KnownAddress(scratch / "data", prefix=("sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"))
    try:
        platform.start()
        yield platform
    finally:
        end(platform)


@pytest.fixture
def crowd() -> Iterator[list[socket.socket]]:
    """Connections, closed in the end."""
    connections: list[socket.socket] = []
    try:
        yield connections
    finally:
        for each in connections:
            each.close()


def connect(url: str, count: int) -> Iterator[socket.socket]:
    """Open connections that ask nothing."""
    address = urlsplit(url)
    for _ in range(count):
        yield socket.create_connection((address.hostname or "", address.port or 0), timeout=DEADLINE_S)


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_a_thousand_connections_that_ask_nothing_keep_nobody_out(scratch: Path, crowd: list[socket.socket]) -> None:
    with platform_with(1024, scratch) as platform:
        platform.deploy_function(scratch / "echo", ECHO)
        status, gateway = platform.status(), platform.pids("gateway")[0]
        for listener in ("gateway_url", "console_url", "metrics_url"):
            crowd += connect(status[listener], 450)
        for _ in range(20):
            assert platform.ask("POST", "/function/echo", b"hello").body == b"hello"
        assert "echo" in platform.ok("list")
        platform.deploy_function(scratch / "another", ECHO)
        assert platform.ask("POST", "/function/another", b"hello").body == b"hello"
        assert open_files(gateway) < 1024
        assert platform.pids("gateway") == [gateway], platform.log()
        full = "connections are taken (a share of `ulimit -n`)"
        eventually("it is in the log", lambda: full in platform.log())


def test_replicas_beyond_the_limit_are_refused_by_its_name_and_leave_nothing_open(scratch: Path) -> None:
    with platform_with(128, scratch) as platform:
        platform.deploy_function(scratch / "echo", ECHO)
        zygote = platform.pids("zygote")[0]
        # Once up and down, so that what the first start had made ready for the next is there too.
        platform.ok("scale", "echo", "2")
        eventually("there are two", lambda: len(platform.describe("echo")["replicas"]) == 2)
        platform.ok("scale", "echo", "1")
        eventually("there is one", lambda: len(platform.describe("echo")["replicas"]) == 1)
        before = open_files(zygote)
        platform.ok("scale", "echo", "40")
        told = "this account may have 128 files open"
        eventually("the limit is told", lambda: told in platform.describe("echo")["reason"])
        assert platform.ask("POST", "/function/echo", b"hello").body == b"hello"
        assert open_files(zygote) < 128
        platform.ok("scale", "echo", "1")
        eventually("the others are gone", lambda: len(platform.describe("echo")["replicas"]) == 1)
        eventually("nothing of them is open", lambda: open_files(zygote) <= before)
        platform.deploy_function(scratch / "another", ECHO)
        assert platform.ask("POST", "/function/another", b"hello").body == b"hello"
        assert platform.pids("zygote") == [zygote], platform.log()
