"""What an operator does on purpose: redeploys, scaling to zero and back, a gateway and replicas that are stopped.

While one function is deployed again and again, another is scaled 1, 4, 1, 0, 1, and gateways are told to end, not one
call may fail. Then one of two replicas is killed several times: only the calls under way to it may fail.
"""

import os
import signal
import time

from chaos import checker
from chaos.box import FUNCTIONS, Box
from chaos.judgement import judge
from chaos.load import Load
from chaos.nemesis import Nemesis
from chaos.operator import Operator
from chaos.outcome import Outcome, Promise, percentile
from chaos.plan import Target
from chaos.processes import alive, eventually
from chaos.stage import Stage

SECONDS = 90.0
SHORT_SECONDS = 6.0
_BETWEEN_KILLS_S = 5.5
"""With two replicas that take turns, each has lived for the ten seconds after which a failure counts as the first."""
_WAIT_S = 60.0
_KEPT = 16
"""Connections that are kept, each used a few times a second.

One that rests for longer is closed by a gateway that ends, and a call sent in that very instant is cut off: so HTTP/1.1
has it, and clients that keep connections know.
"""


def run(stage: Stage) -> Outcome:
    """Make the changes one after another for the time there is, redeploying most of all."""
    box = stage.box(gateways=2)
    operator = Operator(box, stage.folder("operator"))
    targets = (Target(function="steady", weight=2, ms=10), Target(function="scaled"), Target(function="paired", ms=20))
    with operator:
        operator.deploy("steady", "0", replicas=2)
        operator.deploy("scaled", "0")
        box.deploy("paired", replicas=2)
        box.wait_ready("steady", 2)
        box.wait_ready("scaled", 1)
        rate = 30 if stage.short else 60
        load = Load(stage.folder("load"), box.address, targets, rate, kept=_KEPT, seed=stage.seed)
        with load:
            redeploys = _redeploy(stage, box, operator)
            scalings = _scale(stage, box, operator)
            gateways = 2 if stage.short else 6
            ended = _end_gateways(stage, box, gateways)
            planned_s = time.monotonic()
            nemesis = _kill_replicas(stage, box)
    calls = load.calls()
    fell = checker.versions_fell(call for call in calls if call.function == "steady")
    broken = [call for call in calls if not call.ok and call.sent_s < planned_s]
    took = [call.took_s for call in calls if call.ok and call.function == "steady"]
    promises = (
        Promise("no planned change fails a call", not broken, "; ".join(checker.told(broken[:3], stage.began_s))),
        Promise("a connection never sees an older revision again", not fell, "; ".join(fell[:3])),
        Promise("a gateway that is told to end does, and another comes", not ended, "; ".join(ended)),
    )
    figures = {
        "redeploys under load": f"{redeploys}",
        "scalings under load": f"{scalings}",
        "gateways ended under load": f"{gateways}",
        "replicas killed": f"{len(nemesis.strikes)}",
        "a call to the function that was redeployed, p99": f"{percentile(took, 99) * 1000:.0f} ms",
    }
    return judge(
        stage, box, calls, excuses=nemesis.excuses(), changes=operator.path, figures=figures, promises=promises
    )


def _redeploy(stage: Stage, box: Box, operator: Operator) -> int:
    """Deploy by the command until half of the time is over, at least three times; each waits until it serves."""
    until_s = time.monotonic() + stage.seconds / 2
    count = 0
    while count < 3 or time.monotonic() < until_s:
        count += 1
        revision = operator.deploy_by_command("steady", FUNCTIONS / "echo", str(count), replicas=2)
        if not eventually(lambda: _all_of(box, "steady", revision), _WAIT_S):  # noqa: B023 - called at once
            stage.say(f"revision {revision} does not replace the one before: {box.status('steady')}")
            break
    return count


def _all_of(box: Box, name: str, revision: int) -> bool:
    status = box.status(name)
    return status is not None and status.ready_replicas == 2 and {r.revision for r in status.replicas} == {revision}


def _scale(stage: Stage, box: Box, operator: Operator) -> int:
    rounds = 1 if stage.short else 3
    for _ in range(rounds):
        for replicas in (4, 1, 0, 1):
            operator.scale("scaled", replicas)
            # A call that comes wakes what was scaled to zero: there may be one by the time anybody looks.
            eventually(lambda: _scaled_to(box, replicas), _WAIT_S)  # noqa: B023 - called at once
    return rounds * 4


def _scaled_to(box: Box, replicas: int) -> bool:
    status = box.status("scaled")
    return status is not None and (status.ready_replicas == len(status.replicas) == replicas or replicas == 0)


def _end_gateways(stage: Stage, box: Box, times: int) -> list[str]:
    wrong = []
    for _ in range(times):
        victim = stage.random.choice(box.pids("gateway"))
        os.kill(victim, signal.SIGTERM)
        if not eventually(lambda: not alive(victim), _WAIT_S):  # noqa: B023 - called at once
            wrong.append(f"gateway {victim} did not end within {_WAIT_S:g} s")
        if not eventually(lambda: len(box.pids("gateway")) == box.gateways and box.is_served, _WAIT_S):
            wrong.append("no other gateway came")
    return wrong


def _kill_replicas(stage: Stage, box: Box) -> Nemesis:
    nemesis = Nemesis(box, stage.random, {"paired": 2})
    for _ in range(2 if stage.short else 10):
        strike = nemesis.strike("replica", "paired", oldest=True)
        stage.say(f"a replica of paired killed, missed for {strike.missed_s:.2f} s")
        time.sleep(1.0 if stage.short else _BETWEEN_KILLS_S)
    return nemesis
