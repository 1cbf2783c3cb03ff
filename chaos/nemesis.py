"""Who is killed, how long it is missed, and what that excuses.

A strike is SIGKILL, to which nothing can be said. It is over when what was killed serves again: not when a process of
that kind exists, but when it does its work. The supervisor has nobody above it here; what a service manager would do,
starting it again, is done by the strike.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from chaos import processes
from chaos.box import Box, BoxBroken
from chaos.checker import Excuse
from chaos.processes import eventually
from dayfly.model.errors import DayflyError
from dayfly.model.status import FunctionStatus

KINDS = ("replica", "template", "zygote", "gateway", "control", "supervisor", "everything")
RESTORE_S = 60.0
"""How long to wait for what was killed before giving up on it."""
SLACK_S = 1.0
"""A call sent so soon after a death may still have met the dead: the news of it is under way, through processes that
want the same few processors as everything that is started anew."""
CUT_OFF = ("closed", "reset", "broken", "broken by a reset")
"""What becomes of a call whose gateway dies."""


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was killed."""

    kind: str
    function: str = ""
    """Whose replica or template it was."""
    began_s: float
    dead_s: float
    """When the kernel had ended all that it was to end."""
    restored_s: float = float("inf")
    notes: tuple[str, ...] = ()
    """What was wrong about the restoration."""

    @property
    def missed_s(self) -> float:
        """For how long it was missed, in seconds."""
        return self.restored_s - self.began_s

    @property
    def excuse(self) -> Excuse | None:
        """Which failures it excuses; None where none does."""
        until_s = self.dead_s + SLACK_S
        reasons: tuple[str, ...]
        functions: tuple[str, ...] = ()
        if self.kind in ("replica", "template"):
            reasons, functions = ("502 replica_lost", "502 function_killed"), (self.function,)
        elif self.kind == "zygote":
            reasons = ("502 replica_lost",)
        elif self.kind == "gateway":
            reasons = CUT_OFF
        elif self.kind in ("control", "queue", "nats"):
            return None
        else:
            reasons, until_s = ("*",), self.restored_s + SLACK_S
        return Excuse(why=self.kind, from_s=self.began_s, until_s=until_s, reasons=reasons, functions=functions)


class Nemesis:
    """Strikes at what chance decides. `functions` are those whose replicas may be hit, and how many each must have."""

    def __init__(self, box: Box, chance: random.Random, functions: dict[str, int]) -> None:
        self.strikes: list[Strike] = []
        self._box = box
        self._chance = chance
        self._functions = functions

    def strike(self, kind: str, function: str = "", *, oldest: bool = False) -> Strike:
        """Kill one thing of this kind and return once it is back, or RESTORE_S have passed.

        `oldest` names which replica; any, by default.
        """
        if kind in ("replica", "template") and not function:
            function = self._chance.choice(sorted(self._functions))
        before = self._replicas()
        victims = self._victims(kind, function, oldest)
        dying = self._dying_with(kind, victims)
        began_s = time.monotonic()
        for pid in victims:
            _kill(pid)
        gone = eventually(lambda: not any(map(processes.alive, dying)), RESTORE_S, 0.001)
        dead_s = time.monotonic()
        notes = [] if gone else [f"processes {[pid for pid in dying if processes.alive(pid)]} outlived their {kind}"]
        if kind in ("supervisor", "everything"):
            self._box.start()
        back = eventually(lambda: self._is_back(kind, function, victims, before), RESTORE_S, 0.005)
        restored_s = time.monotonic() if back else float("inf")
        if not back:
            notes += [f"{kind} is not back: {name} is {_told(self._box.status(name))}" for name in self._functions]
        if kind == "control" and back:
            notes += _not_adopted(before, self._replicas())
        done = Strike(
            kind=kind, function=function, began_s=began_s, dead_s=dead_s, restored_s=restored_s, notes=tuple(notes)
        )
        self.strikes.append(done)
        return done

    def excuses(self) -> list[Excuse]:
        """Return what all strikes together excuse."""
        return [excuse for strike in self.strikes if (excuse := strike.excuse) is not None]

    def missed(self) -> dict[str, list[float]]:
        """Return for how many seconds each kind was missed, strike by strike."""
        found: dict[str, list[float]] = {}
        for strike in self.strikes:
            found.setdefault(strike.kind, []).append(strike.missed_s)
        return found

    def _victims(self, kind: str, function: str, oldest: bool) -> list[int]:
        if kind in ("replica", "template"):
            pids = self.replica_pids(function)
            replica = min(pids, key=processes.started) if oldest else self._chance.choice(pids)
            return [replica if kind == "replica" else _parent(self._box, replica)]
        if kind == "everything":
            everything = list(self._box.roles())
            self._chance.shuffle(everything)
            return everything
        pids = self._box.pids(kind)
        if not pids:
            raise BoxBroken(f"there is no {kind} to kill")
        return [self._chance.choice(pids)]

    def replica_pids(self, function: str) -> list[int]:
        """Return the processes that listen for the function's ready replicas. Raises BoxBroken when there are none."""
        found: list[int] = []

        def listening() -> bool:
            status = self._box.status(function)
            ids = {each.id for each in status.replicas} if status is not None else set()
            holders = processes.listeners_below(self._box.run_dir / "r", self._box.roles())
            found[:] = sorted(pid for path, pid in holders.items() if _replica_of(path) in ids)
            return len(found) > 0

        if not eventually(listening, RESTORE_S):
            raise BoxBroken(f"{function} has no replica to kill")
        return found

    def _dying_with(self, kind: str, victims: Sequence[int]) -> list[int]:
        dying = list(victims)
        if kind in ("template", "zygote", "supervisor"):
            dying += [child for pid in victims for child in processes.descendants(pid)]
        return dying

    def _replicas(self) -> dict[str, set[str]]:
        found = ((name, self._box.status(name)) for name in self._functions)
        return {name: {each.id for each in status.replicas} for name, status in found if status is not None}

    def _is_back(self, kind: str, function: str, victims: Sequence[int], before: dict[str, set[str]]) -> bool:
        if kind == "gateway":
            pids = self._box.pids("gateway")
            return len(pids) == self._box.gateways and not set(pids) & set(victims) and self._gateways_linked()
        if kind == "control":
            return self._box.is_served
        if kind in ("queue", "nats"):
            return self._queues() and not set(self._box.pids(kind)) & set(victims)
        if kind in ("replica", "template"):
            now = self._replicas().get(function, set())
            return now != before[function] and self._complete([function])
        return self._complete(self._functions)

    def _gateways_linked(self) -> bool:
        try:
            return self._box.client.info().gateways == self._box.gateways
        except DayflyError:
            return False

    def _queues(self) -> bool:
        try:
            return isinstance(self._box.client.list_calls(limit=1), list)
        except DayflyError:
            return False

    def _complete(self, functions: Iterable[str]) -> bool:
        for name in functions:
            status = self._box.status(name)
            if status is None or status.ready_replicas != self._functions[name]:
                return False
        return True


def rounds(chance: random.Random, kinds: Sequence[str]) -> Callable[[], str]:
    """Return a function that gives one kind after another: all of them in random order, then anew."""
    left: list[str] = []

    def following() -> str:
        if not left:
            left.extend(chance.sample(list(kinds), len(kinds)))
        return left.pop()

    return following


def _replica_of(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".sock")


def _parent(box: Box, pid: int) -> int:
    return processes.descendants(box.supervisor)[pid]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _told(status: FunctionStatus | None) -> str:
    if status is None:
        return "not to be had"
    return f"{status.state} with {status.ready_replicas} of {status.desired_replicas} replicas: {status.reason}"


def _not_adopted(before: dict[str, set[str]], after: dict[str, set[str]]) -> list[str]:
    return [
        f"replicas {sorted(ids - after.get(name, set()))} of {name} ran on and were not adopted"
        for name, ids in before.items()
        if ids - after.get(name, set())
    ]
