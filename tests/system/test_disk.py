"""A disk that is full, and one that the kernel made read-only: calls go on, changes are refused, nothing is lost."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.disks import CannotMount, FailingDisk, SmallDisk, failing_disk, small_disk
from tests.system.conftest import end
from tests.system.driver import Platform, Reply, eventually, kill
from tests.system.known_address import KnownAddress

SAY = "def handle(event, context):\n    print('said')\n    return event.body\n"
FREE = ("--port", "0", "--console-port", "0", "--metrics-port", "0")


@pytest.fixture
def full(scratch: Path) -> Iterator[tuple[Platform, SmallDisk]]:
    """A platform on a small disk of its own."""
    try:
        with small_disk(scratch / "disk") as disk:
            platform = KnownAddress(disk.root / "data")
            try:
                yield platform, disk
            finally:
                end(platform)
    except CannotMount as error:
        pytest.skip(f"{error}")


@pytest.fixture
def failing(scratch: Path) -> Iterator[tuple[Platform, FailingDisk]]:
    """A platform on a disk that can become read-only."""
    try:
        with failing_disk(scratch / "disk") as disk:
            # A stop that waits for what cannot come true would not end within the test's time.
            platform = KnownAddress(disk.root / "data", {"DAYFLY_DRAIN_TIMEOUT": "5m"})
            try:
                yield platform, disk
            finally:
                end(platform)
    except CannotMount as error:
        pytest.skip(f"{error}")


def as_admin(platform: Platform, method: str, path: str, body: bytes | None = None, listener: str = "") -> Reply:
    token = (platform.data_dir / "run" / "token").read_text()
    headers = {"Authorization": f"Bearer {token}"}
    return platform.ask(method, path, body, listener=listener or "gateway_url", headers=headers)


def upload(platform: Platform) -> Reply:
    """Upload what is no archive, which only unpacking would find out."""
    data = b"x" * 100_000
    digest = hashlib.sha256(data).hexdigest()
    return as_admin(platform, "PUT", f"/v1/namespaces/openfaas-fn/bundles/sha256:{digest}", data)


def queue_call(platform: Platform, name: str, *, delay: str = "0s") -> str:
    """Queue a call and return its id; empty when it was not accepted."""
    reply = platform.ask("POST", f"/async-function/{name}", b"on", headers={"X-Delay": delay})
    return reply.headers["x-call-id"] if reply.status == 202 else ""


def dropped(platform: Platform) -> float:
    text = as_admin(platform, "GET", "/metrics", listener="metrics_url").body.decode()
    line = next(line for line in text.splitlines() if line.startswith("dayfly_log_lines_dropped_total"))
    return float(line.split()[-1])


def calls(platform: Platform, name: str, count: int = 30) -> set[tuple[int, bytes]]:
    connection = platform.connect()
    answers = set()
    for _ in range(count):
        connection.request("POST", f"/function/{name}", b"on")
        answer = connection.getresponse()
        answers.add((answer.status, answer.read()))
    connection.close()
    return answers


def test_on_a_full_disk_calls_go_on_and_changes_are_refused(full: tuple[Platform, SmallDisk], scratch: Path) -> None:
    platform, disk = full
    platform.start()
    for name in ("busy", "idle"):
        platform.deploy_function(scratch / name, SAY)
    early = queue_call(platform, "idle", delay="1h")
    disk.fill()
    assert calls(platform, "busy") == {(200, b"on")}
    for method in ("/async-function/busy", "/function/busy"):
        kept = platform.ask("POST", method, b"on", headers={"Idempotency-Key": "k"})
        assert (kept.status, kept.json()["code"], kept.headers["retry-after"]) == (507, "store_full", "1")
    assert as_admin(platform, "GET", f"/v1/calls/{early}").json()["state"] == "queued"
    assert "busy" in platform.ok("list")
    assert platform.describe("idle")["revision"] == 1
    refused = upload(platform)
    assert (refused.status, refused.headers["content-type"]) == (507, "application/problem+json")
    assert (refused.json()["code"], refused.json()["hint"][:15]) == ("store_full", "free some space")
    for command in (["scale", "idle", "2"], ["remove", "idle"], ["deploy", "more", "--handler", str(scratch / "busy")]):
        done = platform.run(*command)
        assert (done.code, done.err.count("\n"), done.err.count("the disk is full")) == (74, 2, 1), done
    eventually("what is printed is dropped and counted", lambda: calls(platform, "busy") and dropped(platform))
    eventually("it is said", lambda: platform.log().count("log lines are dropped until"))
    assert platform.log().count("log lines are dropped until") == 1
    # A control plane that dies meanwhile comes back and can still be asked; the calls do not notice.
    control = platform.pids("control")[0]
    kill(control)
    eventually("it is back", lambda: calls(platform, "busy") == {(200, b"on")} and platform.run("list").code == 0)
    assert platform.pids("control") != [control]
    disk.free()
    platform.deploy_function(scratch / "more", SAY)
    assert platform.ok("scale", "idle", "2")
    eventually("calls are queued again", lambda: queue_call(platform, "busy"))
    assert platform.ask("POST", "/function/busy", b"on", headers={"Idempotency-Key": "k"}).body == b"on"
    assert as_admin(platform, "GET", f"/v1/calls/{early}").json()["state"] == "queued"
    assert calls(platform, "more") == calls(platform, "idle") == {(200, b"on")}
    eventually("lines are kept again", lambda: "said" in platform.ok("logs", "more", "--lines", "5"))
    check_state(platform.data_dir, {"busy", "idle", "more"})


def test_a_start_on_a_full_disk_is_refused_in_a_sentence(full: tuple[Platform, SmallDisk], scratch: Path) -> None:
    platform, disk = full
    platform.start()
    platform.deploy_function(scratch / "busy", SAY)
    platform.stop()
    disk.fill()
    refused = platform.run("start", "--detach", *FREE)
    assert refused.code == 74
    assert "cannot start" in refused.err
    assert refused.err.splitlines()[1].startswith("free some space")
    disk.free()
    platform.start()
    assert calls(platform, "busy", 1) == {(200, b"on")}


def test_a_disk_that_becomes_read_only_stops_changes_and_nothing_else(
    failing: tuple[Platform, FailingDisk], scratch: Path
) -> None:
    platform, disk = failing
    platform.start()
    platform.deploy_function(scratch / "busy", SAY)
    disk.fail()
    assert calls(platform, "busy") == {(200, b"on")}
    assert "busy" in platform.ok("list")
    assert platform.run("logs", "busy").code == 0
    refused = upload(platform)
    assert (refused.status, refused.json()["code"]) == (503, "store_unavailable")
    for command in (["scale", "busy", "2"], ["remove", "busy"], ["deploy", "more", "--handler", str(scratch / "busy")]):
        done = platform.run(*command)
        assert (done.code, done.err.count("\n")) == (69, 2), done
    platform.stop()
    again = platform.run("start", "--detach", *FREE)
    assert (again.code, "Read-only file system" in again.err, again.err.count("\n")) == (78, True, 2)
    disk.repair()
    platform.start()
    assert calls(platform, "busy") == {(200, b"on")}
    check_state(platform.data_dir, {"busy"})


def check_state(data_dir: Path, functions: set[str]) -> None:
    database = sqlite3.connect(f"file:{data_dir / 'state.db'}?mode=ro", uri=True)
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert {name for (name,) in database.execute("SELECT name FROM functions")} == functions
    finally:
        database.close()
    names = [name for _, folders, files in os.walk(data_dir) for name in (*folders, *files)]
    left = [name for name in names if name.startswith((".new-", ".site-")) or name.endswith(".part")]
    assert left == []
