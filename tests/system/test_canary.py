"""Canaries, rollback and failed deployments on the real program, under calls: who gets which, and who decides."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.system.driver import Platform, eventually, is_alive, kill

GOOD = """
def handle(event, context):
    return "{}"
"""
BAD = """
def handle(event, context):
    raise ValueError("nobody can use this")
"""
SLOW = """
import time

def handle(event, context):
    time.sleep(0.1)
    return "{}"
"""
LONG = ("--canary-window", "1h")


class Caller:
    """Calls one function again and again over one connection, and notes every answer."""

    def __init__(self, platform: Platform, name: str) -> None:
        self.answers: Counter[tuple[int, str]] = Counter()
        self._path = f"/function/{name}"
        self._connection = platform.connect()

    def call(self) -> tuple[int, str]:
        """Call once. A call that gets no answer at all fails the test."""
        self._connection.request("POST", self._path, b"")
        answer = self._connection.getresponse()
        found = answer.status, answer.read().decode()
        self.answers[found] += 1
        return found

    def calls(self, count: int) -> "Counter[tuple[int, str]]":
        """Call as often as this; return these answers only."""
        return Counter(self.call() for _ in range(count))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def under_calls(platform: Platform, name: str, callers: int = 3) -> "Iterator[Counter[tuple[int, str]]]":
    """Call the function all the time; yields the answers as they come."""
    stop = threading.Event()
    answers: Counter[tuple[int, str]] = Counter()
    broken: list[BaseException] = []

    def run(caller: Caller) -> None:
        try:
            while not stop.is_set():
                answers[caller.call()] += 1
        except (OSError, http.client.HTTPException) as error:
            broken.append(error)

    crew = [Caller(platform, name) for _ in range(callers)]
    threads = [threading.Thread(target=run, args=(caller,)) for caller in crew]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for caller in crew:
            caller.close()
    assert not broken


def ended(platform: Platform, name: str, revision: int) -> dict[str, Any]:
    """Wait until the rollout of this revision has ended; return the outcome."""
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        status = platform.describe(name)
        found.update(status["outcome"] or {}, now=status)
        return bool(status["rollout"] is None and status["outcome"] and status["outcome"]["revision"] == revision)

    eventually(f"the rollout of revision {revision} has ended", has_ended)
    return found


def roles(platform: Platform, name: str) -> dict[int, str]:
    listed = json.loads(platform.ok("revisions", name, "--output", "json"))
    return {one["number"]: one["role"] for one in listed}


def test_a_good_canary_is_promoted_and_no_call_fails(shared_platform: Platform, scratch: Path) -> None:
    platform, folder = shared_platform, scratch / "good"
    platform.deploy_function(folder, GOOD.format("one"))
    with under_calls(platform, "good") as answers:
        options = ("--canary", "30", "--canary-window", "1s", "--canary-calls", "30", "--canary-p95", "3")
        platform.deploy_function(folder, GOOD.format("two"), *options)
        outcome = ended(platform, "good", 2)
        after = answers[200, "two"]
        eventually("only the new one answers", lambda: answers[200, "two"] > after + 100)
    assert outcome["verdict"] == "promoted", outcome
    assert "nothing spoke against it in 1s" in outcome["reason"]
    assert set(answers) == {(200, "one"), (200, "two")}
    assert roles(platform, "good") == {2: "serving", 1: "kept"}


def test_a_canary_that_fails_is_returned_and_its_calls_were_its_part_only(
    shared_platform: Platform, scratch: Path
) -> None:
    platform, folder = shared_platform, scratch / "bad"
    platform.deploy_function(folder, GOOD.format("one"))
    with under_calls(platform, "bad") as answers:
        platform.deploy_function(folder, BAD, "--canary", "20", "--canary-calls", "20", *LONG)
        outcome = ended(platform, "bad", 2)
    assert outcome["verdict"] == "returned", outcome
    assert "its calls failed more often: 100 % of" in outcome["reason"]
    assert outcome["now"]["revision"] == 1
    failed = sum(count for (status, _), count in answers.items() if status != 200)
    assert 20 <= failed <= sum(answers.values()) * 0.2
    caller = Caller(platform, "bad")
    assert caller.calls(50) == {(200, "one"): 50}
    caller.close()
    assert roles(platform, "bad") == {2: "kept", 1: "serving"}
    assert "revision 2 was returned: its calls failed more often" in platform.log()


def test_a_canary_that_is_slow_is_returned_and_no_call_fails(shared_platform: Platform, scratch: Path) -> None:
    platform, folder = shared_platform, scratch / "slow"
    platform.deploy_function(folder, GOOD.format("one"))
    with under_calls(platform, "slow") as answers:
        platform.deploy_function(folder, SLOW.format("two"), "--canary", "30", "--canary-calls", "20", *LONG)
        outcome = ended(platform, "slow", 2)
    assert outcome["verdict"] == "returned", outcome
    assert "its calls took longer" in outcome["reason"]
    assert set(answers) == {(200, "one"), (200, "two")}


def test_a_canary_has_exactly_its_part_outlives_the_control_plane_and_is_promoted_by_hand(platform: Platform) -> None:
    platform.start("--gateways", "1")
    folder = platform.data_dir.parent / "part"
    platform.deploy_function(folder, GOOD.format("one"))
    platform.deploy_function(folder, GOOD.format("two"), "--canary", "25", "--canary-p95", "0", *LONG)
    caller = Caller(platform, "part")
    assert caller.calls(100) == {(200, "one"): 75, (200, "two"): 25}
    rollout = platform.describe("part")["rollout"]
    assert (rollout["state"], rollout["serving"]) == ("canary", 1)
    assert [(side["revision"], side["calls"], side["failed"]) for side in rollout["sides"]] == [(2, 25, 0), (1, 75, 0)]

    (control,) = platform.pids("control")
    kill(control)
    eventually("the control plane is gone", lambda: not is_alive(control))
    assert caller.calls(100) == {(200, "one"): 75, (200, "two"): 25}
    eventually("it is back", lambda: platform.run("describe", "part").code == 0)
    assert caller.calls(100) == {(200, "one"): 75, (200, "two"): 25}
    rollout = platform.describe("part")["rollout"]
    assert [side["calls"] for side in rollout["sides"]] == [75, 225]

    assert platform.ok("promote", "part") == "Revision 2 of part serves.\n"
    assert caller.calls(20) == {(200, "two"): 20}
    caller.close()
    again = platform.run("promote", "part")
    assert (again.code, "no canary of part is under way" in again.err) == (73, True)


def test_a_revision_that_never_gets_ready_never_gets_a_call(shared_platform: Platform, scratch: Path) -> None:
    platform, folder = shared_platform, scratch / "stuck"
    platform.deploy_function(folder, GOOD.format("one"))
    with under_calls(platform, "stuck") as answers:
        (folder / "handler.py").write_text("import nonsuch\n")
        done = platform.run("deploy", "stuck", "--handler", str(folder))
        assert done.code == 1
        first, hint, *_ = done.err.splitlines()
        assert first.startswith("Error: Revision 2 of stuck is failing: its handler could not be imported")
        assert first.endswith("ModuleNotFoundError: No module named 'nonsuch'")
        assert hint.startswith("Revision 1 goes on. `dayfly rollback stuck` ends the attempt")
        status = platform.describe("stuck")
        assert (status["revision"], status["state"], status["fault"]) == (2, "failing", "import_failed")
        assert roles(platform, "stuck") == {2: "candidate", 1: "serving"}
        assert platform.ok("rollback", "stuck") == "Revision 1 of stuck serves.\n"
        assert roles(platform, "stuck") == {2: "kept", 1: "serving"}
    assert set(answers) == {(200, "one")}


def test_rollback_goes_back_and_forth_and_no_call_fails(shared_platform: Platform, scratch: Path) -> None:
    platform, folder = shared_platform, scratch / "back"
    for text in ("one", "two", "three"):
        platform.deploy_function(folder, GOOD.format(text))
    caller = Caller(platform, "back")
    with under_calls(platform, "back") as answers:
        for options, revision, text in (((), 2, "two"), (("--to", "1"), 1, "one"), (("--to", "3"), 3, "three")):
            assert platform.ok("rollback", "back", *options) == f"Revision {revision} of back serves.\n"
            assert caller.calls(10) == {(200, text): 10}
            assert roles(platform, "back")[revision] == "serving"
    assert {status for status, _ in answers} == {200}
    caller.close()
    for options, code, says in (
        (("--to", "3"), 64, "serves already"),
        (("--to", "9"), 66, "revision 9 of back is not kept"),
        (("--to", "0"), 64, "must be 1 or more"),
    ):
        done = platform.run("rollback", "back", *options)
        assert (done.code, says in done.err) == (code, True), done.err
    platform.deploy_function(folder, GOOD.format("four"))
    assert roles(platform, "back") == {4: "serving", 3: "kept", 2: "kept", 1: "kept"}
