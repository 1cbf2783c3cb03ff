"""Two hundred simultaneous calls of a function that has no replica, again and again: all are answered, few are started.

The function is new the first time, so that its code is prepared once for all of them; after that it was scaled to zero.
"""

from chaos.box import FUNCTIONS, Box
from chaos.burst import Burst
from chaos.judgement import judge
from chaos.ledger import Call
from chaos.outcome import Outcome, Promise, percentile
from chaos.processes import eventually
from chaos.stage import Stage
from dayfly.client import pack
from dayfly.model.function import FunctionSpec

SECONDS = 10.0
SHORT_SECONDS = 2.0
_STORM = 200
_MAX_REPLICAS = 4
_CALM_S = 30.0


def run(stage: Stage) -> Outcome:
    """Storm the function several times."""
    box = stage.box()
    labels = {"com.openfaas.scale.min": "0", "com.openfaas.scale.max": f"{_MAX_REPLICAS}"}
    receipt = box.client.upload(pack(FUNCTIONS / "echo"))
    box.client.deploy(FunctionSpec(name="sleeper", bundle=receipt.digest, labels=labels))
    rounds = 2 if stage.short else 10
    calls: list[Call] = []
    slowest = []
    most = 0
    for number in range(rounds):
        if number:
            box.client.scale("sleeper", 0)
            eventually(lambda: _replicas(box) == 0, _CALM_S)
        before = _started(box)
        with Burst(box.address, "sleeper", _STORM) as burst:
            pass
        calls += burst.calls
        slowest.append(max(call.took_s for call in burst.calls))
        most = max(most, _started(box) - before)
    folders = [folder.name for folder in (box.data_dir / "code").iterdir() if folder.is_dir()]
    promises = (
        Promise("all are answered", all(call.ok for call in calls), f"{sum(not call.ok for call in calls)} were not"),
        Promise(f"at most {_MAX_REPLICAS} replicas start for a storm", most <= _MAX_REPLICAS, f"{most}"),
        Promise("the code is unpacked once", len(folders) == 1, f"{folders}"),
    )
    figures = {
        f"storms of {_STORM} calls": f"{rounds}",
        "the slowest call of a storm, median (longest)": f"{percentile(slowest, 50):.2f} s ({max(slowest):.2f} s)",
        "replicas started for a storm at most": f"{most}",
    }
    return judge(stage, box, calls, figures=figures, promises=promises)


def _replicas(box: Box) -> int:
    status = box.status("sleeper")
    return len(status.replicas) if status is not None else -1


def _started(box: Box) -> int:
    """How many replicas ever answered, as their log lines tell."""
    return len({line.replica for line in box.client.logs("sleeper") if line.replica})
