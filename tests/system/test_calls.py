"""Records of calls on the real platform: every way to call leaves one, and they outlive what they tell of."""

import http.client
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.system.driver import DEADLINE_S, Platform, Reply, eventually

CODE = """
import time
def handle(event, context):
    print("asked for", event.path, flush=True)
    if event.path == "/bad":
        raise ValueError("no")
    if event.path == "/late":
        time.sleep(10)
    return "fine"
"""
FAIL = """
def handle(event, context):
    return {"statusCode": 500, "body": "no"}
"""


BURN = """
import time
def burn():
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
def handle(event, context):
    burn()
    return "burnt"
"""
HEAVY = (
    BURN
    + """
held = b"x" * (64 << 20)
burn()
print(len(held))
"""
)


class Door:
    """A platform's gateway, asked by who started it."""

    def __init__(self, platform: Platform) -> None:
        address = urlsplit(platform.status()["gateway_url"])
        self._host, self._port = str(address.hostname), address.port
        self._login = {"Authorization": "Bearer " + (platform.data_dir / "run" / "token").read_text()}

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Ask the gateway something."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=DEADLINE_S)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def called(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> str:
        """Call a function and return the call's id."""
        return self.ask(method, path, b"12345" if method == "POST" else None, headers).headers["x-call-id"]

    def api(self, path: str) -> Reply:
        """Ask the control plane something."""
        return self.ask("GET", path, None, self._login)

    def listed(self, query: str = "") -> list[dict[str, Any]]:
        """Return the records that a query finds; none while nobody can say."""
        answer = self.api(f"/v1/namespaces/openfaas-fn/records?{query}")
        found: list[dict[str, Any]] = answer.json() if answer.status == 200 else []
        return found

    def one(self, call_id: str) -> dict[str, Any]:
        """Return the only record of a call."""
        (found,) = self.api(f"/v1/calls/{call_id}/records").json()
        assert isinstance(found, dict)
        return found

    def sleep(self, name: str) -> None:
        """Scale a function to zero and wait until it is there."""
        path = f"/v1/namespaces/openfaas-fn/functions/{name}"
        assert self.ask("POST", path + "/scale", b'{"replicas": 0}', self._login).status < 300
        eventually("it sleeps", lambda: self.api(path).json()["state"] == "idle")


@pytest.mark.timeout(120)
def test_what_a_call_used_is_in_its_record(shared_platform: Platform, tmp_path: Path) -> None:
    shared_platform.deploy_function(tmp_path / "burner", BURN)
    (tmp_path / "heavy").mkdir()
    (tmp_path / "heavy" / "heavy.py").write_text(HEAVY)
    program = ("--lang", "exec", "--fprocess", "python3 heavy.py")
    shared_platform.ok("deploy", "heavy", "--handler", str(tmp_path / "heavy"), *program)
    door = Door(shared_platform)
    door.called("/function/burner")
    burnt = door.one(door.called("/function/burner"))
    assert burnt["status"] == 200
    assert burnt["cpu_ms"] >= 80, "it is measured once a call has taken long"
    heavy = door.one(door.called("/function/heavy"))
    assert heavy["status"] == 200
    assert heavy["cpu_ms"] >= 80
    assert heavy["memory_bytes"] >= 64 << 20


@pytest.mark.timeout(120)
def test_every_call_leaves_a_record_that_outlives_a_kill_and_a_restart(platform: Platform, scratch: Path) -> None:
    platform.start()
    platform.deploy_function(scratch / "work", CODE, "--env", "exec_timeout=3s")
    platform.deploy_function(scratch / "fail", FAIL, "--annotation", "com.openfaas.retry.attempts=2",
                             "--annotation", "com.openfaas.retry.min_wait=10ms")  # fmt: skip
    platform.deploy_function(
        scratch / "tick", CODE, "--annotation", "topic=cron-function", "--annotation", "schedule=@every 1s"
    )
    door = Door(platform)
    door.sleep("work")
    forged = {"X-Dayfly-Trigger": "cron", "X-Dayfly-Subject": "root", "X-Dayfly-Auth": "jwt"}
    cold = door.one(door.called("/function/work/first", forged, "POST"))
    assert (cold["cold"], cold["status"], cold["error"], cold["path"]) == (True, 200, "", "/first")
    assert cold["init_ms"] > 0
    assert (cold["trigger"], cold["caller"], cold["address"]) == ("http", "", "127.0.0.1")
    assert (cold["request_bytes"], cold["response_bytes"], cold["revision"]) == (5, 4, 1)
    warm = door.one(door.called("/function/work/second?card=4711"))
    assert (warm["cold"], warm["init_ms"], warm["path"]) == (False, 0.0, "/second")
    bad = door.called("/function/work/bad")
    assert (door.one(bad)["status"], door.one(bad)["error"]) == (500, "function_error")
    late = door.one(door.called("/function/work/late"))
    assert (late["status"], late["error"]) == (504, "timeout") or late["error"] == "function_timed_out"

    queued = door.called("/async-function/fail", forged, "POST")
    eventually("it was tried twice", lambda: len(door.listed("function=fail")) == 2)
    assert {(each["id"], each["trigger"], each["caller"]) for each in door.listed("function=fail")} == {
        (queued, "queue", "")
    }
    keyed = door.called("/function/work/once", {"Idempotency-Key": "k"}, "POST")
    assert (door.one(keyed)["trigger"], door.one(keyed)["address"]) == ("http", "127.0.0.1")
    failed = door.one(door.called("/function/fail/keyed", {"Idempotency-Key": "k2"}, "POST"))
    assert (failed["status"], failed["error"], failed["path"]) == (500, "function_error", "/keyed")
    eventually("the clock called", lambda: door.listed("trigger=cron"))
    assert {each["function"] for each in door.listed("trigger=cron")} == {"tick"}

    assert {each["id"] for each in door.listed("failed=true&function=work")} == {bad, late["id"]}
    slow = {each["id"] for each in door.listed("slow=2900ms&function=work")}
    took_ms = {each["id"]: each["wait_ms"] + each["init_ms"] + each["run_ms"] for each in door.listed("function=work")}
    assert late["id"] in slow
    assert slow == {call_id for call_id, ms in took_ms.items() if ms >= 2900}
    hours = door.api("/v1/namespaces/openfaas-fn/rollups?by=hour&function=work").json()
    counts = [sum(hour[what] for hour in hours) for what in ("calls", "failed", "cold")]
    assert (counts[0], counts[1] >= 1, counts[2] >= 1) == (5, True, True)
    assert bad in platform.ok("calls", "--failed")
    shown = platform.ok("call", bad)
    assert all(text in shown for text in ("function_error", "asked for /bad", "ValueError: no"))
    assert "asked for /second" not in shown
    assert "Attempt 2 of 2" in platform.ok("call", queued)

    before = platform.pids("control")
    around = [door.called("/function/work/before") for _ in range(5)]
    os.kill(before[0], signal.SIGKILL)
    around += [door.called("/function/work/meanwhile") for _ in range(3)]
    eventually("they are recorded", lambda: {each["id"] for each in door.listed("function=work")} >= {*around, bad})
    assert sorted(each["id"] for each in door.listed("function=work") if each["id"] in around) == sorted(around)

    platform.stop()
    platform.start()
    after = Door(platform)
    assert after.one(bad)["error"] == "function_error"
    assert b"asked for /bad" in after.api(f"/v1/calls/{bad}/logs").body


def test_who_wants_no_records_has_none(scratch: Path) -> None:
    platform = Platform(scratch / "data", {"DAYFLY_RECORDS": "off"})
    try:
        platform.start()
        platform.deploy_function(scratch / "work", CODE)
        door = Door(platform)
        call_id = door.called("/function/work")
        assert door.listed() == []
        assert door.api(f"/v1/calls/{call_id}/records").status == 404
    finally:
        platform.stop()
