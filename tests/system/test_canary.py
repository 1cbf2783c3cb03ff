"""Canaries, rollback and failed deployments on the real program, under calls: who gets which, and who decides."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.system.driver import DEADLINE_S, Platform, eventually, is_alive, kill
from tests.system.load import Callers

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


def callers(platform: Platform, name: str) -> Callers:
    """Return callers that never stop calling the function."""
    return Callers(platform.connect, f"/function/{name}", kept=2, fresh=0)


def calls(platform: Platform, name: str, count: int) -> "Counter[str]":
    """Call the function so often, one call after the other over one connection; return the answers."""
    answers: Counter[str] = Counter()
    connection = platform.connect()
    for _ in range(count):
        connection.request("POST", f"/function/{name}", b"")
        answer = connection.getresponse()
        body = answer.read().decode()
        answers[body if answer.status == 200 else f"{answer.status} {body}"] += 1
    connection.close()
    return answers


def ended(platform: Platform, name: str, revision: int) -> dict[str, Any]:
    """Wait until the rollout of this revision has ended; return the outcome, and the status as `now`."""
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        status = platform.describe(name)
        found.update(status["outcome"] or {}, now=status)
        return bool(status["rollout"] is None and status["outcome"] and status["outcome"]["revision"] == revision)

    eventually(f"the rollout of revision {revision} has ended", has_ended, deadline_s=2 * DEADLINE_S)
    return found


def roles(platform: Platform, name: str) -> dict[int, str]:
    listed = json.loads(platform.ok("revisions", name, "--output", "json"))
    return {one["number"]: one["role"] for one in listed}


def test_a_good_canary_is_promoted_and_no_call_fails(shared_platform: Platform, scratch: Path) -> None:
    platform, folder = shared_platform, scratch / "good"
    platform.deploy_function(folder, GOOD.format("one"))
    with callers(platform, "good") as crowd:
        options = ("--canary", "30", "--canary-window", "1s", "--canary-calls", "30", "--canary-p95", "100")
        platform.deploy_function(folder, GOOD.format("two"), *options)
        outcome = ended(platform, "good", 2)
    assert outcome["verdict"] == "promoted", outcome
    assert "nothing spoke against it in 1s" in outcome["reason"]
    assert (set(crowd.answers), crowd.lost) == ({b"one", b"two"}, [])
    assert calls(platform, "good", 20) == {"two": 20}
    assert roles(platform, "good") == {2: "serving", 1: "kept"}


def test_a_canary_that_fails_is_returned_and_its_calls_were_its_part_only(
    shared_platform: Platform, scratch: Path
) -> None:
    platform, folder = shared_platform, scratch / "bad"
    platform.deploy_function(folder, GOOD.format("one"))
    with callers(platform, "bad") as crowd:
        platform.deploy_function(folder, BAD, "--canary", "20", "--canary-calls", "20", *LONG)
        outcome = ended(platform, "bad", 2)
    assert outcome["verdict"] == "returned", outcome
    assert "its calls failed more often: 100 % of" in outcome["reason"]
    assert outcome["now"]["revision"] == 1
    assert set(crowd.answers) == {b"one"}
    assert {lost.what[:4] for lost in crowd.lost} == {"500 "}
    assert 20 <= len(crowd.lost) <= (crowd.calls + len(crowd.lost)) * 0.2
    assert calls(platform, "bad", 50) == {"one": 50}
    assert roles(platform, "bad") == {2: "kept", 1: "serving"}
    why = "revision 2 was returned: its calls failed more often"
    eventually("it is in the log", lambda: why in platform.log())


def test_a_canary_that_is_slow_is_returned_and_no_call_fails(shared_platform: Platform, scratch: Path) -> None:
    platform, folder = shared_platform, scratch / "slow"
    platform.deploy_function(folder, GOOD.format("one"))
    with callers(platform, "slow") as crowd:
        platform.deploy_function(folder, SLOW.format("two"), "--canary", "30", "--canary-calls", "20", *LONG)
        outcome = ended(platform, "slow", 2)
    assert outcome["verdict"] == "returned", outcome
    assert "its calls took longer" in outcome["reason"]
    assert (set(crowd.answers), crowd.lost) == ({b"one", b"two"}, [])


def test_a_canary_has_exactly_its_part_outlives_the_control_plane_and_is_promoted_by_hand(platform: Platform) -> None:
    platform.start("--gateways", "1")
    folder = platform.data_dir.parent / "part"
    platform.deploy_function(folder, GOOD.format("one"))
    platform.deploy_function(folder, GOOD.format("two"), "--canary", "25", "--canary-p95", "0", *LONG)
    assert calls(platform, "part", 100) == {"one": 75, "two": 25}

    def sides() -> list[object]:
        told = platform.describe("part")["rollout"]["sides"]
        return [(side["revision"], side["calls"], side["failed"]) for side in told]

    eventually("all calls are counted", lambda: sides() == [(2, 25, 0), (1, 75, 0)])
    rollout = platform.describe("part")["rollout"]
    assert (rollout["state"], rollout["serving"]) == ("canary", 1)

    (control,) = platform.pids("control")
    kill(control)
    eventually("the control plane is gone", lambda: not is_alive(control))
    assert calls(platform, "part", 100) == {"one": 75, "two": 25}
    eventually("it is back", lambda: platform.run("describe", "part").code == 0)
    assert calls(platform, "part", 100) == {"one": 75, "two": 25}
    eventually("it knows of all calls", lambda: sides() == [(2, 75, 0), (1, 225, 0)])

    eventually("and the gateway is with it", platform.is_whole)
    assert platform.ok("promote", "part") == "Revision 2 of part serves.\n"
    assert calls(platform, "part", 20) == {"two": 20}
    again = platform.run("promote", "part")
    assert (again.code, "no canary of part is under way" in again.err) == (73, True)


def test_a_revision_that_never_gets_ready_never_gets_a_call(shared_platform: Platform, scratch: Path) -> None:
    platform, folder = shared_platform, scratch / "stuck"
    platform.deploy_function(folder, GOOD.format("one"))
    with callers(platform, "stuck") as crowd:
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
    assert (set(crowd.answers), crowd.lost) == ({b"one"}, [])


def test_rollback_goes_back_and_forth_and_no_call_fails(shared_platform: Platform, scratch: Path) -> None:
    platform, folder = shared_platform, scratch / "back"
    for text in ("one", "two", "three"):
        platform.deploy_function(folder, GOOD.format(text))
    with callers(platform, "back") as crowd:
        for options, revision, text in (((), 2, "two"), (("--to", "1"), 1, "one"), (("--to", "3"), 3, "three")):
            assert platform.ok("rollback", "back", *options) == f"Revision {revision} of back serves.\n"
            assert calls(platform, "back", 10) == {text: 10}
            assert roles(platform, "back")[revision] == "serving"
    assert crowd.lost == []
    for options, code, says in (
        (("--to", "3"), 64, "serves already"),
        (("--to", "9"), 66, "revision 9 of back is not kept"),
        (("--to", "0"), 64, "must be 1 or more"),
    ):
        done = platform.run("rollback", "back", *options)
        assert (done.code, says in done.err) == (code, True), done.err
    platform.deploy_function(folder, GOOD.format("four"))
    assert roles(platform, "back") == {4: "serving", 3: "kept", 2: "kept", 1: "kept"}
