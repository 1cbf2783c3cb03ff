"""The guards on the real platform: circles of calls are cut, and budgets stop calls and hold queued ones."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.system.conftest import end
from tests.system.door import Door
from tests.system.driver import Platform, eventually, within_one_day

ECHO = """
def handle(event, context):
    return event.body
"""
PYTHON_LOOP = """
import urllib.error, urllib.request
def handle(event, context):
    print("ran at", event.headers["X-Dayfly-Depth"], flush=True)
    if not event.body:
        return {"headers": {"X-Callback-Url": event.headers["X-Callback-Url"]}, "body": ""}
    request = urllib.request.Request(event.text + context.function, data=event.body)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        print("was cut", flush=True)
        return f"{error.code} {error.read().decode()}"
"""
NODE_LOOP = """
module.exports = async (event, context) => {
  console.log('ran at', event.headers['x-dayfly-depth']);
  const answer = await fetch(event.body + context.function, { method: 'POST', body: event.body });
  const text = await answer.text();
  return context.status(200).succeed(answer.status === 200 ? text : `${answer.status} ${text}`);
};
"""
PYTHON_STARTER = """
import json, urllib.request
def handle(event, context):
    print("ran at", event.headers["X-Dayfly-Depth"], flush=True)
    told = json.loads(event.body)
    headers = {"Authorization": told["token"], "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(told["url"], event.body, headers), timeout=20) as answer:
        return json.loads(answer.read())["run"]["id"]
"""
NODE_STARTER = """
module.exports = async (event, context) => {
  console.log('ran at', event.headers['x-dayfly-depth']);
  const told = event.body;
  const headers = { Authorization: told.token, 'Content-Type': 'application/json' };
  const answer = await fetch(told.url, { method: 'POST', body: JSON.stringify(told), headers });
  return context.status(200).succeed((await answer.json()).run.id);
};
"""
BURN = """
import time
def handle(event, context):
    end = time.process_time() + 0.25
    while time.process_time() < end:
        pass
    return "burnt"
"""
RUNS = "/v1/namespaces/openfaas-fn/flow-runs"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A platform on which no call may be deeper than four."""
    folder = tmp_path_factory.mktemp("guards")
    for each in (folder, *folder.parents):
        if each.stat().st_mode & 0o777 == 0o700:
            each.chmod(0o755)
    platform = Platform(folder / "data", {
        "DAYFLY_MAX_DEPTH": "4", "DAYFLY_CALLBACK_ALLOW": "127.0.0.1", "DAYFLY_PRICES": "call=0.5,currency=EUR",
    })  # fmt: skip
    try:
        platform.start()
        port = urlsplit(platform.status()["gateway_url"]).port
        allow = ("--allow", f"tcp://localhost:{port}", "--allow", f"127.0.0.1:{port}")
        listed = f"com.dayfly.callback.allow=http://127.0.0.1:{port}"
        platform.deploy_function(folder / "loop", PYTHON_LOOP, *allow, "--annotation", listed)
        platform.deploy_function(folder / "brief", PYTHON_LOOP, *allow, "--annotation", "com.dayfly.max_depth=2")
        (folder / "node-loop").mkdir()
        (folder / "node-loop" / "handler.js").write_text(NODE_LOOP)
        platform.ok("deploy", "node-loop", "--handler", str(folder / "node-loop"), "--lang", "node", *allow)
        platform.deploy_function(folder / "starter", PYTHON_STARTER, *allow)
        (folder / "node-starter").mkdir()
        (folder / "node-starter" / "handler.js").write_text(NODE_STARTER)
        platform.ok("deploy", "node-starter", "--handler", str(folder / "node-starter"), "--lang", "node", *allow)
        yield Door(platform)
    finally:
        end(platform)


def depths(running: Door, name: str) -> list[int]:
    """Return at which depths a function ran, as its log tells."""
    lines = running.platform.ok("logs", name, "--lines", "1000").splitlines()
    return sorted(int(found[1]) for line in lines if (found := re.search(r"ran at (\d+)", line)))


def cut(running: Door, name: str) -> int:
    """Return how often a call of the function's was cut, as its log tells."""
    return running.platform.ok("logs", name, "--lines", "1000").count("was cut")


@pytest.mark.parametrize(("name", "deepest"), [("loop", 4), ("brief", 2), ("node-loop", 4)])
def test_a_function_that_calls_itself_is_cut(running: Door, name: str, deepest: int) -> None:
    base = running.platform.status()["gateway_url"]
    answer = running.ask("POST", f"/function/{name}", f"{base}/function/".encode())
    assert answer.status == 200
    status, _, text = answer.body.decode().partition(" ")
    assert (status, json.loads(text)["code"]) == ("508", "loop_detected")
    eventually("its log is whole", lambda: len(depths(running, name)) == deepest)
    assert depths(running, name) == list(range(1, deepest + 1))
    if name == "loop":
        answer = running.ask("POST", "/function/loop", b"x", X_Dayfly_Depth="4")
        assert (answer.status, answer.json()["code"]) == (508, "loop_detected")
        assert running.ask("POST", "/function/loop", b"x", X_Dayfly_Depth="none").status == 400


def test_one_that_queues_itself_is_cut(running: Door) -> None:
    base, before, cuts = running.platform.status()["gateway_url"], depths(running, "loop"), cut(running, "loop")
    running.submit("loop", f"{base}/async-function/".encode())
    eventually("it was cut", lambda: cut(running, "loop") > cuts)
    eventually("its log is whole", lambda: sorted([*before, 1, 2, 3, 4]) == depths(running, "loop"))


def test_one_that_is_called_back_by_itself_is_cut(running: Door) -> None:
    before = depths(running, "loop")
    url = running.platform.status()["gateway_url"] + "/async-function/loop"
    running.submit("loop", b"", X_Callback_Url=url)
    eventually("it was cut", lambda: re.search("callback failed .*answered 508", running.platform.log()))
    eventually("its log is whole", lambda: sorted([*before, 1, 2, 3, 4]) == depths(running, "loop"))


@pytest.mark.parametrize("name", ["starter", "node-starter"])
def test_a_circle_by_way_of_a_flow_is_cut(running: Door, name: str) -> None:
    running.platform.ok("flow", "create", name, "--step", name)
    path = f"/v1/namespaces/openfaas-fn/flows/{name}/runs"
    told = {"url": running.platform.status()["gateway_url"] + path, "token": running.login["Authorization"]}
    body = json.dumps(told).encode()
    assert running.ask("POST", path, body, Content_Type="application/json", **running.login).status == 202

    def found() -> list[dict[str, object]]:
        runs = running.api("GET", f"{RUNS}?flow={name}").json()
        return sorted(runs, key=lambda run: run["started_unix_ms"])

    eventually("the circle ends", lambda: {run["state"] for run in found()} == {"done", "failed"})
    *before, last = found()
    assert [run["state"] for run in before] == ["done"] * 4
    error = last["error"]
    assert isinstance(error, dict)
    assert (error["code"], error["status"]) == ("function_failed", 508)
    assert "loop_detected" in error["body"]
    assert depths(running, name) == [1, 2, 3, 4]


def call(running: Door, name: str = "thrifty") -> int:
    """Return the status of a call."""
    return running.ask("POST", f"/function/{name}", b"x").status


@pytest.mark.timeout(300)
def test_a_budget_stops_calls_holds_queued_ones_and_outlives_a_restart(running: Door, tmp_path: Path) -> None:
    within_one_day()
    platform = running.platform
    (tmp_path / "thrifty").mkdir()
    platform.deploy_function(tmp_path / "thrifty", ECHO, "--annotation", "com.dayfly.budget.calls=5/day")
    assert [call(running) for _ in range(6)] == [200] * 5 + [429]
    refused = running.ask("POST", "/function/thrifty", b"x")
    assert refused.json()["code"] == "budget_used_up"
    assert "com.dayfly.budget.calls" in refused.json()["detail"]
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    eventually("it is told", lambda: platform.describe("thrifty")["budgets"][0]["state"] == "used up")
    assert "refused until" in platform.ok("describe", "thrifty")
    queued = running.submit("thrifty", b"later")
    eventually("it was tried", lambda: "budget" in str(running.api("GET", f"/v1/calls/{queued}").json()["reason"]))
    status = running.api("GET", f"/v1/calls/{queued}").json()
    assert (status["state"], status["attempts"]) == ("queued", 0)

    port = urlsplit(platform.status()["gateway_url"]).port
    platform.stop()
    platform.start("--port", str(port))
    again = Door(platform)
    assert call(again) == 429
    assert platform.describe("thrifty")["budgets"][0]["used"] == 5
    assert again.state(queued) == "queued"
    assert "calls 7/day" in platform.ok("budget", "set", "thrifty", "calls=7/day")
    eventually("the raise is heard of", lambda: call(again) == 200)
    assert again.over(queued)["state"] == "done"
    assert call(again) == 429

    csv = platform.ok("cost", "--output", "csv").splitlines()
    assert [line.split(",")[:3] for line in csv if "thrifty" in line] == [["openfaas-fn", "thrifty", "7"]]
    assert csv[0] == "namespace,name,calls,cpu_seconds,gib_seconds,cost,currency"
    assert "COST EUR" in platform.ok("cost", "--period", "day")
    metrics = again.api("GET", "/v1/namespaces/openfaas-fn/metrics")
    assert re.search(r"dayfly_budget_used_ratio\{.*thrifty.*\} 1(\.0)?\n", metrics.body.decode())


@pytest.mark.timeout(300)
def test_a_budget_of_processor_time_stops_a_function_that_burns_it(running: Door, tmp_path: Path) -> None:
    within_one_day()
    platform = running.platform
    (tmp_path / "burner").mkdir()
    platform.deploy_function(tmp_path / "burner", BURN, "--annotation", "com.dayfly.budget.cpu_seconds=2/day")
    answers: list[int] = []

    def is_stopped() -> bool:
        answers.append(call(running, "burner"))
        return answers[-1] == 429

    eventually("it is stopped", is_stopped)
    assert len(answers) > 2, "not before it has used its time"
    assert set(answers[:-1]) == {200}
    assert running.ask("POST", "/function/burner", b"x").json()["code"] == "budget_used_up"
    (budget,) = platform.describe("burner")["budgets"]
    assert budget["used"] >= 2
    assert running.ask("POST", "/function/loop", b"x", X_Dayfly_Depth="4").status == 508, "others go on"


@pytest.mark.timeout(300)
def test_a_namespaces_budget_is_for_all_its_functions(running: Door, tmp_path: Path) -> None:
    within_one_day()
    platform, door = running.platform, Door(running.platform)
    platform.ok("namespace", "create", "team-a", "--budget", "calls=4/month")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        platform.deploy_function(tmp_path / name, ECHO, "--namespace", "team-a")
    assert [call(door, f"{name}.team-a") for name in ("one", "two")] == [200, 200]

    def both_are_shut() -> bool:
        return [call(door, f"{name}.team-a") for name in ("one", "two")] == [429, 429]

    eventually("all of it is used", both_are_shut)
    refused = door.ask("POST", "/function/two.team-a", b"x").json()
    assert "the namespace team-a" in refused["detail"]
    assert "dayfly namespace update team-a --budget calls=AMOUNT/month" in refused["hint"]
    assert "calls: " in platform.ok("namespace", "get", "team-a")
    token = platform.ok("token", "create", "--namespace", "team-a", "--role", "admin", "--output", "json")
    bearer = {"Authorization": f"Bearer {json.loads(token)['token']}"}
    higher = json.dumps({"annotations": {"com.dayfly.budget.calls": "100/month"}}).encode()
    assert door.ask("PUT", "/v1/namespaces/team-a", higher, **bearer).status == 403
    for amount in (100, 200, 300):
        own = json.dumps({"budget": [f"calls={amount}/month"]}).encode()
        assert door.ask("PUT", "/v1/namespaces/team-a/functions/one/budget", own, **bearer).status == 200
        assert call(door, "one.team-a") == 429
    platform.ok("namespace", "update", "team-a", "--budget", "calls=none")
    eventually("it is open again", lambda: call(door, "two.team-a") == 200)
