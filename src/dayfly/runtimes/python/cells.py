"""Cells: the control group that a replica lives in, with all it starts, until nothing of it is left.

A group knows every process below it, however often that forked and whatever session it fled to; it counts what all of
them use together; and the kernel notes in it what struck. So a cell limits a replica, says why it ended, and ends it.

Each zygote has one folder in each tree, named after its process and held by a lock that the kernel lets go when the
zygote is gone, in whatever way. Who starts next removes every such folder that nobody holds.
"""

import contextlib
import itertools
import logging
import os
import signal
import time

from dayfly.runtimes.python.hierarchy import (
    CONTROLLERS,
    Branch,
    Place,
    enable,
    favour,
    hold,
    locked,
    places,
    step_aside,
    write,
)
from dayfly.runtimes.python.limits import LEAST_MEMORY_BYTES, Limits

_log = logging.getLogger("dayfly.runtimes.zygote")

PREFIX = "dayfly-"
_ROUNDS = 200
_ROUND_S = 0.01
"""A killed process needs a moment to leave; two seconds are given to the slowest."""
_LOST = {
    "memory": "a replica's memory is looked at four times a second, and not held by the kernel",
    "pids": "a replica's processes are looked at four times a second, and not held by the kernel",
    "cpu": "it has no processor share or limit of its own",
}
_ALL_LOST = (
    "no cgroups can be made here: a replica's memory and processes are looked at four times a second and not held by"
    " the kernel, and processors are not limited at all; run the platform as root for that, or start it with"
    " `systemd-run --user --scope -p Delegate=yes dayfly start`"
)
_IN_A_POD = (
    "no cgroups can be made in this pod: its own limits hold memory and processors, and the function's, of memory and"
    " processes, are looked at four times a second"
)


class Cell:
    """One group, in every tree that limits something."""

    def __init__(self, name: str, branches: tuple[Branch, ...], limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self._folders = [(branch, f"{branch.folder}/{name}") for branch in branches]
        self.told: dict[str, int] = {}
        """What struck as it was last told."""
        try:
            for branch, folder in self._folders:
                os.mkdir(folder)
                branch.limit(folder, limits)
        except OSError:
            self.remove()
            raise

    def doors(self) -> list[int]:
        """Return descriptors through which a process enters, with `enter`. Raises OSError."""
        return [os.open(f"{folder}/{branch.door}", os.O_WRONLY | os.O_CLOEXEC) for branch, folder in self._folders]

    def struck(self) -> dict[str, int]:
        """Return how often each limit struck so far: `oom` kills, refused `pids`."""
        found: dict[str, int] = {}
        for branch, folder in self._folders:
            with contextlib.suppress(OSError):  # removed: nothing strikes any more
                found |= branch.struck(folder)
        return found

    def pids(self) -> list[int]:
        """Return the processes inside."""
        for _branch, folder in self._folders:
            with contextlib.suppress(OSError), open(f"{folder}/cgroup.procs", "rb") as file:
                return [pid for pid in map(int, file.read().split()) if pid]
        return []

    def is_full(self) -> bool:
        """Whether no further process may be made."""
        for branch, folder in self._folders:
            if "pids" in branch.controllers:
                with contextlib.suppress(OSError), open(f"{folder}/pids.current", "rb") as file:
                    return int(file.read()) >= self.limits.processes
        return False

    def kill(self) -> None:
        """Kill every process inside; none can be made meanwhile."""
        for branch, folder in self._folders:
            with contextlib.suppress(OSError):  # a kernel before 5.14 has no cgroup.kill: one by one below
                if "pids" in branch.controllers:
                    write(f"{folder}/pids.max", "0")
                if branch.version == 2:
                    write(f"{folder}/cgroup.kill", "1")
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def remove(self) -> bool:
        """Remove the group; return whether it is gone, which it cannot be while a process is inside. Idempotent."""
        gone = True
        for _branch, folder in self._folders:
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                continue
            except OSError:
                gone = False
        return gone


class Cells:
    """Makes cells. Without any controller there are none.

    `lacking` are the controllers that could not be had, `missing` what that means, one sentence each.
    """

    def __init__(self, branches: tuple[Branch, ...], locks: list[int], *, in_a_pod: bool = False) -> None:
        self._branches = branches
        self._locks = locks
        self._numbers = itertools.count(1)
        have = {controller for branch in branches for controller in branch.controllers}
        none = _IN_A_POD if in_a_pod else _ALL_LOST
        self.lacking = tuple(each for each in CONTROLLERS if each not in have)
        self.missing = [f"no cgroup for {each}: {_LOST[each]}" for each in self.lacking] if have else [none]

    @classmethod
    def found(cls, *, in_a_pod: bool = False) -> "Cells":
        """Return the cells that this machine lets us make, after removing what dead zygotes left.

        In a group of version 2 that this process has for itself, it moves into a leaf first.
        """
        step_aside(*_texts())
        branches: list[Branch] = []
        locks: list[int] = []
        wanted = list(CONTROLLERS)
        for place in _places():
            controllers = tuple(each for each in place.controllers if each in wanted)
            if not controllers:
                continue
            _remove_leftovers(place.folder)
            try:
                branch = _branch_in(place, controllers, locks)
            except OSError as error:
                _log.debug("no groups in %s: %s", place.folder, error)
                continue
            branches.append(branch)
            wanted = [each for each in wanted if each not in branch.controllers]
        return cls(tuple(branches), locks, in_a_pod=in_a_pod)

    def make(self, limits: Limits) -> Cell | None:
        """Return a new cell, None where there are none. Raises OSError."""
        return Cell(f"c{next(self._numbers)}", self._branches, limits) if self._branches else None

    def close(self) -> None:
        """Kill whatever is left in a cell and remove every folder."""
        for branch in self._branches:
            _demolish(branch.folder)
        for lock in self._locks:
            os.close(lock)
        self._branches, self._locks = (), []


def refusal() -> str:
    """Return what cells lack on this machine, for this account; nothing when they limit everything."""
    cells = Cells.found()
    cells.close()
    return "; ".join(cells.missing)


def enter(doors: list[int] | tuple[int, ...]) -> None:
    """Enter the cell with this process, which has one thread, and close its doors. Raises OSError."""
    for door in doors:
        os.write(door, b"0")
        os.close(door)


def cell_name_of(pid: int) -> str:
    """Return the name of the cell that the process is in; nothing when it is in none, or gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        for line in file:
            parent, _, name = line.rstrip().rpartition("/")
            if os.path.basename(parent).startswith(PREFIX):
                return name
    return ""


def _texts() -> tuple[str, str]:
    """Return what the kernel says of its trees, and of this process's places in them."""
    try:
        with (
            open("/proc/self/mountinfo", encoding="utf-8") as mounts,
            open("/proc/self/cgroup", encoding="utf-8") as own,
        ):
            return mounts.read(), own.read()
    except OSError as error:
        _log.warning("no cgroups: %s", error)
        return "", ""


def _places() -> list[Place]:
    return list(places(*_texts()))


def _branch_in(place: Place, controllers: tuple[str, ...], locks: list[int]) -> Branch:
    """Return our folder in `place`, after a process was put under a limit there. Raises OSError."""
    folder = f"{place.folder}/{PREFIX}{os.getpid()}"
    locks.append(hold(folder))
    try:
        branch = Branch(place.version, folder, enable(place, folder, controllers))
        favour(branch)
        _try_out(branch)
    except OSError:
        _demolish(folder)
        raise
    return branch


def _try_out(branch: Branch) -> None:
    cell = Cell("probe", (branch,), Limits(LEAST_MEMORY_BYTES, 16, 1000))
    doors = cell.doors()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            enter(doors)
            code = 0 if cell_name_of(os.getpid()) == "probe" else 1
        finally:
            os._exit(code)
    for door in doors:
        os.close(door)
    _, status = os.waitpid(pid, 0)
    cell.remove()
    if status:
        raise OSError(f"no process could be put into {branch.folder}")


def _remove_leftovers(place: str) -> None:
    for name in os.listdir(place) if os.path.isdir(place) else ():
        if not name.startswith(PREFIX):
            continue
        with contextlib.suppress(OSError):  # somebody else removes it, or holds it, or alone may open it
            fd = locked(f"{place}/{name}")
            try:
                if os.geteuid() in (0, os.fstat(fd).st_uid):
                    _demolish(f"{place}/{name}")
            finally:
                os.close(fd)


def _demolish(folder: str) -> None:
    """Kill what is in the groups below `folder` and remove them, and it."""
    for _ in range(_ROUNDS):
        groups = [f"{folder}/{name}" for name in _folders_in(folder)]
        for group in groups:
            with contextlib.suppress(OSError), open(f"{group}/cgroup.procs", "rb") as file:
                for pid in filter(None, map(int, file.read().split())):
                    os.kill(pid, signal.SIGKILL)
        for group in groups:
            with contextlib.suppress(OSError):
                os.rmdir(group)
        with contextlib.suppress(OSError):
            os.rmdir(folder)
            return  # without another look: who made it may have made it again
        if not os.path.isdir(folder):
            return
        time.sleep(_ROUND_S)
    _log.error("the group %s could not be removed: processes in it do not end", folder)


def _folders_in(folder: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return [entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    return []
