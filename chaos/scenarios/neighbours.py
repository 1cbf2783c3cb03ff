"""A function that takes all it can get, in nine ways, beside one that is called all the time and must not notice.

Each way has a function of its own, so that one's restarts do not delay the next. What became of it must be told by its
true name: in the answer of the call, or in the function's status where the call was cut short.
"""

import os
import time
from pathlib import Path

import msgspec

from chaos.box import Box
from chaos.judgement import judge
from chaos.ledger import Call
from chaos.load import Load
from chaos.outcome import Outcome, Promise, hardly_slower, percentile
from chaos.plan import Target
from chaos.processes import eventually
from chaos.stage import Stage
from dayfly.client import Answer
from dayfly.model.errors import DayflyError
from dayfly.model.function import Resources

SECONDS = 60.0
SHORT_SECONDS = 0.0  # tests/system/test_neighbours.py is its short form
_RATE_PER_S = 10.0
"""Twice of less than this is no harm, but a turn of the scheduler."""
_BACK_S = 5.0
_MEMORY_SLACK = 16 << 20


class _Way(msgspec.Struct, frozen=True):
    """One way of misbehaving, and what must be told of it."""

    word: str
    code: str = ""
    """The code of the problem that answers the call; nothing when it is answered as usual."""
    exit: str = ""
    """Why its replica ends; nothing when it lives on."""
    log: str = "limit: "
    """What its log says."""
    memory: str = "64Mi"


_WAYS = (
    _Way("memory", "function_out_of_memory", "oom", log="memory limit of 64 MiB"),
    _Way("forks", "pids", "pids", memory="1Gi"),
    _Way("spin", log="", memory="256Mi"),
    _Way("descriptors", "files"),
    _Way("log", log="lines dropped"),
    _Way("disk", "disk"),
    _Way("files", "disk"),
    _Way("stop", "function_stopped", "stuck", log="SIGSTOP"),
    _Way("stay", "timeout", "timeout", log="went on after its timeout"),
)


def run(stage: Stage) -> Outcome:
    """Let each misbehave in turn while the neighbour is called."""
    box = stage.box(gateways=1)
    box.deploy("quiet")
    for way in _WAYS:
        box.deploy(
            way.word, "unruly", timeout="8s" if way.word != "stay" else "2s", limits=Resources(memory=way.memory)
        )
    before = _Use.of(box)
    target = (Target(function="quiet", pad=0),)
    calm = Load(stage.folder("calm"), box.address, target, _RATE_PER_S, fresh=0.1, seed=stage.seed)
    with calm:
        time.sleep(stage.seconds / 4)
    busy = Load(stage.folder("busy"), box.address, target, _RATE_PER_S, fresh=0.1, seed=stage.seed)
    promises: list[Promise] = []
    worst: dict[str, float] = {}
    with busy:
        until_s = time.monotonic() + stage.seconds
        while True:
            for way in _WAYS:
                began_s = time.monotonic()
                promises += _misbehave(box, way, stage)
                worst[way.word] = max([worst.get(way.word, 0.0), *_took(busy.calls(), began_s)])
            if stage.short or time.monotonic() > until_s:
                break
        for way in _WAYS:
            box.client.scale(way.word, 0)
    ended_s = time.monotonic()
    back = eventually(lambda: _Use.of(box).is_within(before), 30.0)
    back_s = time.monotonic() - ended_s
    after = _Use.of(box)
    was, now = (percentile([call.took_s for call in load.calls()], 99) for load in (calm, busy))
    promises.append(Promise("memory and processes are back where they were", back, f"{before} before, {after} after"))
    if not stage.short:
        promises += [
            hardly_slower("the neighbour's", was, now),
            Promise("memory and processes are back within 5 s", back_s <= _BACK_S, f"{back_s:.1f} s"),
        ]
    figures = {
        "the neighbour's calls took, p99": f"{was * 1000:.1f} ms alone, {now * 1000:.1f} ms beside the others",
        "the longest beside each": ", ".join(f"{word} {took * 1000:.0f} ms" for word, took in worst.items()),
        "memory and processes were back after": f"{back_s:.1f} s ({before} before, {after} after)",
    }
    return judge(stage, box, [*calm.calls(), *busy.calls()], figures=figures, promises=promises)


def _misbehave(box: Box, way: _Way, stage: Stage) -> list[Promise]:
    """Let one function misbehave once; return what had to be told and whether it was."""
    status = box.status(way.word)
    exits = status.exits.get(way.exit, 0) if status is not None else 0
    began_s = time.monotonic()
    code = _code_of(box.client.invoke(way.word, way.word.encode(), timeout_s=30.0))
    stage.say(f"{way.word}: {code or 'done'} after {time.monotonic() - began_s:.1f} s")
    found = [Promise(f"{way.word} is answered with {way.code or 'its result'}", code == way.code, code)]

    def has_ended() -> bool:
        status = box.status(way.word)
        return status is not None and status.exits.get(way.exit, 0) > exits

    if way.exit:
        told = eventually(has_ended, 10.0)
        found.append(Promise(f"the end of {way.word} is told as {way.exit}", told, str(box.status(way.word))))
    if way.log:
        read = eventually(lambda: any(way.log in line.text for line in box.client.logs(way.word)), 10.0)
        found.append(Promise(f"the log of {way.word} says so", read, way.log))
    back = eventually(lambda: _answers(box, way.word), 20.0)
    found.append(Promise(f"{way.word} answers again", back, str(box.status(way.word))))
    return found


def _answers(box: Box, name: str) -> bool:
    try:
        return box.client.invoke(name, b"nothing", timeout_s=10.0).status == 200
    except DayflyError:
        return False


def _code_of(answer: Answer) -> str:
    if answer.status == 200:
        return ""
    problem = msgspec.json.decode(answer.body)
    return str(problem["code"]) if isinstance(problem, dict) else f"{answer.status}"


def _took(calls: list[Call], since_s: float) -> list[float]:
    return [call.took_s for call in calls if call.sent_s >= since_s]


class _Use(msgspec.Struct, frozen=True):
    """What all functions of a platform use together, by the kernel's count."""

    memory: int
    processes: int

    @classmethod
    def of(cls, box: Box) -> "_Use":
        """Return what they use now."""
        zygote = box.pids("zygote")
        folders = [Path(root) for root, *_ in os.walk("/sys/fs/cgroup") if root.endswith(f"/dayfly-{zygote[0]}")]
        memory = 0
        for folder in folders:
            for name in ("memory.usage_in_bytes", "memory.current"):
                memory += int((folder / name).read_text()) if (folder / name).is_file() else 0
        return cls(memory, len(box.roles()))

    def is_within(self, other: "_Use") -> bool:
        """Whether it is no more than the other, but for noise."""
        return self.memory <= other.memory + _MEMORY_SLACK and self.processes <= other.processes

    def __str__(self) -> str:
        return f"{self.memory / 2**20:.0f} MiB in {self.processes} processes"
