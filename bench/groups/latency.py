"""What the gateway adds to one call: a lone caller, calls through the gateway and straight to the replica in turn."""

import time
from functools import partial

from bench import budgets, profiles
from bench.book import Lab
from bench.figures import Spread, difference, percentile
from bench.instance import ONE_REPLICA, Dayfly
from bench.probe import Connection, get, timed_calls

_BLOCK = 100
"""Calls in a row on one side: few enough that a disturbance of the machine meets both, enough to keep caches honest."""


def measure(lab: Lab) -> None:
    """Measure the group."""
    with Dayfly(lab) as dayfly:
        dayfly.deploy("noop", "noop", ONE_REPLICA)
        with Connection(dayfly.port) as gateway, Connection(dayfly.replica_socket("noop")) as replica:
            sides = {"gateway": (gateway, get("/function/noop")), "direct": (replica, get("/"))}
            rounds: dict[str, list[list[float]]] = {"gateway": [], "direct": []}
            for number in range(-1, lab.plan.rounds):
                lab.say(f"round {number + 1}/{lab.plan.rounds}" if number >= 0 else "warm-up")
                taken = _one_round(sides, lab.plan.calls)
                if number >= 0:
                    for name, times in taken.items():
                        rounds[name].append(times)
            missed = _write(lab, rounds)
            if missed:
                profiles.of_load(lab, missed, dayfly.pid, partial(_call_for, gateway, get("/function/noop")))


def _write(lab: Lab, rounds: dict[str, list[list[float]]]) -> str:
    """Write the figures down; return which missed, if any."""
    missed = []
    for percent, budget in ((50, budgets.ADDED_P50_MS), (99, budgets.ADDED_P99_MS)):
        through = Spread(tuple(percentile(times, percent) for times in rounds["gateway"]))
        direct = Spread(tuple(percentile(times, percent) for times in rounds["direct"]))
        note = f"{through.median:.3f} ms through it, {direct.median:.3f} ms direct; {lab.plan.calls:,} calls a round"
        what = f"latency added by the gateway, 1 connection, p{percent}"
        figure = lab.figure(what, difference(through, direct), "ms", budget=budget, note=note)
        missed += [what] if figure.verdict == "MISS" else []
    return " and ".join(missed)


def _call_for(connection: Connection, request: bytes, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        timed_calls(connection, request, _BLOCK)


def _one_round(sides: dict[str, tuple[Connection, bytes]], calls: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(calls // _BLOCK):
        for name, (connection, request) in sides.items():
            taken[name] += timed_calls(connection, request, _BLOCK)
    return taken
