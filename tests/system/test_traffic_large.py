"""Bodies far larger than memory through the gateway, which must not keep them."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fuzz.process import Process
from tests.system.conftest import end
from tests.system.driver import Platform
from tests.system.traffic import BODIES, FULL, ONE, tell

SIZE = 2 << 30 if FULL else 256 << 20
RESIDENT_BYTES = 64 * 2**20
PIECE = bytes(1 << 20)


@pytest.fixture
def spacious(scratch: Path) -> Iterator[Platform]:
    """A platform that lets bodies of any size pass, and the function that takes and gives them."""
    platform = Platform(scratch / "data", {"DAYFLY_MAX_BODY": "4Gi", "DAYFLY_LIMITS": "answer_bytes=0"})
    try:
        platform.start()
        platform.deploy_function(scratch / "bodies", BODIES, "--call-timeout", "600s", *ONE)
        yield platform
    finally:
        end(platform)


def upload(connection: http.client.HTTPConnection, *, chunked: bool) -> None:
    """Send SIZE bytes; the function says how many came."""
    connection.putrequest("POST", "/function/bodies")
    if chunked:
        connection.putheader("Transfer-Encoding", "chunked")
    else:
        connection.putheader("Content-Length", str(SIZE))
    connection.endheaders()
    for _ in range(SIZE // len(PIECE)):
        connection.send(b"100000\r\n" + PIECE + b"\r\n" if chunked else PIECE)
    if chunked:
        connection.send(b"0\r\n\r\n")
    assert connection.getresponse().read() == str(SIZE).encode()


def download(connection: http.client.HTTPConnection) -> None:
    """Ask for SIZE bytes and count them."""
    connection.request("GET", f"/function/bodies/{SIZE}")
    answer = connection.getresponse()
    assert answer.status == 200
    buffer, size = memoryview(bytearray(1 << 20)), 0
    while got := answer.readinto(buffer):
        size += got
    assert size == SIZE


def watched(
    gateway: Process, work: Callable[[http.client.HTTPConnection], None], connection: http.client.HTTPConnection
) -> tuple[int, float]:
    """Do the work; return the most memory that the gateway held meanwhile, and the seconds it took."""
    peak, over = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.02):
            peak = max(peak, gateway.resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    try:
        work(connection)
    finally:
        over.set()
        watcher.join()
    return peak, time.monotonic() - began


@pytest.mark.timeout(600)
def test_large_bodies_pass_through_little_memory(spacious: Platform) -> None:
    (pid,) = spacious.pids("gateway")
    gateway = Process(pid)
    works: dict[str, Callable[[http.client.HTTPConnection], None]] = {
        "upload": lambda connection: upload(connection, chunked=False),
        "download": download,
        "chunked upload": lambda connection: upload(connection, chunked=True),
    }
    for what, work in works.items():
        connection = spacious.connect()
        try:
            peak, seconds = watched(gateway, work, connection)
        finally:
            connection.close()
        assert 0 < peak < RESIDENT_BYTES, what
        tell(what=what, mib=SIZE >> 20, peak_mib=round(peak / 2**20, 1), seconds=round(seconds, 1))
