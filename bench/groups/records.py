"""What records of calls cost: warm calls of a no-op on two platforms, one that records as it does by itself, one that
records nothing, in turn. Processor time for a call, over all processes of a platform, tells a small difference where a
rate on a shared machine does not; the writing of the records is in it too.
"""

from collections.abc import Mapping
from functools import partial

from bench import budgets
from bench.book import Lab
from bench.figures import Spread, ratio
from bench.instance import ONE_REPLICA, Dayfly
from bench.loads import Sample, Target, with_wrk
from bench.processes import cpu, tree
from bench.rounds import Side, alternate, paired

_OFF = {"DAYFLY_RECORDS": "off"}


def measure(lab: Lab) -> None:
    """Measure the group."""
    compare(lab, _OFF, "recorded", seconds=lab.plan.load_s)


def compare(lab: Lab, without: Mapping[str, str], what: str, *, seconds: float) -> None:
    """Measure warm calls of a platform as it is and of one with these settings; `what` is what the first does more."""
    with Dayfly(lab, lab.folder("on")) as on, Dayfly(lab, lab.folder("off"), without) as off:
        spent: dict[str, list[float]] = {"on": [], "off": []}
        sides: dict[str, Side] = {}
        for name, dayfly in (("on", on), ("off", off)):
            dayfly.deploy("noop", "noop", ONE_REPLICA)
            sides[name] = partial(_loaded, lab, dayfly, spent[name])
        plan = lab.plan
        # Twice the rounds: what is looked for is small beside what a shared machine does meanwhile.
        series = alternate(sides, rounds=2 * plan.rounds, seconds=seconds, warm_up_s=plan.warm_up_s, say=lab.say)
        for name, why in series.failures.items():
            lab.gap(name, why)
        if paired(series, ("on", "off")):
            _write(lab, what, {name: Spread(tuple(times[1:])) for name, times in spent.items()})
            rates = series.rates("on"), series.rates("off")
            note = f"{rates[0].median:,.0f} against {rates[1].median:,.0f} req/s, wrk, 32 connections"
            lab.figure(f"warm calls a second, {what} ÷ not", ratio(*rates), "×", note=note)


def _write(lab: Lab, more: str, spent: dict[str, Spread]) -> None:
    note = f"{spent['on'].median:.1f} against {spent['off'].median:.1f} us, all processes of the platform"
    what = f"processor time for a warm call, {more} ÷ not"
    lab.figure(what, ratio(spent["on"], spent["off"]), "×", budget=budgets.RECORDED_OVER_NOT, note=note)


def _loaded(lab: Lab, dayfly: Dayfly, spent: list[float], seconds: float) -> Sample:
    before = _used_s(dayfly)
    sample = with_wrk(lab.tools, lab.scratch, Target(url=dayfly.url("/function/noop")), seconds)
    calls = sample.rate_per_s * max(1, round(seconds))
    spent.append((_used_s(dayfly) - before) / calls * 1e6)
    return sample


def _used_s(dayfly: Dayfly) -> float:
    return sum(used.user + used.system for used in map(cpu, tree(dayfly.pid)))
