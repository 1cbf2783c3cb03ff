"""Triggers on a whole platform: what happens elsewhere calls functions, once, whatever is killed in between."""

import hashlib
import hmac
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.system.driver import Platform, Reply, eventually, kill

TELL = """
import json

def handle(event, context):
    told = {name.lower(): value for name, value in event.headers.items()}
    names = ("ce-id", "ce-type", "x-topic", "x-connector", "x-dayfly-depth")
    kept = {name: told[name] for name in names if name in told}
    print("told", json.dumps({**kept, "body": event.body.decode()}, sort_keys=True), flush=True)
    return {"statusCode": 500 if b"fail" in event.body else 200, "body": "done"}
"""
ANSWER = """
import json

def handle(event, context):
    told = json.loads(event.body)
    headers = {"Ce-Specversion": "1.0", "Ce-Id": told["id"], "Ce-Source": "/third", "Ce-Type": "com.answered"}
    return {"statusCode": 200, "headers": {**headers, "Content-Type": "application/json"}, "body": str(told["data"])}
"""
STACK = """
functions:
  nightly:
    lang: python
    handler: ./nightly
    triggers:
      - name: posted
        source: {kind: event, types: "com.stack.*"}
        filter: data.n > `1`
      - name: often
        source:
          kind: cron
          schedule: "@every 1s"
"""
KEY = "0123456789abcdef"


class Told:
    """What functions print of their calls."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def of(self, function: str) -> list[dict[str, Any]]:
        lines = ask(self._platform, "GET", f"functions/{function}/logs").body.splitlines()
        texts = [str(json.loads(line)["text"]) for line in lines]
        return [json.loads(text.partition("told ")[2]) for text in texts if text.startswith("told {")]

    def ids(self, function: str) -> list[str]:
        return [each["ce-id"] for each in self.of(function)]


def ask(platform: Platform, method: str, path: str, body: bytes | None = None, media: str = "") -> Reply:
    token = (platform.data_dir / "run" / "token").read_text()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": media}
    return platform.ask(method, f"/v1/namespaces/openfaas-fn/{path}", body, headers=headers)


def post(platform: Platform, event_type: str, number: int, data: object = None) -> int:
    event = {"specversion": "1.0", "id": str(number), "source": "/test", "type": event_type, "data": data}
    return ask(platform, "POST", "events", json.dumps(event).encode(), "application/cloudevents+json").status


def hook(platform: Platform, body: bytes, delivery: str, key: str = KEY) -> int:
    digest = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Event": "push", "X-GitHub-Delivery": delivery}
    return platform.ask("POST", "/hooks/openfaas-fn/push", body, headers=headers).status


def states(platform: Platform) -> dict[str, str]:
    return {each["spec"]["name"]: each["standing"]["state"] for each in ask(platform, "GET", "triggers").json()}


def finished(platform: Platform, function: str) -> int:
    """Return how many queued calls of the function are over."""
    page = ask(platform, "GET", "metrics").body.decode()
    start = (
        f'queue_worker_messages_processed_total{{queue_name="faas-request",function_name="{function}.openfaas-fn"}} '
    )
    return next((int(line.removeprefix(start)) for line in page.splitlines() if line.startswith(start)), 0)


def settled(platform: Platform, calls: int) -> None:
    """Return when so many calls of the first function are over, and exactly one of the second for each but two."""
    eventually("the calls end", lambda: finished(platform, "first") == calls)
    eventually("every end is told", lambda: finished(platform, "second") >= calls - 2)
    assert finished(platform, "second") == calls - 2


def posted(platform: Platform, event_type: str, number: int) -> bool:
    """Post an event; return whether it was taken, as it may not be while a control plane is dead."""
    try:
        return post(platform, event_type, number, number) == 202
    except OSError:
        return False


def answered(platform: Platform, events: int) -> None:
    """Return when so many runs of the flow are done, and exactly one call was made for the answer of each."""

    def all_over() -> bool:
        runs = ask(platform, "GET", "flow-runs?flow=ship").json()
        return [run["state"] for run in runs] == ["done"] * events and finished(platform, "fourth") >= events

    eventually("each event has a run, and its answer a call", all_over)
    assert finished(platform, "fourth") == events


def kill_control(platform: Platform) -> None:
    """Kill the control plane and wait for the next."""
    (pid,) = platform.pids("control")
    kill(pid)
    eventually("another control plane is there", lambda: platform.pids("control") not in ([], [pid]))
    eventually("it answers", lambda: platform.ask("GET", "/v1/openapi.json").status == 200)


@pytest.mark.timeout(300)
def test_what_happens_elsewhere_calls_functions(platform: Platform, scratch: Path) -> None:
    platform.start()
    told = Told(platform)
    for name in ("first", "second"):
        platform.deploy_function(scratch / name, TELL, "--annotation", "com.openfaas.retry.attempts=1")

    # A webhook: signed, once a delivery, and nobody else.
    platform.ok("secret", "create", "hook", stdin=KEY)
    out = platform.ok("trigger", "create", "push", "--function", "first", "--kind", "webhook", "--secret", "hook")
    assert "/hooks/openfaas-fn/push" in out
    assert hook(platform, b"{}", "1", "another key of 16") == 401
    assert [hook(platform, b"{}", delivery) for delivery in ("1", "1", "2")] == [202, 202, 202]
    eventually("the hooks call", lambda: sorted(told.ids("first")) == ["1", "2"])
    assert told.of("first")[0] == {
        "body": "{}", "ce-id": told.ids("first")[0], "ce-type": "com.github.push", "x-connector": "webhook-connector",
        "x-dayfly-depth": "1", "x-topic": "push",
    }  # fmt: skip

    # Ends of calls: each outcome to whom it concerns, and one after the other knows how deep it is.
    for outcome in ("success", "failure"):
        platform.ok(
            "trigger", "create", f"on-{outcome}", "--function", "second", "--kind", "function",
            "--set", "name=first", "--set", f"outcome={outcome}",
        )  # fmt: skip
    assert hook(platform, b"fail", "3") == 202
    eventually(
        "the failure is told", lambda: [each["ce-type"] for each in told.of("second")] == ["com.dayfly.call.failed"]
    )
    assert hook(platform, b"{}", "4") == 202
    eventually("the success is told", lambda: len(told.of("second")) == 2)
    ended = told.of("second")[1]
    assert (ended["ce-type"], ended["x-dayfly-depth"]) == ("com.dayfly.call.succeeded", "2")
    assert json.loads(ended["body"])["body"] == "done"

    # Posted events, to whom their type and data concern; by a stack file, and gone from it.
    (scratch / "nightly").mkdir()
    (scratch / "nightly/handler.py").write_text(TELL)
    (scratch / "stack.yaml").write_text(STACK)
    platform.ok("up", "-f", "stack.yaml", cwd=scratch)
    assert platform.ok("trigger", "list", "--output", "name").split() == [
        "often",
        "on-failure",
        "on-success",
        "posted",
        "push",
    ]
    assert [post(platform, "com.stack.a", 1, {"n": 1}), post(platform, "com.stack.a", 2, {"n": 2})] == [202, 202]
    assert post(platform, "com.other", 3, {"n": 3}) == 202
    eventually("the event calls", lambda: "2" in told.ids("nightly"))
    eventually("the clock calls", lambda: "cron-connector" in [each["x-connector"] for each in told.of("nightly")])
    assert not {"1", "3"} & set(told.ids("nightly"))
    (scratch / "stack.yaml").write_text(STACK.partition("      - name: often")[0])
    platform.ok("up", "-f", "stack.yaml", cwd=scratch)
    assert "often" not in states(platform)
    platform.ok("remove", "nightly")
    eventually("it goes with its function", lambda: "posted" not in states(platform))

    # Paused and resumed.
    platform.ok("trigger", "pause", "push")
    assert hook(platform, b"{}", "5") == 404
    assert states(platform)["push"] == "paused"
    platform.ok("trigger", "resume", "push")
    assert hook(platform, b"{}", "5") == 202

    # An event begins a flow, whose step answers with another event, which calls: each once, over kills and repetitions.
    platform.deploy_function(scratch / "third", ANSWER)
    platform.deploy_function(scratch / "fourth", TELL)
    platform.ok("flow", "create", "ship", "--step", "third")
    platform.ok("trigger", "create", "ships", "--flow", "ship", "--kind", "event", "--set", "types=com.flow.*")
    platform.ok(
        "trigger", "create", "answers", "--function", "fourth", "--kind", "event",
        "--set", "types=com.answered", "--set", "answers=true",
    )  # fmt: skip
    for number in range(6):
        for _ in range(2):
            eventually("the event is taken", partial(posted, platform, "com.flow.paid", number))
        if number % 3 == 1:
            kill_control(platform)
    answered(platform, 6)
    assert posted(platform, "com.flow.paid", 6)
    answered(platform, 7)
    assert {(each["ce-type"], each["x-dayfly-depth"]) for each in told.of("fourth")} == {("com.answered", "2")}

    # The control plane is killed again and again while calls end: each end is told, and told once. The first two calls
    # ended before anybody waited for that. The queue counts, as lines of a log may go with who was to write them.
    for number in range(100, 120):
        assert hook(platform, b"{}", str(number)) == 202
        if number % 5 == 0:
            kill_control(platform)
    for last, calls in (("last", 26), ("and one more", 27)):
        assert hook(platform, b"{}", last) == 202
        settled(platform, calls)
