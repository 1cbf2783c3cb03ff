"""Memory: of the platform with no function, and of each further replica of a small one."""

import statistics
import time

from bench import budgets
from bench.book import Lab
from bench.figures import Spread
from bench.instance import Dayfly
from bench.probe import first_call, get
from bench.processes import memory, name, tree, tree_pss

_SETTLE_S = 3.0
_EXTRA = 8
_MIB = 1 << 20


def measure(lab: Lab) -> None:
    """Measure the group."""
    with Dayfly(lab) as dayfly:
        lab.say("idle platform")
        time.sleep(_SETTLE_S)
        _idle(lab, dayfly)
        _replicas(lab, dayfly)


def _idle(lab: Lab, dayfly: Dayfly) -> None:
    members = tree(dayfly.pid)
    sizes = {pid: memory(pid).pss for pid in members}
    note = f"{len(members)} processes: " + ", ".join(f"{name(pid)} {size / _MIB:.0f}" for pid, size in sizes.items())
    idle = Spread((sum(sizes.values()) / _MIB,))
    lab.figure("platform with no function, PSS of all processes", idle, "MiB", budget=budgets.IDLE_MIB, note=note)


def _replicas(lab: Lab, dayfly: Dayfly) -> None:
    lab.say(f"1 and {1 + _EXTRA} warm replicas")
    dayfly.deploy("noop", "noop")
    _settle_at(dayfly, 1)
    before, before_pss = set(tree(dayfly.pid)), tree_pss(dayfly.pid)
    _settle_at(dayfly, 1 + _EXTRA)
    new = sorted(set(tree(dayfly.pid)) - before)
    if len(new) != _EXTRA:
        lab.gap("unique memory of a replica", f"{_EXTRA} more replicas are {len(new)} more processes")
        return
    shared = (tree_pss(dayfly.pid) - before_pss) / _EXTRA / _MIB
    private = [memory(pid).private / _MIB for pid in new]
    note = f"median of {_EXTRA}; the platform as a whole grew by {shared:.1f} MiB for each (PSS)"
    lab.figure(
        "each extra warm replica of a small handler, unique memory",
        Spread((statistics.median(private),)),
        "MiB",
        budget=budgets.REPLICA_MIB,
        note=note,
    )


def _settle_at(dayfly: Dayfly, replicas: int) -> None:
    """Scale, call every replica through the gateway, and let the memory come to rest."""
    dayfly.client.scale("noop", replicas)
    dayfly.wait_for("noop", replicas)
    for _ in range(replicas * 4):
        first_call(dayfly.port, get("/function/noop"))
    time.sleep(_SETTLE_S)
