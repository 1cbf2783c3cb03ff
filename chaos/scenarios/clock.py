"""The wall clock of control plane and gateways jumps by an hour and by a day, both ways, under load.

No call may fail or take a negative time, no counter may fall, no function may be put to sleep or kept awake by a jump,
and what functions print stays in the order in which it came.
"""

import re
import time
import urllib.request

from chaos.box import Box
from chaos.clocks import CannotFake, JumpingClock
from chaos.judgement import judge
from chaos.load import Load
from chaos.operator import Churn, Operator
from chaos.outcome import Outcome, Promise
from chaos.plan import Target
from chaos.processes import eventually
from chaos.stage import Stage

SECONDS = 60.0
_JUMPS_S = (3600, -3600, 86_400, -86_400, 0)
_PAUSE_S = 3.0
_IDLE_S = 5
_GAUGE = re.compile(r"^# TYPE (\S+) gauge$", re.MULTILINE)


def run(stage: Stage) -> Outcome:
    """Let the clock jump until the time is over."""
    try:
        clock = JumpingClock(stage.folder("clock"))
    except CannotFake as error:
        stage.say(f"left out: {error}")
        return Outcome(figures={"left out": str(error)})
    box = stage.box(environ=clock.environ)
    box.deploy("busy", replicas=2)
    box.deploy("patient", labels={"com.openfaas.scale.zero-duration": "30m"})
    patient = box.wait_ready("patient", 1).replicas[0].id
    operator = Operator(box, stage.folder("operator"))
    load = Load(stage.folder("load"), box.address, (Target(function="busy", ms=5),), 60, seed=stage.seed)
    fallen: list[str] = []
    asleep: list[bool] = []
    before = _counters(box)
    jumps = 0
    with operator, Churn(operator, stage.seed, [f"churn-{number}" for number in range(3)]), load:
        until_s = time.monotonic() + stage.seconds
        while time.monotonic() < until_s or jumps < len(_JUMPS_S):
            offset_s = _JUMPS_S[jumps % len(_JUMPS_S)]
            jumps += 1
            box.deploy("brief", labels={"com.openfaas.scale.zero-duration": f"{_IDLE_S}s"})
            clock.jump(offset_s)
            stage.say(f"the clock is {offset_s:+d} s off")
            time.sleep(_PAUSE_S)
            asleep.append(eventually(lambda: _replicas(box, "brief") == 0, 4 * _IDLE_S))
            after = _counters(box)
            fallen += [
                f"{name}: {value}, then {after.get(name)}"
                for name, value in before.items()
                if after.get(name, value) < value
            ]
            fallen += [f"{name}: {value}" for name, value in after.items() if value < 0]
            before = after
    status = box.status("patient")
    kept = [replica.id for replica in status.replicas] if status is not None else []
    promises = [
        Promise("no metric falls or is negative", not fallen, "; ".join(fallen[:5])),
        Promise("a jump puts no function to sleep", kept == [patient], f"{kept}, before {patient}"),
        Promise("a jump keeps no function awake", all(asleep), f"{asleep}"),
    ]
    return judge(stage, box, load.calls(), changes=operator.path, figures={"jumps": str(jumps)}, promises=promises)


def _replicas(box: Box, name: str) -> int:
    status = box.status(name)
    return len(status.replicas) if status is not None else -1


def _counters(box: Box) -> dict[str, float]:
    """Return the metrics that may only rise."""
    token = (box.run_dir / "token").read_text()
    request = urllib.request.Request(box.url("metrics_url") + "/metrics", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=15) as answer:
        page = answer.read().decode()
    gauges = set(_GAUGE.findall(page))
    lines = [line.rpartition(" ") for line in page.splitlines() if not line.startswith("#")]
    # What was removed and deployed again meanwhile counts anew.
    samples = {name: float(value) for name, _, value in lines if "churn-" not in name and "brief" not in name}
    return {name: value for name, value in samples.items() if name.partition("{")[0] not in gauges}
