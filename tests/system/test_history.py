"""The book's query with nothing installed: every call is in the history once, whatever is killed."""

import json
import os
import urllib.parse
from functools import partial
from pathlib import Path

import pytest
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


LOADS = """
import time

kept = []


def handle(event, context):
    kept.append(bytearray(b"x" * (64 << 20)))
    while time.process_time() < 3:
        pass
    return "done"
"""


def told(platform: Platform, query: str) -> dict[tuple[str, ...], float]:
    """What a query comes to, by the values of its labels."""
    token = (platform.data_dir / "run" / "token").read_text()
    path = f"/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    found = json.loads(platform.ask("GET", path, headers={"Authorization": f"Bearer {token}"}).body)["data"]["result"]
    return {
        tuple(value for label, value in each["metric"].items() if label != "__name__"): float(each["value"][1])
        for each in found
    }


def counted() -> dict[str, float]:
    """What the kernel says that only grows: seconds of processors and bytes over the network, by its own lists."""
    user, _nice, system = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:4])
    ticks = os.sysconf("SC_CLK_TCK")
    links = [path for path in Path("/sys/class/net").iterdir() if path.name != "lo" and path.is_dir()]
    received, sent = (
        sum(int((link / f"statistics/{way}_bytes").read_text()) for link in links) for way in ("rx", "tx")
    )
    return {"user": user / ticks, "system": system / ticks, "received": received, "sent": sent}


def test_the_machines_figures_are_those_of_the_kernel_and_a_load_that_is_known(
    platform: Platform, scratch: Path
) -> None:
    platform.start("--gateways", "1")
    platform.deploy_function(scratch / "loads", LOADS, "--label", "com.openfaas.scale.max=1", "--timeout", "2m")
    before, processors = counted(), told(platform, "dayfly_machine_cpu_seconds_total")
    assert platform.ask("POST", "/function/loads").status == 200
    # What it used is there, and not much more: by the function, by its process, and of the machine.
    (used,) = told(platform, 'dayfly_function_cpu_seconds_total{function_name="loads.openfaas-fn"}').values()
    assert 2.9 < used < 3.5
    machine = json.loads(platform.ok("machine", "--output", "json"))
    (process,) = [each for each in machine["processes"] if each["function"] == "loads.openfaas-fn"]
    assert 2.9 < process["cpu_s"] < 3.5
    assert 64 << 20 < process["memory_bytes"] < 128 << 20
    after = told(platform, "dayfly_machine_cpu_seconds_total")
    assert after["user",] - processors["user",] > 2.5
    # What only grows was at no time less than before, nor more than now; an interface may come or go meanwhile.
    figures = {key[0]: value for key, value in (after | told(platform, "dayfly_machine_network_bytes_total")).items()}
    now = counted()
    assert [name for name in now if not 0.99 * before[name] <= figures[name] <= 1.01 * now[name]] == []
    memory, disk = told(platform, "dayfly_machine_memory_bytes"), told(platform, "dayfly_machine_disk_bytes")
    kernel = {
        line.split(":")[0]: int(line.split()[1]) * 1024 for line in Path("/proc/meminfo").read_text().splitlines()
    }
    assert memory["total",] == kernel["MemTotal"]
    assert memory["used",] == pytest.approx(kernel["MemTotal"] - kernel["MemAvailable"], abs=kernel["MemTotal"] / 10)
    files = os.statvfs(platform.data_dir)
    assert disk["total",] == files.f_blocks * files.f_frsize
    assert disk["available",] == pytest.approx(files.f_bavail * files.f_frsize, rel=0.1)
    assert told(platform, "dayfly_machine_cpu_cores") == {(): os.sysconf("SC_NPROCESSORS_ONLN")}
