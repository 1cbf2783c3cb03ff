"""A long day in minutes: steady calls, functions deployed, called, scaled and removed without end; nothing may pile up.

Memory is sampled while the load runs, and its slope over the last three quarters judged. Descriptors, threads, zombies,
sockets, files in temporary folders and cgroups are counted at rest before and after, and must be as many.
"""

import time
from collections import Counter
from pathlib import Path

import msgspec

from chaos import processes
from chaos.background import Background
from chaos.box import Box
from chaos.judgement import judge
from chaos.load import Load
from chaos.operator import Operator
from chaos.outcome import Outcome, Promise
from chaos.plan import Target
from chaos.processes import eventually
from chaos.stage import Stage
from dayfly.model.errors import DayflyError

SECONDS = 150.0
_RATE_PER_S = 300.0
_SAMPLE_S = 1.0
_SLOPE = 1.0
"""MiB in ten minutes that a process may grow by."""
_NOISE = 2.0
"""MiB that an allocator takes and gives back at a whim; what a short run cannot tell from growth."""
_CYCLED = 4
_REST_S = 70.0
"""A gateway looks every 30 s for connections that nobody needed since the look before."""
_A_DAY = 864_000
"""Calls in 24 hours at ten a second."""
_PARTS = ("supervisor", "zygote", "control", "gateway", "replica")


class Rest(msgspec.Struct, frozen=True):
    """What a platform holds when nothing is asked of it, by the kind of thing."""

    counts: dict[str, int]


class Sample(msgspec.Struct, frozen=True):
    """The memory of each part at a time, in MiB."""

    at_s: float
    resident: dict[str, float]


def run(stage: Stage) -> Outcome:
    """Load and churn for the time there is."""
    # Little room for templates, so that it is full soon: what was removed is kept until others need the room.
    box = stage.box(gateways=2, environ={"DAYFLY_TEMPLATE_MEMORY": "48Mi"})
    for name in ("one", "two"):
        box.deploy(name, replicas=2)
    operator = Operator(box, stage.folder("operator"))
    targets = (Target(function="one", pad=2_000), Target(function="two", ms=5, weight=0.3))
    warm = Load(stage.folder("warm"), box.address, targets, _RATE_PER_S, seed=stage.seed)
    load = Load(stage.folder("load"), box.address, targets, _RATE_PER_S, seed=stage.seed)
    samples: list[Sample] = []
    with operator:
        with warm, _Cycle(box, operator, "warm"):
            time.sleep(stage.seconds / 8)
        before = _rest(box)
        with load, _Cycle(box, operator, "cycle") as cycle:
            until_s = time.monotonic() + stage.seconds
            while time.monotonic() < until_s:
                time.sleep(_SAMPLE_S)
                samples.append(_sample(box))
        after = _settled(box, before)
    calls = [*warm.calls(), *load.calls()]
    slopes = {part: _slope(samples[len(samples) // 4 :], part) for part in _PARTS}
    minutes = stage.seconds * 3 / 4 / 60
    allowed = dict.fromkeys(_PARTS, (_NOISE + _SLOPE * minutes / 10) / minutes * 10)
    growing = {part: f"{slope:.1f} MiB in 10 min" for part, slope in slopes.items() if slope > allowed[part]}
    more = {what: (count, after.counts[what]) for what, count in before.counts.items() if after.counts[what] > count}
    promises = (
        Promise("no part's memory grows", not growing, f"{growing}"),
        Promise("descriptors, threads, zombies, files, cgroups are as many as before", not more, f"{more}"),
        Promise("every function that was deployed could be called", not cycle.failed, "; ".join(cycle.failed[:3])),
    )
    figures = {
        "calls as many as ten a second make in": f"{len(calls) / _A_DAY * 24:.1f} h",
        "deployed, called, scaled and removed": f"{cycle.rounds} times",
        "memory in the end": ", ".join(f"{part} {size:.0f} MiB" for part, size in samples[-1].resident.items()),
        "growth in 10 minutes": ", ".join(f"{part} {slope:+.1f} MiB" for part, slope in slopes.items()),
        "at rest before and after": ", ".join(
            f"{what} {count} → {after.counts[what]}" for what, count in before.counts.items()
        ),
    }
    return judge(stage, box, calls, changes=operator.path, figures=figures, promises=promises)


class _Cycle(Background):
    """Deploys a function, calls it, scales it, removes it, and so on with the next, until the end of its block."""

    def __init__(self, box: Box, operator: Operator, prefix: str) -> None:
        super().__init__("cycle")
        self.rounds = 0
        self.failed: list[str] = []
        self._box = box
        self._operator = operator
        self._prefix = prefix

    def step(self) -> None:
        """Take one function through its life."""
        name = f"{self._prefix}-{self.rounds % _CYCLED}"
        self._operator.deploy(name, str(self.rounds))
        try:
            answer = self._box.client.invoke(name, f"{name}-{self.rounds} 1".encode())
        except DayflyError as error:
            self.failed.append(f"{name}: {error}")
        else:
            if answer.status != 200:
                self.failed.append(f"{name}: {answer.status} {answer.body[:200]!r}")
        self._operator.scale(name, 2)
        self._operator.remove(name)
        self.rounds += 1


def _sample(box: Box) -> Sample:
    sizes: Counter[str] = Counter()
    for pid, role in box.roles().items():
        usage = processes.usage(pid, role)
        if usage is not None and role in _PARTS and (role != "replica" or pid in _steady(box)):
            sizes[role] += usage.resident
    return Sample(time.monotonic(), {part: sizes[part] / 2**20 for part in _PARTS})


def _steady(box: Box) -> set[int]:
    """The replicas that stay all the time: those of the functions that the load calls."""
    listeners = processes.listeners_below(box.run_dir / "r", box.pids("replica"))
    steady = {each.id for name in ("one", "two") if (status := box.status(name)) for each in status.replicas}
    return {pid for path, pid in listeners.items() if Path(path).stem in steady}


def _slope(samples: list[Sample], part: str) -> float:
    """Return the least-squares slope of a part's memory, in MiB in ten minutes."""
    times = [sample.at_s for sample in samples]
    sizes = [sample.resident[part] for sample in samples]
    middle_s, middle = sum(times) / len(times), sum(sizes) / len(sizes)
    spread = sum((at_s - middle_s) ** 2 for at_s in times)
    pairs = zip(times, sizes, strict=True)
    return sum((at_s - middle_s) * (size - middle) for at_s, size in pairs) / spread * 600 if spread else 0.0


def _rest(box: Box) -> Rest:
    """Return what is held once two looks in a row show the same, or after _REST_S."""
    last = _counts(box)
    until_s = time.monotonic() + _REST_S
    while time.monotonic() < until_s:
        time.sleep(2.0)
        found = _counts(box)
        if found == last:
            break
        last = found
    return Rest(last)


def _settled(box: Box, before: Rest) -> Rest:
    """Return what is held afterwards; pools that grew are given time to let go of what they do not need."""
    found = _counts(box)

    def calm() -> bool:
        found.update(_counts(box))
        return all(found[what] <= count for what, count in before.counts.items())

    eventually(calm, _REST_S, 1.0)
    return Rest(dict(found))


def _counts(box: Box) -> dict[str, int]:
    roles = {pid: role for pid, role in box.roles().items() if role in ("supervisor", "zygote", "control", "gateway")}
    usages = [usage for pid, role in roles.items() if (usage := processes.usage(pid, role)) is not None]
    counts = {f"{part} descriptors": 0 for part in ("supervisor", "zygote", "control", "gateway")}
    for usage in usages:
        counts[f"{usage.role} descriptors"] += usage.descriptors
    # Two for each template there is: how many there are is a question of room.
    counts["zygote descriptors"] -= 2 * len(box.pids("template"))
    return counts | {
        "threads": sum(usage.threads for usage in usages),
        "zombies": processes.zombies_below(box.supervisor),
        "sockets": len(processes.unix_sockets_below(box.run_dir)),
        "files of the run": sum(1 for _ in box.run_dir.rglob("*")),
        "files in /dev/shm": len(list(Path("/dev/shm").iterdir())),
        "cgroups": sum(path.is_dir() for path in box.cgroups),
    }
