"""Cold starts: a call to a function that was scaled to zero, from opening the connection to the whole answer.

Several copies of one function sleep and are called one after the other, because a replica takes half a second to be
drained and a run needs hundreds of calls. From its template means that the function ran before; without a template
means that the whole platform was started anew, so that there is only the zygote to fork from.
"""

import time
from functools import partial

import msgspec

from bench import budgets, profiles
from bench.book import Lab
from bench.figures import Budget, Spread, percentile
from bench.instance import Dayfly
from bench.probe import CallFailed, first_call, get
from dayfly.model.errors import DayflyError

_PROFILE_S = 8.0


class _Handler(msgspec.Struct, frozen=True):
    what: str
    source: str
    copies: int
    p50: Budget
    p99: Budget

    @property
    def names(self) -> list[str]:
        return [f"{self.source}-{number}" for number in range(self.copies)]


_HANDLERS = (
    _Handler("small handler", "noop", 10, budgets.COLD_SMALL_P50_MS, budgets.COLD_SMALL_P99_MS),
    _Handler("numpy and pandas", "tables", 5, budgets.COLD_TEMPLATE_P50_MS, budgets.COLD_TEMPLATE_P99_MS),
)


def measure(lab: Lab) -> None:
    """Measure the group."""
    with Dayfly(lab) as dayfly:
        deployed = [handler for handler in _HANDLERS if _deploy(lab, dayfly, handler)]
        for handler in deployed:
            _from_template(lab, dayfly, handler)
        _without_template(lab, dayfly, deployed)


def _deploy(lab: Lab, dayfly: Dayfly, handler: _Handler) -> bool:
    lab.say(f"deploying: {handler.what}")
    try:
        for name in handler.names:
            dayfly.deploy(name, handler.source)
    except DayflyError as failed:
        # Its dependencies come from a package registry, which is not reached everywhere.
        lab.gap(f"cold start, {handler.what}", failed)
        return False
    return True


def _from_template(lab: Lab, dayfly: Dayfly, handler: _Handler) -> None:
    taken: list[float] = []
    while len(taken) < lab.plan.cold_starts:
        lab.say(f"{handler.what}: {len(taken)}/{lab.plan.cold_starts} cold starts")
        taken += _wake(dayfly, handler)
    note = f"{len(taken)} calls, {min(taken):.1f} to {max(taken):.1f} ms"
    missed = []
    for percent, budget in ((50, handler.p50), (99, handler.p99)):
        what = f"cold start, {handler.what}, from its template, p{percent}"
        figure = lab.figure(what, Spread((percentile(taken, percent),)), "ms", budget=budget, note=note)
        missed += [what] if figure.verdict == "MISS" else []
    if missed:
        wake = partial(_wake_for, dayfly, handler)
        profiles.of_load(lab, " and ".join(missed), dayfly.pid, wake, seconds=_PROFILE_S)


def _without_template(lab: Lab, dayfly: Dayfly, handlers: list[_Handler]) -> None:
    names = {handler.what: handler.names[0] for handler in handlers}
    taken: dict[str, list[float]] = {what: [] for what in names}
    for number in range(lab.plan.bare_starts):
        lab.say(f"platform started anew, {number + 1}/{lab.plan.bare_starts}")
        dayfly.put_to_sleep(names.values())
        dayfly.stop()
        dayfly.start()
        _call_nobody(dayfly)
        for what, name in names.items():
            taken[what].append(first_call(dayfly.port, get(f"/function/{name}")))
    for what, times in taken.items():
        note = f"median of {len(times)}, the platform started anew each time"
        lab.figure(f"cold start, {what}, without a template", Spread(tuple(times)), "ms", note=note)


def _call_nobody(dayfly: Dayfly) -> None:
    """Call a function that does not exist, so that no function pays for the gateway's first call of all."""
    try:
        first_call(dayfly.port, get("/function/nobody"))
    except CallFailed:
        return


def _wake(dayfly: Dayfly, handler: _Handler) -> list[float]:
    """Put every copy to sleep, call each once, return how long the calls took in milliseconds."""
    dayfly.put_to_sleep(handler.names)
    return [first_call(dayfly.port, get(f"/function/{name}")) for name in handler.names]


def _wake_for(dayfly: Dayfly, handler: _Handler, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        _wake(dayfly, handler)
