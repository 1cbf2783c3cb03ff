"""Tracing and JSON logs of a whole platform, told to a real receiver: a cold call, a queued one, and a flow's run."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.otlp import Receiver, receiver
from tests.system.conftest import end
from tests.system.door import Door
from tests.system.driver import Platform, eventually

from dayfly.model.errors import ConfigError

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HANDLER = """
def handle(event, context):
    return {"statusCode": 200, "body": event.headers.get("Traceparent", "") or event.headers.get("traceparent", "")}
"""
FLOW = """
name: twice
steps:
  - {name: first, do: call, function: hello}
  - {name: second, do: call, function: hello}
"""
BROKEN = "def handle(event, context):\n    return {'statusCode': 500, 'body': 'no'}\n"


@pytest.fixture
def traced(scratch: Path) -> Iterator[tuple[Platform, Receiver]]:
    """A platform that is not started yet, and whom it tells."""
    with receiver() as found:
        platform = Platform(scratch / "data", {"DAYFLY_OTLP_ENDPOINT": found.endpoint})
        try:
            yield platform, found
        finally:
            end(platform)


@pytest.mark.timeout(300)
def test_calls_and_runs_are_told_as_traces(traced: tuple[Platform, Receiver], scratch: Path) -> None:
    platform, found = traced
    platform.start("--log-format", "json")
    platform.deploy_function(scratch / "hello", HANDLER, "--label", "com.openfaas.scale.zero-duration=1s")
    eventually("it sleeps", lambda: platform.describe("hello")["state"] == "idle")
    platform.deploy_function(scratch / "broken", BROKEN, "--annotation", "com.openfaas.retry.attempts=1")
    door = Door(platform)

    # A call that starts its replica, within its caller's trace.
    reply = door.ask("POST", "/function/hello", b"x", traceparent=CALLER)
    assert reply.body.decode() == CALLER, "the function is told"
    eventually("the call is told of", lambda: all(map(found.named, ("gateway", "run", "start"))))
    (gateway,), (run,) = found.named("gateway"), found.named("run")
    assert (gateway.trace, gateway.parent) == tuple(CALLER.split("-")[1:3])
    assert gateway.attributes["dayfly.call_id"] == reply.headers["x-call-id"]
    assert run.parent == gateway.id
    (started,) = found.named("start")
    assert (started.parent, started.end_ns <= run.start_ns) == (gateway.id, True)

    # A queued one, whose trace is its own: the function is told of the queue's span, which is its root.
    call_id = door.submit("broken")
    # Each process tells of its own spans, one before the other or after.
    eventually("the queued call is told of", lambda: len(found.named("gateway")) == 2 and found.named("queue"))
    (queued,) = found.named("queue")
    attempt = found.named("gateway")[1]
    assert (queued.trace, queued.parent, attempt.parent) == (call_id.replace("-", ""), "", queued.id)
    assert (attempt.error, attempt.attributes["http.response.status_code"]) == ("function_error", 500)

    # A flow: its steps are below its run, their calls below them.
    (scratch / "flow.yaml").write_text(FLOW)
    platform.ok("flow", "deploy", "-f", str(scratch / "flow.yaml"))
    platform.ok("flow", "run", "twice", "-d", "x", "--wait")
    eventually("the run is told of", lambda: all(map(found.named, ("flow twice", "step first", "step second"))))
    eventually("its calls are told of", lambda: (len(found.named("gateway")), len(found.named("queue"))) == (4, 3))
    (flow,) = found.named("flow twice")
    steps = [*found.named("step first"), *found.named("step second")]
    assert [(each.trace, each.parent) for each in steps] == [(flow.trace, flow.id)] * 2
    assert {each.parent for each in found.named("queue")[1:]} == {each.id for each in steps}
    assert {each.trace for each in found.named("gateway")[2:]} == {flow.trace}
    assert {each.service for each in found.spans} == {"dayfly"}

    # What the processes say is JSON, and says which call it is about.
    platform.stop()
    lines = [json.loads(line) for line in platform.log().splitlines()]
    assert {"control", "gw0", "queue", "supervisor"} <= {line["process"] for line in lines}
    assert all({"at", "level", "logger", "message"} <= line.keys() for line in lines)


def test_without_the_exporter_the_start_is_refused_in_a_sentence(scratch: Path) -> None:
    missing = scratch / "missing" / "opentelemetry"
    missing.mkdir(parents=True)
    (missing / "__init__.py").write_text("raise ImportError('it is not installed')\n")
    environ = {"DAYFLY_OTLP_ENDPOINT": "http://127.0.0.1:4318", "PYTHONPATH": str(missing.parent)}
    platform = Platform(scratch / "data", environ)
    done = platform.run("start", "--detach", "--port", "0", "--console-port", "0", "--metrics-port", "0")
    assert (done.code, done.err.splitlines()[0]) == (
        ConfigError.exit_code,
        "Error: DAYFLY_OTLP_ENDPOINT is set, but OpenTelemetry's exporter is not installed (pip install"
        " 'dayfly[otel]', or unset it)",
    )
    assert platform.status() == {}
