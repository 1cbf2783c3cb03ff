"""The wall clock of control plane and gateways jumps, by an hour and by a day, both ways: nothing depends on it.

What is called by the clock is called neither twice nor never.
"""

import base64
import json
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from chaos.clocks import CannotFake, JumpingClock
from tests.system.conftest import end
from tests.system.driver import Platform, Reply, eventually, kill
from tests.system.known_address import KnownAddress

HOUR_S, DAY_S = 3600, 86_400
JUMPS = (HOUR_S, -HOUR_S, DAY_S, 0)
DUE = """
def handle(event, context):
    told = {name.lower(): value for name, value in event.headers.items()}
    print("due", told.get("x-dayfly-due") or told["ce-time"], flush=True)
"""
SAY = "def handle(event, context):\n    print(event.body.decode())\n    return event.body\n"


class Caller(threading.Thread):
    """Calls a function without a pause until told to end, and keeps what is wrong with the answers."""

    def __init__(self, platform: Platform) -> None:
        super().__init__()
        self.answered = 0
        self.wrong: list[str] = []
        self._connection = platform.connect()
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(0.005):
            self._connection.request("POST", "/function/busy", b"on")
            answer = self._connection.getresponse()
            body, took_s = answer.read(), float(answer.headers["X-Duration-Seconds"])
            self.answered += 1
            if (answer.status, body) != (200, b"on") or not 0 <= took_s < 10:
                self.wrong.append(f"{answer.status} {body!r} after {took_s} s")

    def wait_for(self, count: int) -> None:
        """Return after so many more calls."""
        until = self.answered + count
        eventually("calls go on", lambda: self.answered >= until)

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self.join()
        self._connection.close()


@pytest.fixture(scope="module")
def jumping() -> Iterator[tuple[Platform, JumpingClock]]:
    """A running platform, and its clock."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        Path(name).chmod(0o755)
        try:
            clock = JumpingClock(Path(name) / "clock")
        except CannotFake as error:
            pytest.skip(f"{error}; as root, `apt-get install faketime` changes that")
        platform = KnownAddress(Path(name) / "data", clock.environ)
        try:
            platform.start()
            yield platform, clock
        finally:
            end(platform)


def as_admin(platform: Platform, path: str, listener: str = "gateway_url") -> Reply:
    token = (platform.data_dir / "run" / "token").read_text()
    return platform.ask("GET", path, listener=listener, headers={"Authorization": f"Bearer {token}"})


def counters(platform: Platform) -> dict[str, float]:
    """Return the metrics that may only rise; none of all metrics is negative."""
    page = as_admin(platform, "/metrics", "metrics_url").body.decode()
    rising = {
        line.split()[2] for line in page.splitlines() if line.startswith("# TYPE") and not line.endswith(" gauge")
    }
    lines = [line.rpartition(" ") for line in page.splitlines() if not line.startswith("#")]
    samples = [(name, float(value)) for name, _, value in lines]
    assert [name for name, value in samples if value < 0] == []
    return {name: value for name, value in samples if re.sub(r"(_bucket|_sum|_count)?\{.*", "", name) in rising}


def status_of(platform: Platform, name: str) -> dict[str, Any]:
    found: dict[str, Any] = as_admin(platform, f"/v1/namespaces/openfaas-fn/functions/{name}").json()
    return found


def queued(platform: Platform, name: str, delay: str) -> str:
    """Queue a call and return its id."""
    reply = platform.ask("POST", f"/async-function/{name}", b"on", headers={"X-Delay": delay})
    assert reply.status == 202, reply
    return reply.headers["x-call-id"]


def call_of(platform: Platform, call_id: str) -> dict[str, Any]:
    found: dict[str, Any] = as_admin(platform, f"/v1/calls/{call_id}").json()
    return found


def log_of(platform: Platform, query: str) -> bytes:
    return as_admin(platform, f"/v1/namespaces/openfaas-fn/functions/teller/logs?{query}").body


def log_in(platform: Platform, password: str) -> Reply:
    header = base64.b64encode(f"admin:{password}".encode()).decode()
    return platform.ask("GET", "/system/functions", headers={"Authorization": f"Basic {header}"})


@pytest.mark.timeout(150)
def test_jumps_of_the_clock_fail_no_call_and_change_no_decision(
    jumping: tuple[Platform, JumpingClock], scratch: Path
) -> None:
    platform, clock = jumping
    for name, idle in (("busy", "10m"), ("teller", "10m"), ("patient", "10m"), ("brief", "2s")):
        platform.deploy_function(scratch / name, SAY, "--label", f"com.openfaas.scale.zero-duration={idle}")
        assert platform.ask("POST", f"/function/{name}", b"on").status == 200
    patient = status_of(platform, "patient")["replicas"][0]["id"]
    late = queued(platform, "busy", "2h")
    caller, before = Caller(platform), counters(platform)
    with caller:
        jump_about(clock, platform, caller, before)
    assert caller.wrong == []
    assert call_of(platform, late)["state"] == "queued", "two hours have not passed either"
    # Neither an hour nor a day of idleness has passed, but two seconds have.
    assert [replica["id"] for replica in status_of(platform, "patient")["replicas"]] == [patient]
    eventually("the brief one sleeps", lambda: status_of(platform, "brief")["ready_replicas"] == 0)
    assert platform.ask("POST", "/function/brief", b"on").body == b"on"
    assert b"jumped by 0" in log_of(platform, "since=5m")


def jump_about(clock: JumpingClock, platform: Platform, caller: Caller, before: dict[str, float]) -> None:
    """Let the clock jump, and look each time at what could have noticed."""
    for offset_s in JUMPS:
        soon = queued(platform, "busy", "1s")
        clock.jump(offset_s)
        caller.wait_for(80)
        eventually("the queued call is made", lambda soon=soon: call_of(platform, soon)["state"] == "done")  # type: ignore[misc] # mypy infers no lambda with defaults
        made = call_of(platform, soon)
        assert made["attempts"] == 1
        assert abs(made["finished_unix_ms"] / 1000 - time.time() - offset_s) < 600, "and the queue's clock did jump"
        told = b"jumped by %d" % offset_s
        assert platform.ask("POST", "/function/teller", told).status == 200
        eventually("it was printed", lambda told=told: told in log_of(platform, "tail=1"))  # type: ignore[misc] # mypy infers no lambda with defaults
        after = counters(platform)
        assert {name for name, value in before.items() if after.get(name, value) < value} == set()
        before = after


class Moments:
    """Sets the clock by what it shows, and reads for which moments functions were called."""

    def __init__(self, platform: Platform, clock: JumpingClock) -> None:
        self._platform = platform
        self._clock = clock
        self._first = (time.time() // HOUR_S + 3) * HOUR_S
        """What the machine's clock will not reach."""

    def at(self, hours: float) -> str:
        """Return the moment so many hours after the first."""
        return datetime.fromtimestamp(self._first + hours * HOUR_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def set(self, hours: float, seconds: int = 0) -> None:
        """Let the clock show that moment, or some seconds later."""
        self._clock.jump(round(self._first + hours * HOUR_S + seconds - time.time()))

    def set_and_seen(self, hours: float, seconds: int = 0) -> None:
        """Do so and return when every function was looked at since: one is due each second."""
        self.set(hours, seconds)
        low, high = (self.at(hours + each / HOUR_S) for each in (seconds - 1, seconds + 300))
        eventually(f"{low} is seen", lambda: [each for each in self.of("ticking") if low < each < high], deadline_s=60)

    def of(self, function: str) -> list[str]:
        """Return the moments that the function was called for."""
        found = as_admin(self._platform, f"/v1/namespaces/openfaas-fn/functions/{function}/logs?tail=100")
        texts = [str(json.loads(line)["text"]) for line in found.body.splitlines()]
        return sorted(text.removeprefix("due ") for text in texts if text.startswith("due "))

    def wait(self, function: str, hours: float) -> None:
        """Return when the function was called for that moment."""
        moment = self.at(hours)
        eventually(f"{function} is called for {moment}", lambda: moment in self.of(function), deadline_s=60)


@pytest.mark.timeout(240)
def test_a_clock_that_jumps_calls_for_each_moment_once_and_loses_none(
    jumping: tuple[Platform, JumpingClock], scratch: Path
) -> None:
    platform, clock = jumping
    moments = Moments(platform, clock)
    clock.jump(0)
    cron, half_hours = ("--annotation", "topic=cron-function"), "schedule=0,30 * * * *"
    platform.deploy_function(scratch / "punctual", DUE, *cron, "--annotation", half_hours)
    skip = "com.dayfly.cron.missed=skip"
    platform.deploy_function(scratch / "skipping", DUE, *cron, "--annotation", half_hours, "--annotation", skip)
    platform.deploy_function(scratch / "ticking", DUE, *cron, "--annotation", "schedule=@every 1s")
    platform.deploy_function(scratch / "triggered", DUE)
    platform.ok("trigger", "create", "half-hours", "--function", "triggered", "--kind", "cron", "--set", half_hours)
    moments.set(0, 600)  # Some hours are not there: the last moment stands for all.
    moments.wait("punctual", 0)
    moments.wait("triggered", 0)
    moments.set_and_seen(0.5, -2)
    moments.wait("punctual", 0.5)
    moments.set_and_seen(-0.5, -600)  # An hour comes again.
    moments.set(-0.5, 600)
    moments.wait("punctual", -0.5)
    moments.set_and_seen(0.5, 600)  # What it asks for now it has been called for.
    moments.set(25, 600)  # A day is not there.
    moments.wait("punctual", 25)
    moments.set(49, 600)  # And one more, over a restart.
    kill_control(platform)
    moments.wait("punctual", 49)
    moments.wait("triggered", 49)
    moments.set(0.5, 1200)  # Two days come again, and who has forgotten asks for what was called for.
    kill_control(platform)
    moments.set(1, 600)
    moments.wait("punctual", 1)
    moments.wait("triggered", 1)
    assert moments.of("punctual") == [moments.at(hours) for hours in (-0.5, 0, 0.5, 1, 25, 49)]
    triggered, skipping = moments.of("triggered"), moments.of("skipping")
    assert sorted(set(triggered)) == triggered, "no moment twice"
    assert sorted(set(skipping)) == skipping
    assert set(skipping) <= {moments.at(0.5)}, "nothing is made up for"
    clock.jump(0)


def kill_control(platform: Platform) -> None:
    """Kill the control plane and wait for the next."""
    (pid,) = platform.pids("control")
    kill(pid)
    eventually("another control plane is there", lambda: platform.pids("control") not in ([], [pid]), deadline_s=60)
    eventually("it answers", lambda: platform.ask("GET", "/v1/openapi.json").status == 200, deadline_s=60)


def test_whoever_guesses_passwords_waits_no_less_when_the_clock_is_set(
    jumping: tuple[Platform, JumpingClock],
) -> None:
    platform, clock = jumping
    while log_in(platform, "wrong").status == 401:
        pass
    for offset_s in JUMPS:
        clock.jump(offset_s)
        assert log_in(platform, "wrong").status == 429
