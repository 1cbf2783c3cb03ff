"""SIGTERM, to the whole and to each part: whatever call is under way is finished, and none fails."""

import concurrent.futures
import os
import signal
import threading
from pathlib import Path

import pytest
from tests.system.driver import DEADLINE_S, Platform, eventually, is_alive
from tests.system.steady_load import SteadyLoad

pytestmark = pytest.mark.timeout(180)  # each starts several programs, and other tests may be at work beside it
ECHO = "def handle(event, context):\n    return event.body\n"
HELD = """
import threading

go_on = threading.Event()

def handle(event, context):
    if event.body == b"go on":
        go_on.set()
    else:
        print("began", flush=True)
        go_on.wait(120)
    return "done"
"""
SLOW = """
import time

def handle(event, context):
    print("began", flush=True)
    time.sleep(float(event.body))
    return "done"
"""


def call(platform: Platform, name: str, body: bytes) -> tuple[int, bytes]:
    answer = platform.ask("POST", f"/function/{name}", body)
    return answer.status, answer.body


def test_a_stop_lets_twenty_calls_finish_and_says_that_it_is_not_ready(platform: Platform, scratch: Path) -> None:
    process = platform.start_foreground()
    platform.deploy_function(scratch / "held", HELD, "--label", "com.openfaas.scale.max=1", "--call-timeout", "3m")
    idle = platform.connect()
    idle.request("GET", "/readyz")
    answer = idle.getresponse()
    assert (answer.status, answer.read(), answer.getheader("connection")) == (200, b"OK\n", None)
    another = platform.connect()
    another.request("GET", "/readyz")
    assert another.getresponse().read() == b"OK\n"
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(call, platform, "held", b"") for _ in range(20)]
        eventually("all began", lambda: platform.ok("logs", "held").count("began") == 20)
        process.send_signal(signal.SIGTERM)
        eventually("the gateway drains", lambda: "draining" in platform.log())
        idle.request("GET", "/readyz")
        answer = idle.getresponse()
        assert (answer.status, answer.getheader("connection")) == (503, "close")
        assert b"finishes its calls and goes" in answer.read()
        another.request("POST", "/function/held", b"go on")
        answer = another.getresponse()
        assert (answer.status, answer.read(), answer.getheader("connection")) == (200, b"done", "close")
        assert [call.result(DEADLINE_S) for call in calls] == [(200, b"done")] * 20
    assert process.wait(DEADLINE_S) == 0
    idle.close()
    another.close()


def test_each_part_that_is_told_to_end_costs_no_call(platform: Platform, scratch: Path) -> None:
    platform.start()
    platform.deploy_function(scratch / "echo", ECHO)
    platform.deploy_function(scratch / "slow", SLOW)
    answers: list[tuple[int, bytes]] = []
    slow = threading.Thread(target=lambda: answers.append(call(platform, "slow", b"5")))
    slow.start()
    eventually("the long call began", lambda: "began" in platform.ok("logs", "slow"))
    gone: list[int] = []
    with SteadyLoad(platform, "echo") as load:
        # A function's process leaves only when the platform says so; each of the others has a successor at once.
        for pid in platform.pids("function"):
            os.kill(pid, signal.SIGTERM)
        load.wait_for(100)
        assert dict(load.failed) == {}
        for role in ("gateway", "control", "zygote"):
            control = platform.pids("control")
            told = set(platform.pids(role))
            for pid in told:
                os.kill(pid, signal.SIGTERM)
            eventually(f"there is another {role}", lambda told=told, role=role: set(platform.pids(role)) - told)  # type: ignore[misc] # mypy knows no types of a lambda's defaults
            load.wait_for(150)
            assert (role, dict(load.failed)) == (role, {})
            gone += told
        # The one that is with the new zygote: another zygote has the control plane begin anew.
        eventually("another control plane is there", lambda: platform.pids("control") not in ([], control))
        eventually("it answers, and the gateway is with it", platform.is_whole)
        platform.deploy_function(scratch / "new", ECHO)
        assert platform.ok("invoke", "new", stdin="served") == "served"
        slow.join()
        eventually("those told to end have gone", lambda: not [pid for pid in gone if is_alive(pid)])
        load.wait_for(100)
    for name in ("gw0", "zygote"):
        assert f"{name} finishes its work and goes; another is started in its place" in platform.log()
    assert dict(load.failed) == {}
    assert answers == [(200, b"done")]
    assert [len(platform.pids(role)) for role in ("gateway", "control", "zygote")] == [1, 1, 1]
