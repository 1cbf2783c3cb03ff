"""A function that ends as soon as it is started: it is tried again with patience, and told what is wrong with it.

Beside it another function is called all the time and must not notice.
"""

import math
import time

from chaos import processes
from chaos.box import FUNCTIONS, Box
from chaos.checker import Excuse
from chaos.judgement import judge
from chaos.load import Load
from chaos.outcome import Outcome, Promise, percentile
from chaos.plan import Target
from chaos.processes import eventually
from chaos.stage import Stage
from dayfly.client import pack
from dayfly.model.function import FunctionSpec

SECONDS = 65.0
SHORT_SECONDS = 3.0
_CPU_SHARE = 0.05
_LAST_WORDS = 20
_RATE_PER_S = 5.0
_EARLY = 2
"""Starts that may come beside the series 1, 2, 4 … seconds, as the first failure may be by chance."""


def run(stage: Stage) -> Outcome:
    """Deploy the broken function and watch."""
    box = stage.box()
    box.deploy("well")
    # Alone for a while, so that its share of the processors can be taken off.
    quiet_s = _cpu_over(box, stage.seconds / 4)
    receipt = box.client.upload(pack(FUNCTIONS / "dies"))
    box.client.deploy(FunctionSpec(name="dies", bundle=receipt.digest))
    failing = eventually(lambda: (status := box.status("dies")) is not None and status.state == "failing", 60.0)
    busy_s = _cpu_over(box, stage.seconds)
    targets = (Target(function="well"), Target(function="dies"))
    load = Load(stage.folder("load"), box.address, targets, _RATE_PER_S * 2, seed=stage.seed)
    with load:
        time.sleep(2.0)
    calls = load.calls()
    status = box.status("dies")
    reason = status.reason if status is not None else ""
    words = [number for number in range(30) if f"last words {number}" in reason.splitlines()]
    starts = box.log().count("dies.openfaas-fn: revision 1 failed")
    allowed = math.floor(math.log2(stage.seconds + 3)) + 1 + _EARLY
    share = (busy_s - quiet_s * 4) / stage.seconds
    refusals = [call.took_s for call in calls if call.reason == "503 function_failing"]
    promises = [
        Promise("the status says failing", failing and status is not None and status.state == "failing", str(status)),
        Promise("its last 20 lines are told", words == list(range(30 - _LAST_WORDS, 30)), reason[-400:]),
        Promise(
            "it is tried 1, 2, 4 … seconds apart",
            1 + (not stage.short) <= starts <= allowed,
            f"{starts} starts, at most {allowed}",
        ),
    ]
    if not stage.short:
        cheap = busy_s / stage.seconds <= _CPU_SHARE
        promises.append(
            Promise("the platform uses less than 5 % of a processor", cheap, f"{busy_s / stage.seconds:.1%}")
        )
    figures = {
        f"starts in {stage.seconds:g} s": f"{starts}",
        "of one processor used by the platform": f"{busy_s / stage.seconds:.1%}, {share:.1%} more than before",
        "a refused call is answered after, p99": f"{percentile(refusals, 99) * 1000:.0f} ms",
    }
    excuse = Excuse(why="dies", from_s=0, until_s=math.inf, reasons=("503 function_failing",), functions=("dies",))
    return judge(stage, box, calls, excuses=[excuse], figures=figures, promises=promises)


def _cpu_over(box: Box, seconds: float) -> float:
    """Return the processor seconds that the platform used in this time, those of what ended meanwhile included."""
    before = _cpu(box)
    time.sleep(seconds)
    return _cpu(box) - before


def _cpu(box: Box) -> float:
    return sum(processes.cpu_with_children(pid) for pid in box.roles())
