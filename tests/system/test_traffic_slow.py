"""Slow clients, clients that do nothing, and a gateway that runs out of descriptors."""

import asyncio
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz.process import Process
from fuzz.slow import Slowness, assault
from tests.system.conftest import end
from tests.system.driver import ROOT, Platform, eventually
from tests.system.traffic import BODIES, CANARY, FULL, ONE, address, tell

QUICK_LIMITS = "header_timeout_s=2,body_window_s=2,send_stall_s=2,linger_s=0.5,answer_bytes=0"
IDLE = 10_000 if FULL else 1_000
IDLE_BYTES = 150 * 2**20


def limited(data_dir: Path, files: int, **environ: str) -> Platform:
    """Return a platform whose processes may open so many files."""
    return Platform(data_dir, environ, ("prlimit", f"--nofile={files}:{files}"))


@pytest.fixture
def raised_limit() -> Iterator[int]:
    """Let this process and its children open as many files as the test needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = IDLE + 2_000
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, needed), max(hard, needed)))
    except ValueError:
        pytest.skip(f"this account may open {hard} files; {needed} are needed")
    yield needed
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, max(hard, needed)))
    if hard < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.timeout(240)
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is not installed")
def test_slow_clients_cost_nobody_else_anything(scratch: Path) -> None:
    # 1,024 descriptors, 1,200 slow clients; the short run has a quarter of both, and quicker time-outs.
    files, limits = (1024, "answer_bytes=0") if FULL else (256, QUICK_LIMITS)
    slowness = Slowness() if FULL else Slowness(headers=200, bodies=40, reads=40)
    platform = limited(scratch / "data", files, DAYFLY_LIMITS=limits)
    try:
        platform.start()
        platform.deploy_function(scratch / "bodies", BODIES, *ONE)
        (pid,) = platform.pids("gateway")
        gateway = Process(pid)
        host, port = address(platform)
        calm = asyncio.run(
            assault(host, port, Slowness(headers=1, bodies=0, reads=0), "/function/bodies", give_up_s=30, rate=20)
        )
        descriptors, used = gateway.descriptors(), gateway.cpu_s()
        toll = asyncio.run(assault(host, port, slowness, "/function/bodies", give_up_s=30, rate=20))
        assert toll.failed == calm.failed == []
        assert toll.served > 20
        assert toll.closed == slowness.headers + slowness.bodies + slowness.reads
        assert toll.longest_s <= (15 if FULL else 25)
        assert platform.pids("gateway") == [pid]
        eventually("all connections are gone", lambda: gateway.descriptors() <= descriptors + 10)
        tell(
            slow=toll.closed,
            longest_s=round(toll.longest_s, 1),
            honest=toll.served,
            p50_ms=round(toll.percentile_s(0.5) * 1e3, 1),
            calm_p50_ms=round(calm.percentile_s(0.5) * 1e3, 1),
            p99_ms=round(toll.percentile_s(0.99) * 1e3, 1),
            calm_p99_ms=round(calm.percentile_s(0.99) * 1e3, 1),
            cpu_s=round(gateway.cpu_s() - used, 2),
        )
    finally:
        end(platform)


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is not installed")
def test_without_descriptors_the_gateway_waits_and_does_not_spin(platform: Platform, scratch: Path) -> None:
    platform.start()
    platform.deploy_function(scratch / "canary", CANARY, *ONE)
    (pid,) = platform.pids("gateway")
    gateway = Process(pid)
    assert platform.ask("GET", "/function/canary").status == 200
    # As many as it has: nothing can be accepted any more.
    own = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir())
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1, own[1]))
    there = address(platform)
    callers = [socket.create_connection(there) for _ in range(50)]
    for caller in callers:
        caller.sendall(b"GET /function/canary HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    used, began = gateway.cpu_s(), time.monotonic()
    eventually("two seconds are over", lambda: time.monotonic() > began + 2)
    # A fifth of the time would be the promise; a loop that spins takes nearly all of it.
    assert gateway.cpu_s() - used < 1.0
    resource.prlimit(pid, resource.RLIMIT_NOFILE, own)
    for caller in callers:
        caller.close()
    eventually("calls are served again", lambda: platform.ask("GET", "/function/canary").status == 200)
    assert platform.pids("gateway") == [pid]


@pytest.mark.timeout(240)
def test_idle_connections_cost_little(scratch: Path, raised_limit: int) -> None:
    # An idle connection needs one descriptor; the limit that follows from them allows for a second one each.
    platform = limited(scratch / "data", raised_limit, DAYFLY_LIMITS=f"connections={IDLE + 100}")
    holders: list[subprocess.Popen[str]] = []
    try:
        platform.start()
        platform.deploy_function(scratch / "canary", CANARY, *ONE)
        (pid,) = platform.pids("gateway")
        gateway = Process(pid)
        assert platform.ask("GET", "/function/canary").status == 200
        before = gateway.resident_bytes()
        host, port = address(platform)
        command = [sys.executable, "-m", "fuzz.idle", host, str(port), str(IDLE // 2)]
        for _ in range(2):
            holder = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            holders.append(holder)
        for holder in holders:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "ready\n"
        assert gateway.descriptors() >= IDLE
        assert gateway.resident_bytes() < IDLE_BYTES
        used, began = gateway.cpu_s(), time.monotonic()
        assert platform.ask("GET", "/function/canary").status == 200
        eventually("two seconds are over", lambda: time.monotonic() > began + 2)
        tell(
            idle=IDLE,
            resident_mib=gateway.resident_bytes() >> 20,
            before_mib=before >> 20,
            cpu_share=round((gateway.cpu_s() - used) / (time.monotonic() - began), 3),
        )
        for holder in holders:
            closed, _ = holder.communicate("", timeout=60)
            assert closed == "0\n"
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()
        end(platform)
