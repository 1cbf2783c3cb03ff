"""The process that owns the state is killed at one system call after another; then the disk refuses some of them.

What it acknowledged is there when it is opened again, a change it was at is there as a whole or not at all, and no file
is left that nobody will use. Given time (`--seconds 900`) every call that changes the disk has its turn.
"""

import shutil
import time

from chaos.outcome import Outcome, Promise
from chaos.stage import Stage
from chaos.store_kill import CALLS, CannotTrace, Judgement, calls_made, judge, run_with

SECONDS = 120.0
OPENED_S = 2.0
_ERRORS = ("fdatasync:error=EIO", "pwrite64:error=EIO", "pwrite64:error=ENOSPC", "fsync:error=EIO", "rename:error=EIO")


def run(stage: Stage) -> Outcome:
    """Kill at every call, in a random order, until the time is over; then a few runs with errors."""
    found: dict[str, Judgement] = {}
    try:
        calls = calls_made(stage.folder("count"))
        kills = [f"{call}:signal=SIGKILL:when={number}" for call in CALLS for number in range(1, calls[call] + 1)]
        stage.random.shuffle(kills)
        errors = [f"{error}:when={stage.random.randrange(8, 60)}+" for error in _ERRORS for _ in range(3)]
        until_s = time.monotonic() + stage.seconds
        for fault in [*errors, *kills]:
            if time.monotonic() < until_s:
                found[fault] = _judged(stage, fault)
    except CannotTrace as error:
        stage.say(f"left out: {error}")
        return Outcome(figures={"left out": str(error)})
    return _outcome(stage, found, len(kills))


def _judged(stage: Stage, fault: str) -> Judgement:
    folder = stage.folder("store")
    try:
        judgement = judge(folder, run_with(folder, fault))
    finally:
        shutil.rmtree(folder)
    for line in (*judgement.lost, *judgement.orphans):
        stage.say(f"{fault}: {line[:300]}")
    return judgement


def _outcome(stage: Stage, found: dict[str, Judgement], points: int) -> Outcome:
    slowest = max((each.opened_s for each in found.values()), default=0.0)
    killed = sum("SIGKILL" in fault for fault in found)
    promises = []
    if not stage.short:
        promises.append(Promise(f"the state opens within {OPENED_S:g} s", slowest <= OPENED_S, f"{slowest:.2f} s"))
    figures = {
        "calls at which the process was killed, of all there are": f"{killed} of {points}",
        "runs that met errors instead": str(len(found) - killed),
        "opening took at most": f"{slowest * 1000:.0f} ms",
    }
    return Outcome(
        calls=len(found),
        state_lost=sum(len(each.lost) for each in found.values()),
        orphans=sum(len(each.orphans) for each in found.values()),
        figures=figures,
        promises=tuple(promises),
    )
