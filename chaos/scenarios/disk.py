"""The disk of the data folder is filled to the last byte and freed again, under load and while functions are changed.

Calls must not notice. Changes are refused or kept, never half kept; when there is space again everything works again,
without a restart.
"""

import time
from statistics import median

from chaos.box import Box
from chaos.disks import CannotMount, SmallDisk, small_disk
from chaos.judgement import judge
from chaos.load import Load
from chaos.operator import Churn, Operator
from chaos.outcome import Outcome, Promise
from chaos.plan import Target
from chaos.stage import Stage

SECONDS = 60.0
RECOVERED_S = 5.0
_FULL_S = 4.0


def run(stage: Stage) -> Outcome:
    """Fill and free the disk until the time is over."""
    try:
        with small_disk(stage.scratch / "disk", megabytes=64) as disk, Box(disk.root / "data") as box:
            box.start()
            return _run(stage, box, disk)
    except CannotMount as error:
        stage.say(f"left out: {error}")
        return Outcome(figures={"left out": str(error)})


def _run(stage: Stage, box: Box, disk: SmallDisk) -> Outcome:
    box.deploy("busy", replicas=2)
    operator = Operator(box, stage.folder("operator"))
    load = Load(stage.folder("load"), box.address, (Target(function="busy", ms=5),), 60, seed=stage.seed)
    refused_s: list[float | None] = []
    recovered_s: list[float] = []
    with operator, Churn(operator, stage.seed, [f"churn-{number}" for number in range(3)]), load:
        until_s = time.monotonic() + stage.seconds
        while time.monotonic() < until_s or not recovered_s:
            disk.fill()
            began_s = time.monotonic()
            refused_s.append(_refused_after(operator, began_s))
            time.sleep(_FULL_S)
            disk.free()
            recovered_s.append(_recovered_after(operator, time.monotonic()))
            stage.say(f"full, and changes taken again {recovered_s[-1]:.2f} s after there was space")
            time.sleep(1.0)
    (check,) = box.query("PRAGMA integrity_check")
    halves = [path for path in box.data_dir.rglob("*") if path.name.startswith((".new-", ".site-", ".part"))]
    promises = [
        Promise("a full disk is told to whoever changes something", None not in refused_s, str(refused_s)),
        Promise("the database is sound", check == ("ok",), str(check)),
        Promise("nothing half written stays", not halves, str(halves)),
        Promise("the platform says it once each time", 0 < _told(box) <= len(recovered_s), str(_told(box))),
    ]
    if not stage.short:
        slow = [took for took in recovered_s if took > RECOVERED_S]
        promises.append(Promise(f"everything works within {RECOVERED_S:g} s of space", not slow, str(slow)))
    figures = {
        "times the disk was full": str(len(recovered_s)),
        "changes taken again after, median (longest)": f"{median(recovered_s):.2f} s ({max(recovered_s):.2f} s)",
    }
    return judge(stage, box, load.calls(), changes=operator.path, figures=figures, promises=promises)


def _refused_after(operator: Operator, began_s: float) -> float | None:
    """Return when the first change was refused; None when none was, as small ones may still find room."""
    for number in range(200):
        if not operator.deploy(f"filler-{number % 4}", f"{number}", replicas=0):
            return time.monotonic() - began_s
    return None


def _recovered_after(operator: Operator, began_s: float) -> float:
    while not operator.deploy("filler-0", "after", replicas=0):
        pass
    return time.monotonic() - began_s


def _told(box: Box) -> int:
    return box.log().count("log lines are dropped until")
