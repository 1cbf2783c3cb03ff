"""`dayfly start` on a fresh data folder: from the command to the first answer of a function deployed meanwhile."""

import time

from bench import budgets, profiles
from bench.book import Lab
from bench.figures import Spread
from bench.instance import Dayfly
from bench.probe import first_call, get


def measure(lab: Lab) -> None:
    """Measure the group."""
    ready, answered = [], []
    for number in range(lab.plan.platform_starts):
        lab.say(f"start {number + 1}/{lab.plan.platform_starts}")
        dayfly = Dayfly(lab)
        before = time.perf_counter()
        with dayfly:
            ready.append(time.perf_counter() - before)
            dayfly.deploy("noop", "noop", ready=False)
            first_call(dayfly.port, get("/function/noop"))
            answered.append(time.perf_counter() - before)
        dayfly.remove_data()
    note = (
        f"fresh data folder; ready after {Spread(tuple(ready)).median:.2f} s, then upload, deployment, call by the SDK"
    )
    what = "dayfly start to the first answered call"
    figure = lab.figure(what, Spread(tuple(answered)), "s", budget=budgets.FRESH_START_S, note=note)
    if figure.verdict == "MISS":
        dayfly = Dayfly(lab)
        profiles.of_start(lab, what, dayfly.start, dayfly.stop, 2 * figure.spread.median)
