"""Thousands of functions: how long a start takes with them, what each costs in memory, whether calls get slower.

Two platforms run side by side, one with a single function and one with thousands more at zero. These are written into
the stopped platform's state through its own store: deploying ten thousand one by one would start each of them once.
"""

import shutil
import time
from functools import partial

from bench import budgets, profiles
from bench.book import Lab
from bench.figures import Spread, ratio
from bench.instance import ONE_REPLICA, Dayfly
from bench.loads import Target, with_wrk
from bench.probe import CallFailed, first_call, get
from bench.processes import tree_pss
from bench.programs import ProgramFailed, until
from bench.registering import register
from bench.rounds import Side, alternate, paired

_SETTLE_S = 3.0
_KIB = 1 << 10


def measure(lab: Lab) -> None:
    """Measure the group."""
    for number in lab.plan.registered:
        _measure_number(lab, number)


def _measure_number(lab: Lab, number: int) -> None:
    lab.say(f"registering {number:,} functions")
    few, many = Dayfly(lab), Dayfly(lab)
    try:
        few.start()
        few.deploy("noop", "noop", ONE_REPLICA)
        few.deploy("sleeper", "noop")
        few.put_to_sleep(["sleeper"])
        few.stop()
        shutil.copytree(few.data_dir, many.data_dir, ignore=shutil.ignore_patterns("run", "run.path", "lock"))
        register(many, "sleeper", number)
        _starts(lab, few, many, number)
        _memory(lab, few, many, number)
        _routing(lab, few, many, number)
    finally:
        few.stop()
        many.stop()


def _starts(lab: Lab, few: Dayfly, many: Dayfly, number: int) -> None:
    taken: dict[str, list[float]] = {"few": [], "many": []}
    for start in range(lab.plan.platform_starts):
        lab.say(f"{number:,} functions: start {start + 1}/{lab.plan.platform_starts}")
        for name, dayfly in (("few", few), ("many", many)):
            dayfly.stop()
            taken[name].append(_start_and_call(dayfly))
    spread = Spread(tuple(taken["many"]))
    note = f"to the first answer of a function at zero; {Spread(tuple(taken['few'])).median:.2f} s with 2 functions"
    budget = budgets.REGISTERED_START_S if number >= 10_000 else None
    figure = lab.figure(f"start with {number:,} functions", spread, "s", budget=budget, note=note)
    if figure.verdict == "MISS":
        many.stop()
        profiles.of_start(lab, figure.what, many.start, many.stop, 2 * figure.spread.median)
        many.start()


def _start_and_call(dayfly: Dayfly) -> float:
    before = time.perf_counter()
    dayfly.start()
    for _ in until(60, 0.005):
        try:
            first_call(dayfly.port, get("/function/sleeper"))
        except (CallFailed, OSError):
            continue  # the table has not reached the gateway yet
        return time.perf_counter() - before
    raise ProgramFailed("a registered function does not answer 60 s after the start")


def _memory(lab: Lab, few: Dayfly, many: Dayfly, number: int) -> None:
    for dayfly in (few, many):
        dayfly.put_to_sleep(["sleeper"])
    time.sleep(_SETTLE_S)
    sizes = tree_pss(few.pid), tree_pss(many.pid)
    each = Spread(((sizes[1] - sizes[0]) / number / _KIB,))
    note = f"{sizes[1] / _KIB**2:.0f} MiB against {sizes[0] / _KIB**2:.0f} MiB, PSS of all processes"
    # Below ten thousand, a few MiB that differ between any two starts would count as memory of the functions.
    budget = budgets.REGISTERED_KIB if number >= 10_000 else None
    lab.figure(f"each of {number:,} functions at zero", each, "KiB", budget=budget, note=note)


def _routing(lab: Lab, few: Dayfly, many: Dayfly, number: int) -> None:
    sides: dict[str, Side] = {
        name: partial(with_wrk, lab.tools, lab.scratch, Target(url=dayfly.url("/function/noop")))
        for name, dayfly in (("1 function", few), (f"{number:,} functions", many))
    }
    for dayfly in (few, many):
        dayfly.wait_for("noop", 1)
    plan = lab.plan
    series = alternate(sides, rounds=plan.rounds, seconds=plan.load_s, warm_up_s=plan.warm_up_s, say=lab.say)
    for name, why in series.failures.items():
        lab.gap(f"routing with {name}", why)
    if paired(series, tuple(sides)):
        with_few, with_many = (series.rates(name) for name in sides)
        note = f"{with_many.median:,.0f} against {with_few.median:,.0f} req/s, two platforms in turn"
        what = f"warm calls with {number:,} functions registered ÷ with 2"
        figure = lab.figure(what, ratio(with_many, with_few), "×", budget=budgets.ROUTING_UNCHANGED, note=note)
        if figure.verdict == "MISS":
            profiles.of_load(lab, what, many.pid, sides[f"{number:,} functions"])
