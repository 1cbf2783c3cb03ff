"""Another version takes over again and again, forth and back, while calls come and an operator makes changes.

Not one call may fail, and no acknowledged change may be lost. In the end comes a version that does not come up.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from chaos import another_version
from chaos.box import Box
from chaos.judgement import judge
from chaos.load import Load
from chaos.operator import Churn, Operator
from chaos.outcome import Outcome, Promise, percentile
from chaos.plan import Target
from chaos.processes import eventually
from chaos.stage import Stage

SECONDS = 90.0
_COMMAND_S = 300.0
_WAIT_S = 60.0


def run(stage: Stage) -> Outcome:
    """Change the version for as long as there is time, at least once in either direction."""
    box = stage.box(gateways=2)
    newer = another_version.install(stage.folder("next"))
    broken = another_version.install(stage.folder("broken"), version="9.9.8")
    another_version.spoil(
        broken, "server/apps.py", "\n\ndef build_apps(*_, **__):\n    raise RuntimeError('spoiled')\n"
    )
    ours = str(Path(sys.executable).with_name("dayfly"))
    box.deploy("steady", replicas=2)
    operator = Operator(box, stage.folder("operator"))
    targets = (Target(function="steady", weight=2, ms=10), Target(function="asleep"))
    box.deploy("asleep", labels={"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": "2s"})
    load = Load(stage.folder("load"), box.address, targets, rate_per_s=60, seed=stage.seed)
    took: list[float] = []
    wrong: list[str] = []
    with operator, Churn(operator, stage.seed, ["churn-0", "churn-1"]), load:
        until_s = time.monotonic() + stage.seconds
        while not took or time.monotonic() < until_s:
            for dayfly in (another_version.program(newer), ours):
                wrong += _change(stage, box, dayfly, took)
        said = _upgrade(box, another_version.program(broken))
        gave_way = said.returncode != 0 and "has taken over again" in said.stderr
    calls = load.calls()
    promises = (
        Promise(
            "a change of versions ends with the new one serving and every replica replaced", not wrong, "; ".join(wrong)
        ),
        Promise("a version that does not come up gives way to the one before", gave_way, said.stderr.strip()[-200:]),
    )
    answers = [call.took_s for call in calls if call.ok]
    figures = {
        "changes of the version under load": f"{len(took)}",
        "from the command to its end, median": f"{percentile(took, 50):.1f} s",
        "a call meanwhile, p99": f"{percentile(answers, 99) * 1000:.0f} ms",
    }
    return judge(stage, box, calls, changes=operator.path, figures=figures, promises=promises)


def _change(stage: Stage, box: Box, dayfly: str, took: list[float]) -> list[str]:
    before, began = _replicas(box), time.monotonic()
    done = _upgrade(box, dayfly)
    took.append(time.monotonic() - began)
    stage.say(done.stdout.strip().rpartition("\n")[2] or done.stderr.strip())
    if done.returncode:
        return [done.stderr.strip()[-300:]]
    if not eventually(lambda: len(_replicas(box) - before) == 2 == len(_replicas(box)), _WAIT_S):
        return [f"replicas of the version before are left: {box.status('steady')}"]
    return []


def _replicas(box: Box) -> set[str]:
    status = box.status("steady")
    return {replica.id for replica in status.replicas} if status is not None else set()


def _upgrade(box: Box, dayfly: str) -> "subprocess.CompletedProcess[str]":
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DAYFLY_")}
    environ["DAYFLY_DATA_DIR"] = str(box.data_dir)
    return subprocess.run([dayfly, "upgrade"], env=environ, capture_output=True, text=True, timeout=_COMMAND_S)
