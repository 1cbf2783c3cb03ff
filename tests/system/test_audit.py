"""The audit log on a whole platform: what commands change is in it, over kills, and whoever alters it is found."""

import json
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.system.door import Door
from tests.system.driver import Platform, eventually, kill

HANDLER = "def handle(event, context):\n    return 'ok'\n"
SECRET = "hush-hush-hush"
ROUNDS = 3


def listed(platform: Platform, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(platform.ok("audit", "list", "--limit", "1000", "-o", "json", *options))
    return found


def another(platform: Platform, others: list[list[int]]) -> bool:
    return platform.pids("control") not in others


@pytest.mark.timeout(300)
def test_what_is_changed_is_written_down_whatever_is_killed(platform: Platform, scratch: Path) -> None:
    platform.start()
    platform.deploy_function(scratch / "hello", HANDLER, "--env", "MODE=test")
    platform.ok("secret", "create", "key", stdin=SECRET)
    platform.ok("token", "create", "--role", "deploy", "--note", "ci")
    door = Door(platform)
    wrong = {"Authorization": "Bearer nobody"}
    assert door.ask("GET", "/v1/tokens", None, **wrong).status == 401

    actions = [(each["action"], each["target"], each["status"]) for each in listed(platform)]
    assert actions[0] == ("sign-in.failed", "/v1/tokens", 401)
    assert actions[1][0] == "token.create"
    assert actions[2:4] == [("secret.put", "key", 201), ("function.put", "hello", 201)]
    assert "hello" in platform.ok("audit", "list", "--action", "function")

    # Changes are asked for one after the other while the control plane is killed: each that was acknowledged is there.
    made: list[str] = []
    for round_number in range(ROUNDS):
        before = platform.pids("control")
        for number in range(3):
            name = f"s-{round_number}-{number}"
            if door.ask("PUT", f"/v1/namespaces/openfaas-fn/secrets/{name}", b"x", **door.login).status == 201:
                made.append(name)
        kill(before[0])
        others = [[], before]
        eventually("another control plane is there", partial(another, platform, others))
        eventually("it answers", lambda: platform.ask("GET", "/v1/openapi.json").status == 200)
    assert len(made) == 3 * ROUNDS
    told = [each["target"] for each in listed(platform, "--action", "secret.put")]
    assert sorted(told) == sorted(["key", *made])

    printed = platform.ok("audit", "verify")
    head = printed.rpartition("Head ")[2].strip()
    assert "The log is whole" in printed
    assert platform.run("audit", "verify", "--head", head).code == 0
    assert SECRET not in (platform.data_dir / "records" / "audit.db").read_bytes().decode(errors="replace")
    eventually("the head goes where the log goes", lambda: head.partition(":")[2] in platform.log())

    platform.stop()
    with sqlite3.connect(platform.data_dir / "records" / "audit.db") as file:
        file.execute(
            "UPDATE entries SET entry = replace(entry, '\"hello\"', '\"howdy\"') WHERE action = 'function.put'"
        )
        (broken,) = file.execute("SELECT min(sequence) FROM entries WHERE action = 'function.put'").fetchone()
    file.close()
    platform.start()
    done = platform.run("audit", "verify")
    assert (done.code, f"BROKEN at entry {broken}" in done.out) == (1, True), done.out
