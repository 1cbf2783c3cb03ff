"""The book's query with nothing installed: every call is in the history once, whatever is killed."""

import json
import urllib.parse
from functools import partial
from pathlib import Path

from tests.system.driver import Platform, eventually
from tests.system.test_figures import CODE, answers, replaced

TOTAL = "gateway_function_invocation_total"


def asked(platform: Platform, query: str) -> dict[str, float]:
    """Return what a query comes to now, by the code that calls were answered with."""
    token = (platform.data_dir / "run" / "token").read_text()
    path = f"/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    found = json.loads(platform.ask("GET", path, headers={"Authorization": f"Bearer {token}"}).body)
    return {each["metric"].get("code", ""): float(each["value"][1]) for each in found["data"]["result"]}


def is_told(platform: Platform, query: str, figures: dict[str, float]) -> bool:
    return asked(platform, query) == figures


def test_every_call_is_in_the_history_once(platform: Platform, scratch: Path) -> None:
    platform.start("--gateways", "1")
    platform.deploy_function(scratch / "f", CODE)
    done = 0
    for role in ("control", "gateway", ""):
        for _ in range(10):
            done += answers(platform, "POST", "/function/f")
        eventually(f"{done} calls are told", partial(is_told, platform, TOTAL, {"200": done}))
        if role == "control":
            # Of this one the gateway alone knows when the control plane is killed: it was not asked since.
            done += answers(platform, "POST", "/function/f")
        if role:
            replaced(platform, role)
    count = 'gateway_functions_seconds_count{function_name="f.openfaas-fn"}'
    assert asked(platform, count) == {"200": done}
    assert asked(platform, f'{count} - ignoring(le) gateway_functions_seconds_bucket{{le="+Inf"}}') == {"200": 0}
    assert f'code="200",function_name="f.openfaas-fn"}}\t{done}' in platform.ok("metrics", "query", TOTAL)
    machine = json.loads(platform.ok("machine", "--output", "json"))
    named = {each["pid"] for each in machine["processes"] if each["function"] == "f.openfaas-fn"}
    assert named
    assert [each["function"] for each in machine["replicas"]] == ["f"]
    lines = [line.split() for line in platform.ok("status").splitlines()]
    assert named == {int(line[0]) for line in lines if line and line[-1] == "f.openfaas-fn"}
    platform.stop()
    platform.start("--gateways", "1")
    # The function has not been called in this life, and is told of all the same.
    eventually("the history goes on", lambda: asked(platform, TOTAL) == {"200": done})
