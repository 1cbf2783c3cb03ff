"""A flow as code, run by the real platform: its author's folder, deployed, run, and the control plane killed in it."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.system.driver import Platform, eventually

HELLO = "def handle(event, context):\n    print('greeted', event.text)\n    return f'Hello, {event.text}!'\n"
ORDER = """
import asyncio

async def flow(ctx, input):
    greeted = await asyncio.gather(*(ctx.call("hello", name) for name in input["names"]))
    ctx.log("waiting for the word")
    word = await ctx.wait_for_event("word", timeout=600)
    try:
        await ctx.call("nobody")
    except ctx.Failed as error:
        return {"greeted": greeted, "word": word, "failed": error.code}
"""


def told(platform: Platform, run: str) -> Any:
    return json.loads(platform.ok("flow", "describe", run, "--output", "json"))["run"]


def test_a_flow_as_code_goes_on_after_a_kill_and_does_nothing_twice(platform: Platform, scratch: Path) -> None:
    platform.start()
    platform.deploy_function(scratch / "hello", HELLO)
    platform.deploy_function(scratch / "order", ORDER)
    platform.ok("flow", "create", "order", "--code", "order")
    run = platform.ok("flow", "run", "order", stdin='{"names": ["Ann", "Bo"]}').split()[-1]
    eventually("it waits for an event", lambda: "wait for word" in platform.ok("flow", "describe", run))
    os.kill(platform.pids("control")[0], signal.SIGKILL)
    eventually("the platform is back", lambda: platform.run("list").code == 0)
    platform.ok("flow", "send", run, "word", "-d", "go")
    eventually("it is over", lambda: told(platform, run)["state"] == "done")
    result = {"greeted": ["Hello, Ann!", "Hello, Bo!"], "word": "go", "failed": "no_function"}
    assert told(platform, run)["result"] == result
    drawn = platform.ok("flow", "describe", run)
    for line in ("code order", "call-1", "call hello", "wait for word", "call nobody"):
        assert line in drawn, drawn
    assert platform.ok("calls", "--trigger", "flow", "--output", "json").count(f"flow {run}") >= 3
    assert platform.ok("logs", "order").count("waiting for the word") == 1
