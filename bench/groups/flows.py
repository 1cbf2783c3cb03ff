"""Flows: a sequence of three calls as a run, beside the same three calls queued one after another by their caller.

Both go through the queue, so what a flow adds is its log, flushed before and after each step, and the control plane
between two of them. Side by side in one run: one at a time, and by sixteen callers who each wait for their own.
"""

import http.client
import threading
import time
from collections.abc import Callable
from functools import partial

from bench.book import Lab
from bench.figures import Spread, percentile
from bench.instance import ONE_REPLICA, Dayfly
from bench.programs import ProgramFailed
from dayfly.client.local import find_instance
from dayfly.model.flow import FlowSpec

_STEPS, _CALLERS = 3, 16
_FLOW = "/v1/namespaces/openfaas-fn/flows/three/runs?wait=30s"
Once = Callable[[http.client.HTTPConnection], None]


def measure(lab: Lab) -> None:
    """Measure the group."""
    with Dayfly(lab) as dayfly:
        dayfly.deploy("noop", "noop", ONE_REPLICA)
        dayfly.client.put_flow(FlowSpec.sequence("three", "openfaas-fn", ("noop",) * _STEPS))
        instance = find_instance(str(dayfly.data_dir))
        if instance is None:
            raise ProgramFailed("dayfly is not running")
        login = {"Authorization": f"Bearer {instance.token}"}
        sides: dict[str, Once] = {"run": partial(_run, login), "calls": partial(_calls, login)}
        _one_at_a_time(lab, dayfly, sides)
        _many(lab, dayfly, sides)


def _one_at_a_time(lab: Lab, dayfly: Dayfly, sides: dict[str, Once]) -> None:
    took: dict[str, list[list[float]]] = {name: [] for name in sides}
    for number in range(-1, lab.plan.rounds):
        lab.say(f"round {number + 1}/{lab.plan.rounds}" if number >= 0 else "warm-up")
        for name, once in sides.items():
            times = _timed(dayfly.port, once, lab.plan.calls // 40)
            if number >= 0:
                took[name].append(times)
    for percent in (50, 99):
        spread = {name: Spread(tuple(percentile(times, percent) for times in each)) for name, each in took.items()}
        lab.figure(f"flow of three calls, begun → its result, p{percent}", spread["run"], "ms", note="one at a time")
        note = "each waited for before the next"
        lab.figure(f"the three calls queued by a caller, p{percent}", spread["calls"], "ms", note=note)
    medians = [[percentile(times, 50) for times in took[name]] for name in ("run", "calls")]
    added = Spread(tuple((run - calls) / _STEPS for run, calls in zip(*medians, strict=True)))
    lab.figure("what a flow adds to a step, p50", added, "ms", note="its log's flushes, less a caller's two requests")


def _many(lab: Lab, dayfly: Dayfly, sides: dict[str, Once]) -> None:
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(lab.plan.rounds):
        lab.say(f"load {number + 1}/{lab.plan.rounds}")
        for name, once in sides.items():
            rates[name].append(_rate(dayfly.port, once, lab.plan.load_s))
    note = f"{_CALLERS} callers, each waits for its own"
    lab.figure("flows of three calls, begun and over", Spread(tuple(rates["run"])), "runs/s", note=note)
    lab.figure("three calls queued one after another", Spread(tuple(rates["calls"])), "runs/s", note=note)


def _run(login: dict[str, str], connection: http.client.HTTPConnection) -> None:
    _ask(connection, "POST", _FLOW, 200, login)


def _calls(login: dict[str, str], connection: http.client.HTTPConnection) -> None:
    for _ in range(_STEPS):
        call_id = _ask(connection, "POST", "/async-function/noop", 202, {})
        _ask(connection, "GET", f"/v1/calls/{call_id}?wait=30s", 200, login)


def _ask(connection: http.client.HTTPConnection, method: str, path: str, good: int, headers: dict[str, str]) -> str:
    """Return the call id that was answered, if any."""
    connection.request(method, path, b"x" if method == "POST" else None, headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != good:
        raise ProgramFailed(f"{method} {path} was answered {answer.status}: {body[:200]!r}")
    return answer.headers.get("X-Call-Id", "")


def _timed(port: int, once: Once, count: int) -> list[float]:
    """Return how long each took, in milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took = []
    for _ in range(count):
        began = time.perf_counter()
        once(connection)
        took.append((time.perf_counter() - began) * 1000)
    connection.close()
    return took


def _rate(port: int, once: Once, seconds: float) -> float:
    counts = [0] * _CALLERS
    began = time.monotonic()
    threads = [threading.Thread(target=_keep_on, args=(port, once, seconds, counts, at)) for at in range(_CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)


def _keep_on(port: int, once: Once, seconds: float, counts: list[int], caller: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        once(connection)
        counts[caller] += 1
    connection.close()
