"""The queue on the real platform: what was accepted with 202 outlives every part's death, a stop, and an upgrade."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.system.door import Door, pid_of
from tests.system.driver import DEADLINE_S, Platform, eventually

ECHO = """
def handle(event, context):
    return b"echo:" + event.body
"""
SINK = """
import os, time
def handle(event, context):
    name, _, wait = event.body.decode().partition(" ")
    time.sleep(float(wait or 0))
    print("ran", name, flush=True)
    return name
"""
FAIL = """
import os, time
def handle(event, context):
    if event.body == b"end":
        os._exit(3)
    if event.body == b"hang":
        time.sleep(60)
    return {"statusCode": 400 if event.body == b"bad" else 500, "body": "no"}
"""


@pytest.fixture(scope="module")
def running(shared_platform: Platform) -> Door:
    """A platform with functions that the tests of this module queue calls of."""
    folder = shared_platform.data_dir.parent
    shared_platform.deploy_function(folder / "echo", ECHO)
    shared_platform.deploy_function(folder / "sink", SINK)
    retry = ("--annotation", "com.openfaas.retry.attempts=2", "--annotation", "com.openfaas.retry.min_wait=50ms")
    shared_platform.deploy_function(folder / "fail", FAIL, *retry, "--call-timeout", "1s")
    return Door(shared_platform)


def test_a_call_is_made_later_and_its_answer_kept(running: Door) -> None:
    status = running.over(running.submit("echo", b"hello"))
    assert (status["state"], status["status"], status["attempts"]) == ("done", 200, 1)
    assert status["body"] == "ZWNobzpoZWxsbw=="


def test_one_key_means_one_call(running: Door) -> None:
    ids = {running.submit("echo", b"hello", Idempotency_Key="one-key") for _ in range(5)}
    assert len(ids) == 1
    answer = running.ask("POST", "/async-function/echo", b"other", Idempotency_Key="one-key")
    assert answer.status == 422


@pytest.mark.parametrize(
    ("body", "attempts", "last", "reason"),
    [
        (b"no", 2, {500}, "answered 500"), (b"bad", 1, {400}, "answered 400"), (b"end", 2, {502}, "exit code 3"),
        (b"hang", 2, {502, 504}, "timeout"),
    ],
)  # fmt: skip
def test_what_fails_for_good_waits_among_the_dead(
    running: Door, body: bytes, attempts: int, last: set[int], reason: str
) -> None:
    call_id = running.submit("fail", body)
    status = running.over(call_id)
    assert (status["state"], status["attempts"]) == ("dead", attempts)
    assert status["status"] in last
    assert reason in str(status["reason"]), status
    dead = running.api("GET", "/v1/namespaces/openfaas-fn/dead-letters").json()
    assert call_id in [each["id"] for each in dead]


@pytest.mark.parametrize("part", ["queue", "nats", "gateway", "control"])
def test_a_part_that_is_killed_costs_no_accepted_call(running: Door, part: str) -> None:
    ids = [running.submit("sink", f"{part}-{number} 0.02".encode()) for number in range(30)]
    long = running.submit("sink", f"{part}-long 5".encode())
    pid = pid_of(running.platform, part)
    eventually("one is being made", lambda: running.state(long) == "running")
    waiting = [running.submit("sink", f"{part}-late-{number} 0".encode(), X_Delay="5s") for number in range(10)]
    assert {running.state(call_id) for call_id in waiting} == {"queued"}
    os.kill(pid, signal.SIGKILL)
    ids += [*waiting, long]
    accepted = 0
    give_up = time.monotonic() + DEADLINE_S
    while accepted < 10:
        assert time.monotonic() < give_up
        try:
            answer = running.ask("POST", "/async-function/sink", f"{part}-after-{accepted} 0".encode())
        except OSError:
            continue
        assert answer.status in (202, 503), answer
        if answer.status == 202:
            ids.append(answer.headers["x-call-id"])
            accepted += 1
    assert {running.over(call_id)["state"] for call_id in ids} == {"done"}


def test_a_nats_server_that_hangs_is_started_anew_and_calls_that_wait_for_nobody_go_on(running: Door) -> None:
    early = running.submit("echo", b"early", X_Delay="1s")
    hung = pid_of(running.platform, "nats")
    os.kill(hung, signal.SIGSTOP)
    assert running.ask("POST", "/function/echo", b"on").body == b"echo:on"
    late: list[str] = []

    def accepted() -> bool:
        answer = running.ask("POST", "/async-function/echo", b"late")
        assert answer.status in (202, 503), answer
        late.extend([answer.headers["x-call-id"]] * (answer.status == 202))
        return bool(late)

    eventually("calls are accepted again", accepted)
    assert hung not in running.platform.pids("nats")
    assert {running.over(call_id)["state"] for call_id in (early, *late)} == {"done"}


def test_a_call_under_way_when_the_queue_is_killed_is_made_again(running: Door) -> None:
    call_id = running.submit("sink", b"long 4")
    eventually("it runs", lambda: running.state(call_id) == "running")
    os.kill(pid_of(running.platform, "queue"), signal.SIGKILL)
    status = running.over(call_id)
    assert (status["state"], status["attempts"]) == ("done", 2)


def test_another_version_takes_the_queue_over(running: Door) -> None:
    late = running.submit("echo", b"late", X_Delay="1h")
    long = running.submit("sink", b"over-the-change 2")
    eventually("it runs", lambda: running.state(long) == "running")
    before = running.platform.pids("queue"), running.platform.pids("nats")
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(
            running.ask,
            "POST",
            "/function/sink",
            b"waited-for 3",
            Idempotency_Key="over-the-change",
            X_Call_Id="waited",
        )
        eventually("it runs too", lambda: running.state("waited") == "running")
        running.platform.ok("upgrade", "--again")
        answer = waiting.result()
    assert (answer.status, answer.body) == (200, b"waited-for"), "whoever waits for a call with a key notices nothing"
    assert pid_of(running.platform, "nats") not in before[1]
    status = running.over(long)
    assert (status["state"], status["attempts"]) == ("done", 1)
    eventually("the one before is gone", lambda: not set(before[0]) & set(running.platform.pids("queue")))
    assert running.over(running.submit("echo", b"new"))["state"] == "done"
    assert running.state(late) == "queued"
    assert running.api("DELETE", f"/v1/calls/{late}").json()["state"] == "cancelled"


def test_a_call_is_followed_through_the_gateway_as_it_happens(running: Door) -> None:
    call_id = running.submit("echo", b"hello", X_Delay="4s")
    with contextlib.closing(running.follow(f"/v1/calls/{call_id}/events")) as lines:
        names = [line.partition(b": ")[2].decode().strip() for line in lines if line.startswith(b"event")]
    assert (names[0], names[-1]) == ("queued", "done")
    again = running.ask("GET", f"/v1/calls/{call_id}/events", None, **running.login, Last_Event_ID="done-1")
    assert (again.status, again.body) == (204, b"")


def test_a_namespace_goes_with_its_calls_or_not_at_all(running: Door) -> None:
    running.platform.ok("namespace", "create", "tenant")
    folder = running.platform.data_dir.parent / "tenants"
    running.platform.deploy_function(folder, ECHO, "--namespace", "tenant")
    call_id = running.submit("tenants.tenant", b"late", X_Delay="1h")
    running.platform.ok("remove", "tenants", "--namespace", "tenant")
    refused = running.platform.run("namespace", "remove", "tenant")
    assert refused.code != 0
    assert "1 queued calls" in refused.err
    running.platform.ok("namespace", "remove", "tenant", "--force")
    assert running.over(call_id)["state"] == "cancelled"


def test_stopping_and_starting_keeps_what_waits(platform: Platform, scratch: Path) -> None:
    platform.start()
    platform.deploy_function(scratch / "echo", ECHO)
    before = Door(platform)
    ids = [before.submit("echo", b"later", X_Delay="3s") for _ in range(5)]
    platform.stop()
    platform.start()
    after = Door(platform)
    assert {after.over(call_id)["state"] for call_id in ids} == {"done"}
    config = platform.data_dir / "run" / "nats.conf"
    assert config.stat().st_mode & 0o777 == 0o600
    assert (platform.data_dir / "queue").stat().st_mode & 0o777 == 0o700


def test_without_a_nats_server_all_else_works(scratch: Path) -> None:
    platform = Platform(scratch / "data", {"DAYFLY_NATS_SERVER": "none"})
    try:
        assert "No queue" in platform.start()
        platform.deploy_function(scratch / "echo", ECHO)
        assert platform.ask("POST", "/function/echo", b"x").body == b"echo:x"
        answer = platform.ask("POST", "/async-function/echo", b"x")
        assert answer.status == 501
        assert "DAYFLY_NATS_SERVER is none" in answer.json()["detail"]
        answer = platform.ask("POST", "/function/echo", b"x", headers={"Idempotency-Key": "k"})
        assert (answer.status, "Idempotency-Key" in answer.json()["detail"]) == (501, True)
        assert Door(platform).api("GET", "/v1/calls/x").status == 501
        assert platform.pids("queue") == platform.pids("nats") == []
    finally:
        platform.stop()


def test_a_queue_that_is_full_says_so_and_unknown_functions_are_queued_where_the_operator_says(
    scratch: Path,
) -> None:
    limits = {"DAYFLY_QUEUE_LIMITS": "calls=4", "DAYFLY_QUEUE_UNKNOWN": "true"}
    platform = Platform(scratch / "small", limits)
    try:
        platform.start()
        platform.deploy_function(scratch / "echo", ECHO)
        door = Door(platform)
        waiting = [door.submit("echo", b"x", X_Delay="1h") for _ in range(2)]
        full = door.ask("POST", "/async-function/echo", b"x")
        assert (full.status, full.json()["code"]) == (429, "limit_exceeded")
        assert "2 calls of echo.openfaas-fn already, half" in full.json()["detail"]
        assert int(full.headers["retry-after"]) > 0
        nobodys = door.over(door.submit("nobody"))
        assert (nobodys["state"], nobodys["status"]) == ("dead", 404)
        door.submit("nobody", X_Delay="1h")
        assert "limit calls" in door.ask("POST", "/async-function/other", b"x").json()["detail"]
        for call_id in waiting:
            assert door.api("DELETE", f"/v1/calls/{call_id}").status == 200
        assert door.over(door.submit("echo"))["state"] == "done"
    finally:
        platform.stop()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_what_is_accepted_is_flushed_before_the_answer_leaves(running: Door, scratch: Path) -> None:
    """For each call: nats-server writes it to a file, flushes that file, and only then does the queue send its 202."""
    nats, queue = pid_of(running.platform, "nats"), pid_of(running.platform, "queue")
    trace = scratch / "trace"
    calls = "trace=fsync,fdatasync,write,pwrite64,writev,sendto,sendmsg"
    command = ["strace", "-f", "-tt", "-y", "-s", "400", "-e", calls, "-o", str(trace)]
    command += ["-p", str(nats), "-p", str(queue)]
    tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        eventually("it traces", lambda: _traced(nats) and _traced(queue))
        ids = [running.submit("echo", b"flushed", X_Delay="1h") for _ in range(5)]
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    steps = whole_steps(trace.read_text(errors="replace").splitlines())
    for call_id in ids:
        written = next(step for step in steps if _writes(step.text, call_id))
        blocks = re.search(r"<([^>]*\.blk)>", written.text)
        assert blocks is not None
        flushes = (each for each in steps if re.search(r"\bf(data)?sync\(", each.text) and blocks[1] in each.text)
        flushed = next(each for each in flushes if each.began > written.ended)
        assert re.search(r"\) += 0$", flushed.text), flushed
        told = next(each for each in steps if "202 Accepted" in each.text and call_id in each.text)
        assert written.ended < flushed.began <= flushed.ended < told.began, (call_id, written, flushed, told)
        running.api("DELETE", f"/v1/calls/{call_id}")


class Step(NamedTuple):
    """A system call that has come to its end, by the lines of the trace where it began and ended."""

    began: int
    ended: int
    text: str


def whole_steps(lines: list[str]) -> list[Step]:
    """Return the system calls in the order they began. One that another thread's came between has two lines."""
    begun: dict[str, tuple[int, str]] = {}
    steps: list[Step] = []
    for at, line in enumerate(lines):
        thread, _, text = line.partition(" ")
        if text.endswith("<unfinished ...>"):
            begun[thread] = at, text.removesuffix("<unfinished ...>")
        elif resumed := re.search(r"<\.\.\. \w+ resumed>", text):
            began, first = begun.pop(thread, (at, ""))
            steps.append(Step(began, at, first + text[resumed.end() :]))
        else:
            steps.append(Step(at, at, text))
    return sorted(steps)


def test_a_flush_that_has_only_begun_is_none_in_a_trace() -> None:
    lines = [
        '7 1.0 pwrite64(9</q/1.blk>, "a", 1) = 1',
        "7 1.1 fsync(9</q/1.blk> <unfinished ...>",
        '8 1.2 sendto(4<socket:[1]>, "202 Accepted", 12) = 12',
        "7 1.3 <... fsync resumed>) = 0",
    ]
    assert [(each.began, each.ended) for each in whole_steps(lines)] == [(0, 0), (1, 3), (2, 2)]
    assert whole_steps(lines)[1].text == "1.1 fsync(9</q/1.blk> ) = 0"
    assert [each.began for each in whole_steps(lines[:2])] == [0], "it never ended"


def _writes(text: str, call_id: str) -> bool:
    return "write" in text and ".blk>" in text and f"dayfly.call.{call_id}.request" in text


def _traced(pid: int) -> bool:
    threads = Path(f"/proc/{pid}/task").glob("*/status")
    return all("TracerPid:\t0" not in each.read_text() for each in threads)
