"""Functions that take more than their share: their neighbour is not harmed, and what became of them is told truly."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.system.driver import Platform, eventually

from dayfly.runtimes.python.cells import Cells

OK = "def handle(event, context):\n    return 'ok'\n"

UNRULY = """
import mmap, os, signal, time

def memory():
    held = mmap.mmap(-1, 128 << 20)
    for at in range(0, len(held), 4096):
        held[at] = 1

def forks():
    while True:
        if os.fork() == 0:
            time.sleep(300)
            os._exit(0)

def disk():
    with open("/tmp/big", "wb") as file:
        for _ in range(1024):
            file.write(bytes(1 << 20))

def log():
    for _ in range(150):
        left = (b"x" * 199 + b"\\n") * 500
        while left:
            try:
                left = left[os.write(1, left):]
            except BlockingIOError:
                pass

def stop():
    os.kill(os.getpid(), signal.SIGSTOP)

def stay():
    time.sleep(300)

def spin():
    while True:
        pass

def fault():
    os.kill(os.getpid(), signal.SIGSEGV)

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def leave():
    os._exit(3)

def handle(event, context):
    if event.text:
        globals()[event.text]()
    return "ok"
"""


def _cells_work() -> bool:
    cells = Cells.found()
    cells.close()
    return not cells.missing


needs_cells = pytest.mark.skipif(not _cells_work(), reason="no cgroups for memory, pids and cpu may be made here")


@contextmanager
def called_all_the_time(platform: Platform, name: str) -> Iterator[list[int]]:
    """Call a function ten times a second; yields the statuses of its answers, which grow."""
    statuses: list[int] = []
    done = threading.Event()
    connection = platform.connect()

    def call() -> None:
        while not done.wait(0.1):
            connection.request("POST", f"/function/{name}", b"")
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield statuses
    finally:
        done.set()
        thread.join()
        connection.close()


def cgroup_folders(pid: int) -> list[str]:
    """Return the folders of the zygote's in the cgroup trees."""
    return [root for root, *_ in os.walk("/sys/fs/cgroup") if root.endswith(f"/dayfly-{pid}")]


@needs_cells
@pytest.mark.parametrize(
    ("name", "status", "code", "end", "said"),
    [
        ("memory", 502, "function_out_of_memory", "oom", "memory limit of 64 MiB"),
        ("forks", 500, "pids", "pids", "512 processes"),
        ("disk", 500, "disk", "", "/tmp is full"),
        ("log", 200, "", "", "lines dropped"),
        ("stop", 502, "function_stopped", "stuck", "SIGSTOP"),
        ("stay", 504, "timeout", "timeout", "its timeout is 1 s"),
    ],
)
def test_what_became_of_the_unruly_is_told_and_nobody_else_is_harmed(
    shared_platform: Platform, scratch: Path, name: str, status: int, code: str, end: str, said: str
) -> None:
    platform = shared_platform
    platform.deploy_function(scratch / "quiet", OK)
    memory, timeout = "1Gi" if name == "forks" else "64Mi", "1s" if name == "stay" else "20s"
    platform.deploy_function(scratch / name, UNRULY, "--memory-limit", memory, "--call-timeout", timeout)
    with called_all_the_time(platform, "quiet") as statuses:
        eventually("the other one is called", lambda: statuses)
        reply = platform.ask("POST", f"/function/{name}", name.encode())
        assert (reply.status, reply.json()["code"] if code else "") == (status, code), reply
        if status == 502:
            assert said in reply.json()["detail"]
        if end:
            eventually("it ends", lambda: platform.describe(name)["exits"] == {end: 1})
        eventually("its log tells", lambda: said in platform.ok("logs", name))
        eventually("it answers", lambda: platform.ask("POST", f"/function/{name}").status == 200)
        before = len(statuses)
        eventually("the other one goes on", lambda: len(statuses) > before)
    assert set(statuses) == {200}
    if end:
        token = (platform.data_dir / "run" / "token").read_text()
        page = platform.ask("GET", "/metrics", listener="metrics_url", headers={"Authorization": f"Bearer {token}"})
        labels = f'{{function_name="{name}.openfaas-fn",reason="{end}"}}'
        assert f"dayfly_function_replica_exits_total{labels} 1" in page.body.decode()
        assert f"{end} 1" in platform.ok("describe", name)
    platform.ok("remove", name)


@pytest.mark.parametrize(
    ("name", "code", "end", "said"),
    [
        ("fault", "function_crashed", "crashed", "signal SIGSEGV"),
        ("leave", "function_crashed", "crashed", "exit code 3"),
        ("kill", "function_killed", "killed", "signal SIGKILL"),
    ],
)
def test_a_crash_is_told_to_whoever_called(
    shared_platform: Platform, scratch: Path, name: str, code: str, end: str, said: str
) -> None:
    platform = shared_platform
    platform.deploy_function(scratch / name, UNRULY)
    told = platform.ask("POST", f"/function/{name}", name.encode()).json()
    assert (told["status"], told["code"], said in told["detail"]) == (502, code, True), told
    assert told["call_id"]
    eventually("it ends", lambda: platform.describe(name)["exits"] == {end: 1})
    platform.ok("remove", name)


def test_a_call_taken_down_by_anothers_timeout_is_told_so(shared_platform: Platform, scratch: Path) -> None:
    platform = shared_platform
    platform.deploy_function(scratch / "late", UNRULY, "--call-timeout", "4s")
    second, began = platform.connect(), time.monotonic()
    with ThreadPoolExecutor(1) as other:
        first = other.submit(platform.ask, "POST", "/function/late", b"spin")
        # The replica ends half a second to one and a half after the first's timeout, and the second's is to be later.
        eventually("most of its time is over", lambda: time.monotonic() > began + 2.8)
        second.request("POST", "/function/late", b"stay")
        told = json.loads(second.getresponse().read())
        assert (first.result().status, first.result().json()["code"]) == (504, "timeout")
    second.close()
    assert (told["status"], told["code"]) == (502, "function_timed_out"), told
    assert "timeout of 4 s" in told["detail"]
    assert "`timeout`" in told["hint"]
    eventually("it ends", lambda: platform.describe("late")["exits"] == {"timeout": 1})
    platform.ok("remove", "late")


@needs_cells
def test_a_stop_leaves_no_cgroup(platform: Platform, scratch: Path) -> None:
    platform.start()
    platform.deploy_function(scratch / "quiet", OK)
    zygote = platform.pids("zygote")[0]
    assert cgroup_folders(zygote) != []
    platform.stop()
    assert cgroup_folders(zygote) == []


@needs_cells
def test_cgroups_that_a_crash_left_are_gone_after_the_next_start(platform: Platform, scratch: Path) -> None:
    process = platform.start_foreground()
    platform.deploy_function(scratch / "quiet", OK)
    assert platform.ask("POST", "/function/quiet").body == b"ok"
    zygote = platform.pids("zygote")[0]
    assert cgroup_folders(zygote) != []
    os.kill(process.pid, signal.SIGSTOP)  # so that it neither restarts the zygote nor lets it end in order
    os.kill(zygote, signal.SIGKILL)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    platform.start()
    assert cgroup_folders(zygote) == []
    assert platform.ask("POST", "/function/quiet").body == b"ok"
