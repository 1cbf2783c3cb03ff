"""Queued calls: from the caller's 202 to the function, one at a time; and how many a second, each of them flushed."""

import http.client
import threading
import time

from bench import budgets
from bench.book import Lab
from bench.figures import Spread, percentile
from bench.instance import ONE_REPLICA, Dayfly
from bench.programs import ProgramFailed, until

_CALLERS = 16
_PATIENCE_S = 120.0


def measure(lab: Lab) -> None:
    """Measure the group."""
    with Dayfly(lab) as dayfly:
        dayfly.deploy("clock", "clock", ONE_REPLICA)
        _one_at_a_time(lab, dayfly)
        _many(lab, dayfly)


def _one_at_a_time(lab: Lab, dayfly: Dayfly) -> None:
    accepting: list[list[float]] = []
    delivering: list[list[float]] = []
    for number in range(-1, lab.plan.rounds):
        lab.say(f"round {number + 1}/{lab.plan.rounds}" if number >= 0 else "warm-up")
        calls = [_submit(dayfly.port) for _ in range(lab.plan.calls // 20)]
        delivered = [int(_answer(dayfly, call_id)) for call_id, _, _ in calls]
        if number >= 0:
            accepting.append([(told - sent) / 1e6 for _, sent, told in calls])
            pairs = zip(calls, delivered, strict=True)
            delivering.append([(at - told) / 1e6 for (_, _, told), at in pairs])
    for percent in (50, 99):
        taken = Spread(tuple(percentile(times, percent) for times in accepting))
        waited = Spread(tuple(percentile(times, percent) for times in delivering))
        budget = budgets.ACCEPTED_TO_DELIVERED_P50_MS if percent == 50 else None
        lab.figure(f"queued call, sent → 202, p{percent}", taken, "ms", note="the flush to the disk is in it")
        lab.figure(f"queued call, 202 → function, p{percent}", waited, "ms", budget=budget, note="one at a time")


def _many(lab: Lab, dayfly: Dayfly) -> None:
    accepted: list[float] = []
    made: list[float] = []
    for number in range(lab.plan.rounds):
        lab.say(f"load {number + 1}/{lab.plan.rounds}")
        counts = [0] * _CALLERS
        began = time.monotonic()
        threads = [
            threading.Thread(target=_call_for, args=(dayfly.port, lab.plan.load_s, counts, caller))
            for caller in range(_CALLERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        accepted.append(sum(counts) / (time.monotonic() - began))
        _wait_until_empty(dayfly)
        made.append(sum(counts) / (time.monotonic() - began))
    note = f"{_CALLERS} connections, each call flushed"
    lab.figure("queued calls accepted", Spread(tuple(accepted)), "req/s", note=note)
    lab.figure("queued calls accepted and made", Spread(tuple(made)), "req/s", note="until the queue is empty")


def _submit(port: int) -> tuple[str, int, int]:
    """Queue a call; return its id, when it was sent and when its 202 was there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.connect()
    sent = time.time_ns()
    call_id = _post(connection)
    told = time.time_ns()
    connection.close()
    return call_id, sent, told


def _post(connection: http.client.HTTPConnection) -> str:
    connection.request("POST", "/async-function/clock", b"x")
    answer = connection.getresponse()
    answer.read()
    if answer.status != 202:
        raise ProgramFailed(f"a call was not accepted: {answer.status}")
    return str(answer.headers["X-Call-Id"])


def _answer(dayfly: Dayfly, call_id: str) -> bytes:
    status = dayfly.client.get_call(call_id, wait_s=30)
    if status.state != "done":
        raise ProgramFailed(f"a call is {status.state}: {status.reason}")
    return status.body


def _call_for(port: int, seconds: float, counts: list[int], caller: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        _post(connection)
        counts[caller] += 1
    connection.close()


def _wait_until_empty(dayfly: Dayfly) -> None:
    for _ in until(_PATIENCE_S, 0.05):
        if not dayfly.client.list_calls(limit=1):
            return
    raise ProgramFailed(f"the queue is not empty after {_PATIENCE_S:g} s")
