"""Flows on the real platform: every kind of step, and a run that goes on whatever is killed under it."""

import json
import os
import re
import signal
import sqlite3
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.system.door import Door, pid_of
from tests.system.driver import Platform, eventually

NAMESPACE = "/v1/namespaces/openfaas-fn"
DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "flows.md"
FUNCTIONS = {
    "check-order": """
import json
def handle(event, context):
    return {"lines": json.loads(event.body)["lines"]}
""",
    "price-line": """
import json
def handle(event, context):
    return {"price": json.loads(event.body)["n"] * 7}
""",
    "charge": """
def handle(event, context):
    if event.headers.get("X-Dayfly-Flow-Attempt") == "1":
        return {"statusCode": 503, "body": "not yet"}
    return {"paid": True}
""",
    "ship": """
def handle(event, context):
    return "shipped"
""",
    "slow": """
import time
def handle(event, context):
    time.sleep(0.4)
    return int(event.body) * 10
""",
    "picture": """
def handle(event, context):
    return {"statusCode": 200, "headers": {"Content-Type": "image/png"}, "body": b"\\x89PNG" + event.body}
""",
    "size": """
def handle(event, context):
    return {"type": event.headers.get("Content-Type"), "bytes": len(event.body), "png": event.body[:4] == b"\\x89PNG"}
""",
}
LONG = """
name: long
steps:
  - {name: first, do: call, function: slow, body: "`1`"}
  - name: each
    do: map
    over: "`[1, 2, 3, 4, 5, 6, 7, 8]`"
    concurrency: 2
    steps:
      - {name: ten, do: call, function: slow}
  - {name: big, do: filter, over: each, keep: item > `20`}
  - {name: pairs, do: split, over: big, size: 2}
  - {name: pause, do: delay, for: 200ms}
  - {name: last-call, do: call, function: slow, body: length(pairs)}
"""


@pytest.fixture(scope="module")
def running(shared_platform: Platform) -> Platform:
    """A platform with the functions that the flows here call."""
    folder = shared_platform.data_dir.parent
    for name, code in FUNCTIONS.items():
        shared_platform.deploy_function(folder / name, code)
    return shared_platform


@pytest.fixture
def door(running: Platform) -> Door:
    """Its gateway, as it is now."""
    return Door(running)


def deploy(platform: Platform, text: str) -> None:
    path = platform.data_dir.parent / "flow.yaml"
    path.write_text(text)
    assert platform.ok("flow", "deploy", "-f", str(path)).startswith("Flow deployed: ")


def begin(door: Door, flow: str, given: object = None) -> str:
    """Begin a run by the API, which is quicker than a command."""
    answer = door.ask(
        "POST", f"{NAMESPACE}/flows/{flow}/runs", json.dumps(given).encode(), Content_Type="application/json",
        **door.login,
    )  # fmt: skip
    assert answer.status == 202, answer
    return str(answer.json()["run"]["id"])


def report(door: Door, run: str) -> dict[str, Any]:
    """Return a run as it stands, nothing while nobody can say."""
    try:
        answer = door.api("GET", f"{NAMESPACE}/flow-runs/{run}")
    except OSError:
        return {}
    return dict(answer.json()) if answer.status == 200 else {}


def states(door: Door, run: str) -> dict[str, str]:
    return {each["path"]: each["state"] for each in report(door, run).get("steps", ())}


def over(door: Door, run: str) -> dict[str, Any]:
    """Return a run that has come to its end."""
    found: dict[str, Any] = {}

    def is_over() -> bool:
        found.update(report(door, run))
        return bool(found) and found["run"]["state"] != "running"

    eventually(f"the run {run} is over", is_over)
    return found


def entries(platform: Platform, run: str) -> list[dict[str, Any]]:
    """Return the log of a run as it is on the disk."""
    with sqlite3.connect(f"file:{platform.data_dir}/flows/flows.db?mode=ro", uri=True) as database:
        rows = database.execute("SELECT entry FROM entries WHERE run = ? ORDER BY number", (run,)).fetchall()
    database.close()
    return [json.loads(text) for (text,) in rows]


def docs_flow() -> str:
    found = re.search(r"```yaml\n(name: order\n.*?)```", DOCS.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


ORDER = {"customer": "Ada", "lines": [{"sku": "a", "n": 2}, {"sku": "b", "n": 1}]}


def is_waiting(door: Door, run: str) -> bool:
    return states(door, run).get("size.0.approved") == "waiting"


def test_the_flow_of_the_docs_does_what_they_say(running: Platform, door: Door) -> None:
    deploy(running, docs_flow())
    run = begin(door, "order", ORDER)
    eventually("it waits for the event", lambda: states(door, run).get("both.letter.paid") == "waiting")
    running.ok("flow", "send", run, "paid", "-d", '{"by": "card"}')
    done = over(door, run)
    assert done["run"]["result"] == {"total": 21, "parcel": "shipped", "paid": {"by": "card"}}
    found = {each["path"]: each for each in done["steps"]}
    assert found["pay"]["attempt"] == 2
    assert found["pay"]["error"]["status"] == 503
    assert found["prices.1.price"]["input"] == {"sku": "b", "n": 1}
    assert "size.otherwise.pause" in found
    drawn = running.ok("flow", "describe", run)
    assert "├─ ✓ prices" in drawn
    assert "call charge, attempt 2" in drawn
    assert run in running.ok("flow", "runs", "order", "--output", "name")
    assert running.ok("queue", "dead") == "No calls found.\n", "what a flow has taken note of is no dead letter"


def test_a_person_approves_or_rejects(running: Platform, door: Door) -> None:
    large = {"customer": "Ada", "lines": [{"sku": "a", "n": 20}]}
    yes, no = begin(door, "order", large), begin(door, "order", large)
    for run in (yes, no):
        eventually("it waits", partial(is_waiting, door, run))
        assert f"dayfly flow approve {run} size.0.approved" in running.ok("flow", "describe", run)
    running.ok("flow", "approve", no, "approved", "--reject", "--comment", "too dear")
    assert over(door, no)["run"]["error"]["code"] == "rejected"
    running.ok("flow", "approve", yes, "approved", "--comment", "fine")
    eventually("it has gone on", lambda: states(door, yes).get("both.letter.paid") == "waiting")
    steps = {each["path"]: each for each in report(door, yes)["steps"]}
    assert (steps["size.0.approved"]["by"], steps["size.0.approved"]["comment"]) == ("local", "fine")
    running.ok("flow", "cancel", yes)
    assert over(door, yes)["run"]["state"] == "cancelled"
    assert states(door, yes)["both.letter.paid"] == "stopped"
    assert "is over" in running.run("flow", "approve", yes, "approved").err


def test_bytes_pass_through_a_sequence_as_they_are(running: Platform) -> None:
    running.ok("flow", "create", "pictures", "--step", "picture", "--step", "size")
    answer = json.loads(running.ok("flow", "run", "pictures", "-d", "cat", "--wait"))
    assert answer == {"type": "image/png", "bytes": 7, "png": True}
    assert "exists already" in running.run("flow", "create", "pictures", "--step", "size").err
    running.ok("flow", "remove", "pictures")
    assert "pictures" not in running.ok("flow", "list", "--output", "name")


@pytest.mark.parametrize("part", ["control", "queue", "nats", "gateway", "all"])
def test_a_part_that_is_killed_costs_a_run_nothing(running: Platform, door: Door, part: str) -> None:
    if part == "control":
        deploy(running, LONG)
    run = begin(door, "long")
    eventually("it is amid the map", lambda: states(door, run).get("each.1.ten") == "done")
    for role in ("control", "queue", "nats") if part == "all" else (part,):
        os.kill(pid_of(running, role), signal.SIGKILL)
    done = over(door, run)
    assert done["run"]["state"] == "done", done["run"]["error"]
    assert done["run"]["result"] == 30
    log = entries(running, run)
    counts = Counter((entry["type"], entry.get("path")) for entry in log)
    assert set(counts.values()) == {1}, "something was begun or ended twice"
    assert not [entry for entry in log if entry["type"] == "failed"]
    came_to = {entry["path"]: entry.get("result") for entry in log if entry["type"] == "ended"}
    assert [came_to[f"each.{at}.ten"] for at in range(8)] == [10 * (at + 1) for at in range(8)], "only it makes these"


def test_a_run_goes_on_from_any_of_its_steps(running: Platform, door: Door) -> None:
    run = begin(door, "long")
    first = over(door, run)
    assert first["run"]["result"] == 30
    again = over(door, running.ok("flow", "rerun", run, "--from", "each.7.ten").strip())
    assert (again["run"]["result"], again["run"]["rerun_of"]) == (30, run)
    begun = {each["path"]: each["started_unix_ms"] >= again["run"]["started_unix_ms"] for each in again["steps"]}
    assert [path for path, is_new in begun.items() if is_new] == [
        "each.7.ten", "big", "pairs", "pause", "last-call",
    ]  # fmt: skip
    assert "several places" in running.run("flow", "rerun", run, "--from", "ten").err
    assert "Goes On: " in running.ok("flow", "describe", again["run"]["id"])


def test_runs_outlive_a_stop_of_the_platform(running: Platform, door: Door) -> None:
    run = begin(door, "order", ORDER)
    eventually("it waits for the event", lambda: states(door, run).get("both.letter.paid") == "waiting")
    running.ok("upgrade", "--again")
    eventually("it waits still", lambda: states(door, run).get("both.letter.paid") == "waiting")
    running.stop()
    running.start()
    running.ok("flow", "send", run, "paid")
    assert over(Door(running), run)["run"]["state"] == "done"
