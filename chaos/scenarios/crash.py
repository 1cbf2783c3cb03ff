"""SIGKILL at random, under load: a replica, a template, the zygote, a gateway, the control plane, the supervisor, all.

Two functions are called all the time while functions of a third kind are deployed, scaled and removed. Calls may fail
only when they were under way to what was killed; the others must not notice.
"""

import time
from statistics import median

from chaos.judgement import judge
from chaos.ledger import Call
from chaos.load import Load
from chaos.nemesis import KINDS, Nemesis, rounds
from chaos.operator import Churn, Operator
from chaos.outcome import Outcome, Promise
from chaos.plan import Target
from chaos.stage import Stage

SECONDS = 120.0
SHORT_SECONDS = 8.0
RESTORE_LIMIT_S = 1.0
_SUPERVISED = ("zygote", "gateway", "control")


def run(stage: Stage) -> Outcome:
    """Strike until the time is over, every kind at least once."""
    box = stage.box(gateways=2)
    functions = {"quick": 3, "slow": 2}
    for name, replicas in functions.items():
        box.deploy(name, replicas=replicas)
    targets = (Target(function="quick"), Target(function="slow", ms=120))
    nemesis = Nemesis(box, stage.random, functions)
    following = rounds(stage.random, KINDS)
    operator = Operator(box, stage.folder("operator"))
    load = Load(stage.folder("load"), box.address, targets, 40 if stage.short else 120, seed=stage.seed)
    with operator, Churn(operator, stage.seed, [f"churn-{number}" for number in range(4)]), load:
        until_s = time.monotonic() + stage.seconds
        while time.monotonic() < until_s or len(nemesis.strikes) < len(KINDS):
            time.sleep(stage.random.uniform(0.3, 1.0))
            strike = nemesis.strike(following())
            stage.say(f"{strike.kind} {strike.function} killed, missed for {strike.missed_s:.2f} s")
    calls = load.calls()
    missed = nemesis.missed()
    promises = [
        Promise("what was killed is back", all(times[-1] < float("inf") for times in missed.values()), str(missed)),
        Promise("nothing outlives its parent, replicas are adopted", not (notes := _notes(nemesis)), "; ".join(notes)),
    ]
    if not stage.short:
        slow = {
            kind: times for kind, times in missed.items() if kind in _SUPERVISED and median(times) > RESTORE_LIMIT_S
        }
        promises.append(Promise(f"the supervisor restores within {RESTORE_LIMIT_S:g} s (median)", not slow, str(slow)))
    figures = {f"{kind} missed, median (longest) of {len(times)}": _span(times) for kind, times in missed.items()}
    figures |= _in_flight(calls, nemesis)
    return judge(
        stage, box, calls, excuses=nemesis.excuses(), changes=operator.path, figures=figures, promises=promises
    )


def _notes(nemesis: Nemesis) -> list[str]:
    return [note for strike in nemesis.strikes for note in strike.notes]


def _span(times: list[float]) -> str:
    return f"{median(times):.2f} s ({max(times):.2f} s)"


def _in_flight(calls: list[Call], nemesis: Nemesis) -> dict[str, str]:
    """How many calls were under way at the strikes: what could have failed, beside what did."""
    under_way = sum(call.sent_s <= strike.began_s <= call.ended_s for strike in nemesis.strikes for call in calls)
    return {"calls under way when something was killed": f"{under_way}"}
