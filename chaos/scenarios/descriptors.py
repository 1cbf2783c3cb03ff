"""Every process may have 1,024 files open, and more connections than that come, under load.

Calls on connections that are there go on; what has no room waits or is refused, and nobody spins. The platform says
which limit it is, and has forgotten all of it once the crowd is gone.
"""

import contextlib
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from chaos.box import Box
from chaos.judgement import judge
from chaos.load import Load
from chaos.operator import Churn, Operator
from chaos.outcome import Outcome, Promise
from chaos.plan import Target
from chaos.processes import Usage, eventually, usage
from chaos.stage import Stage

SECONDS = 40.0
_FILES = 1024
_CROWD = 500
_PARTS = ("supervisor", "zygote", "control", "gateway")
_LISTENERS = ("gateway_url", "console_url", "metrics_url")
_SLACK = 16
"""Descriptors that a process may keep for a while, of connections that are kept for the next request."""
_BUSY_SHARE = 0.9
"""Of a processor: beyond it a process that serves this load is spinning."""


def run(stage: Stage) -> Outcome:
    """Let crowds come and go until the time is over."""
    box = stage.box(prefix=("sh", "-c", f'ulimit -n {_FILES}; exec "$@"', "sh"))
    box.deploy("busy", replicas=2)
    before = _open_files(box)
    serving = set(box.pids("gateway") + box.pids("control"))  # the zygote's are its replicas', which come and go
    operator = Operator(box, stage.folder("operator"))
    load = Load(stage.folder("load"), box.address, (Target(function="busy", ms=5),), 40, fresh=0.05, seed=stage.seed)
    most, busiest, crowds = 0, 0.0, 0
    with operator, Churn(operator, stage.seed, ["churn-0", "churn-1"], pause_s=0.5), load:
        until_s = time.monotonic() + stage.seconds
        while time.monotonic() < until_s or not crowds:
            crowds += 1
            with contextlib.ExitStack() as crowd:
                for listener in _LISTENERS:
                    for connection in _connections(box.url(listener), _CROWD):
                        crowd.enter_context(connection)
                began_s, used_s = time.monotonic(), _processor_s(box)
                time.sleep(4.0)
                spent = {pid: seconds - used_s.get(pid, seconds) for pid, seconds in _processor_s(box).items()}
                busiest = max(busiest, *(seconds / (time.monotonic() - began_s) for seconds in spent.values()))
                most = max(most, *_open_files(box).values())
            stage.say(f"a crowd of {len(_LISTENERS) * _CROWD} came and went")
            time.sleep(1.0)
    forgotten = eventually(lambda: all(_open_files(box).get(pid, 0) <= before[pid] + _SLACK for pid in serving), 30)
    promises = [
        Promise("no process reaches its limit", most < _FILES, str(most)),
        Promise("the limit is named", "connections are taken (a share of `ulimit -n`)" in box.log()),
        Promise("no process ended", set(before) <= set(box.roles()), f"{before}, {box.roles()}"),
        Promise("everything is closed afterwards", forgotten, f"{before}, {_open_files(box)}"),
    ]
    if not stage.short:
        promises.append(Promise("nobody spins", busiest < _BUSY_SHARE, f"{busiest:.2f} of a processor"))
    figures = {
        "crowds": str(crowds),
        "open files of one process, at most": str(most),
        "processor of the busiest process": f"{busiest:.2f}",
    }
    return judge(stage, box, load.calls(), changes=operator.path, figures=figures, promises=promises)


def _connections(url: str, count: int) -> Iterator[socket.socket]:
    address = urlsplit(url)
    for _ in range(count):
        yield socket.create_connection((address.hostname or "", address.port or 0), timeout=10)


def _usages(box: Box) -> list[Usage]:
    parts = ((pid, role) for pid, role in box.roles().items() if role in _PARTS)
    return [found for pid, role in parts if (found := usage(pid, role)) is not None]


def _open_files(box: Box) -> dict[int, int]:
    return {each.pid: each.descriptors for each in _usages(box)}


def _processor_s(box: Box) -> dict[int, float]:
    return {each.pid: each.cpu_s for each in _usages(box)}
