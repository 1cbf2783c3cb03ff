"""Twelve hundred slow clients at 1,024 open files: bytes of a head or body now and then, or answers never read.

All of them are shown out in time, and whoever calls honestly meanwhile, from processes of their own, does not notice.
"""

import asyncio
import time
from urllib.parse import urlsplit

from fuzz.slow import Slowness, assault

from chaos.judgement import judge
from chaos.load import Load
from chaos.outcome import Outcome, Promise, hardly_slower, percentile
from chaos.plan import Target
from chaos.stage import Stage

SECONDS = 15.0
_FILES = 1024
_RATE = 20
_LONGEST_S = 15.0


def run(stage: Stage) -> Outcome:
    """Call in peace for a while, then beside slow clients until all of those are gone."""
    slowness = Slowness()
    count = slowness.headers + slowness.bodies + slowness.reads
    environ = {"DAYFLY_LIMITS": "answer_bytes=0"}
    box = stage.box(environ=environ, prefix=("sh", "-c", f'ulimit -n {_FILES}; exec "$@"', "sh"))
    box.deploy("echo", replicas=2)
    box.deploy("large", "large")
    targets = (Target(function="echo"),)
    peace = Load(stage.folder("peace"), box.address, targets, _RATE, fresh=0.5, seed=stage.seed)
    with peace:
        time.sleep(stage.seconds)
    load = Load(stage.folder("load"), box.address, targets, _RATE, fresh=0.5, seed=stage.seed)
    there = urlsplit(box.url("gateway_url"))
    with load:
        attack = assault(
            there.hostname or "", there.port or 0, slowness, "/function/large", give_up_s=2 * _LONGEST_S, rate=1
        )
        toll = asyncio.run(attack)
    was, now = (percentile([call.took_s for call in each.calls()], 99) for each in (peace, load))
    lasted = f"{toll.closed} of {count} closed, the longest after {toll.longest_s:.1f} s"
    in_time = toll.closed == count and toll.longest_s <= _LONGEST_S
    promises = [
        Promise(f"all slow clients are shown out within {_LONGEST_S:g} s", in_time, lasted),
        hardly_slower("honest calls'", was, now),
    ]
    figures = {
        "slow clients": lasted,
        "honest calls took, p99": f"{was * 1000:.1f} ms in peace, {now * 1000:.1f} ms beside slow clients",
    }
    return judge(stage, box, [*peace.calls(), *load.calls()], figures=figures, promises=promises)
