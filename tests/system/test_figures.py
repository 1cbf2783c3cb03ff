"""What Prometheus reads adds up to the calls that were answered, whatever is killed between two looks."""

import itertools
import json
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.system.driver import Platform, eventually, kill
from tests.system.prometheus import PROMETHEUS, needs, running

CODE = "def handle(event, context):\n    return 'on'\n"
SCRAPES = """\
scrape_configs:
  - job_name: dayfly
    scrape_interval: 500ms
    scrape_timeout: 500ms
    authorization: {{credentials_file: {token}}}
    static_configs: [{{targets: ["{target}"]}}]
"""


def ask(address: str, query: str) -> list[dict[str, Any]]:
    """Return what Prometheus answers."""
    url = f"{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


def now(address: str, metric: str) -> list[float]:
    """Return what a counter is now; nothing where it is not there."""
    return [float(series["value"][1]) for series in ask(address, metric)]


def risen(address: str, metric: str) -> float:
    """Return by how much a counter has risen, read as `increase()` reads it: what is less has begun anew."""
    total = 0.0
    for series in ask(address, f"{metric}[1h]"):
        values = [float(value) for _, value in series["values"]]
        total += values[0] + sum(b - a if b >= a else b for a, b in itertools.pairwise(values))
    return total


def replaced(platform: Platform, role: str) -> None:
    """Kill a process and wait for the next to serve."""
    (pid,) = platform.pids(role)
    kill(pid)
    eventually(f"another {role} is there", lambda: platform.pids(role) not in ([], [pid]), deadline_s=60)
    eventually("the API answers", lambda: answers(platform, "GET", "/v1/openapi.json"), deadline_s=60)
    eventually("the gateway is with the control plane", platform.is_whole, deadline_s=60)


def answers(platform: Platform, method: str, path: str) -> bool:
    """Whether it is answered with 200; a connection that breaks is no answer."""
    try:
        return platform.ask(method, path).status == 200
    except OSError:
        return False


@pytest.mark.timeout(240)
@needs(PROMETHEUS)
def test_counters_that_begin_anew_add_up_to_the_calls_that_were_answered(platform: Platform, scratch: Path) -> None:
    platform.start("--gateways", "1")
    platform.deploy_function(scratch / "f", CODE)
    token = scratch / "scraper"
    token.write_text(platform.ok("token", "create", "--all-namespaces", "--role", "view").strip())
    target = urllib.parse.urlsplit(platform.status()["metrics_url"]).netloc
    (scratch / "prometheus.yml").write_text(SCRAPES.format(token=token, target=target))
    tried = done = 0
    labels = 'function_name="f.openfaas-fn"'
    finished = f'gateway_function_invocation_total{{{labels},code="200"}}'
    with running(PROMETHEUS, scratch) as server:
        address = server.url

        def seen(metric: str) -> Callable[[], bool]:
            return lambda: risen(address, metric) >= done

        for role in ("gateway", "control", "control", "gateway", "control", ""):
            for _ in range(20):
                tried += 1
                done += answers(platform, "POST", "/function/f")
            eventually(f"{done} calls are seen", seen(finished), deadline_s=60)
            if role:
                replaced(platform, role)
            if (
                role == "control"
            ):  # Whoever looks for the first time when as many calls were made sees no new beginning.
                eventually("a new beginning is seen", lambda: now(address, finished) == [0.0], deadline_s=60)
        assert risen(address, finished) == done, "no call is counted twice"
        assert risen(address, f'gateway_functions_seconds_count{{{labels},code="200"}}') == done
        assert done <= risen(address, f"gateway_function_invocation_started{{{labels}}}") <= tried
        assert done >= 20
