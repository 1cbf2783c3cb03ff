"""The kernel's control groups, of both versions, as far as replicas are limited by them.

Version 2 has one tree for all controllers, version 1 one tree for each, and many machines have some of each. So a
`Branch` is a folder of ours in one tree with the controllers that work there, and everything that differs between the
versions is in this file: which file holds which limit, which counts what struck it, and how a process gets in.

Which controllers work is found out by using them: a limit is set and a process put under it. A mount point, a version
or a right says little, because containers, service managers and older kernels each forbid something else.

A process enters by writing `0` to a descriptor that we opened, a door: the kernel asks for the rights of who opened it.
That is how a replica, which has no rights, moves itself before the author's code runs. In version 1 it is also a
hundred times cheaper than being moved by another (0.06 ms against 7): the kernel need not stop all forks meanwhile.

Version 2 knows groups with processes and groups that divide what they have among others, and none that are both, but
for the root. A group that was delegated to us (a service, or `systemd-run --scope`) holds the platform's own first
process. So that one steps aside, into a leaf below, and all it starts is born there.
"""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dayfly.runtimes.python.limits import Limits

CONTROLLERS = ("memory", "pids", "cpu")
LEAF = "dayfly.platform"
"""The group for the platform's own processes, in the one that was delegated."""
_LEAF_WEIGHT = "300"
"""What a gateway's nice value comes to where it has one: it goes before the functions that it calls."""
_PERIOD_US = 100_000
_ROUNDS = 200
_ROUND_S = 0.01
"""Two seconds for another to remove what it took for a dead one's."""


class Place(NamedTuple):
    """A folder in which groups may perhaps be made, and the controllers to be had there."""

    version: int
    folder: str
    controllers: tuple[str, ...]


class Branch(NamedTuple):
    """Our folder in one tree."""

    version: int
    folder: str
    controllers: tuple[str, ...]

    @property
    def door(self) -> str:
        """The file through which a process of a single thread enters a group."""
        return "cgroup.procs" if self.version == 2 else "tasks"

    def limit(self, folder: str, limits: Limits) -> None:
        """Set the limits of the group at `folder`. Raises OSError."""
        for controller in self.controllers:
            for name, value, needed in _settings(self.version, controller, limits):
                try:
                    write(f"{folder}/{name}", value)
                except OSError:  # without swap accounting, for example, there is nothing to limit
                    if needed:
                        raise

    def struck(self, folder: str) -> dict[str, int]:
        """Return how often the group's limits struck: `oom` kills, refused `pids`. Raises OSError."""
        found: dict[str, int] = {}
        if "memory" in self.controllers:
            name = "memory.events" if self.version == 2 else "memory.oom_control"
            found["oom"] = _count(f"{folder}/{name}", b"oom_kill")
        if "pids" in self.controllers:
            found["pids"] = _count(f"{folder}/pids.events", b"max")
        return found


def places(mounts: str, own: str) -> Iterator[Place]:
    """Yield where groups may be made, the best first, from the texts of /proc/self/mountinfo and /proc/self/cgroup."""
    paths = dict(_own_paths(own))
    for version in (2, 1):
        for root, point, options in _cgroup_mounts(mounts, version):
            tree = ("",) if version == 2 else tuple(options)
            path = next((paths[each] for each in tree if each in paths), None)
            if path is None:
                continue
            inside = path.removeprefix(root.rstrip("/")).strip("/").removesuffix(LEAF).rstrip("/")
            for folder in dict.fromkeys((f"{point}/{inside}".rstrip("/"), point)):
                known = _controllers(folder) if version == 2 else tuple(options)
                offered = tuple(each for each in CONTROLLERS if each in known)
                if offered:
                    yield Place(version, folder, offered)


def step_aside(mounts: str, own: str) -> None:
    """Move this process into a leaf of its group, if it is alone there and could divide it otherwise. Idempotent."""
    for place in places(mounts, own):
        if place.version == 2:
            with contextlib.suppress(OSError):  # not ours to divide
                if _members(place.folder) == [os.getpid()]:
                    leaf = f"{place.folder}/{LEAF}"
                    os.makedirs(leaf, exist_ok=True)
                    write(f"{leaf}/cgroup.procs", "0")


def enable(place: Place, folder: str, controllers: Sequence[str]) -> tuple[str, ...]:
    """Let groups below `folder`, new in `place`, have the controllers; return those that they have.

    Raises OSError when it is none. Version 1 needs no such step.
    """
    if place.version == 1:
        return tuple(controllers)
    enabled = []
    refusal: OSError | None = None
    for each in controllers:  # one by one, as any of them may be refused: the processor's where real-time groups are
        try:
            for path in (place.folder, folder):
                write(f"{path}/cgroup.subtree_control", f"+{each}")
            enabled.append(each)
        except OSError as error:
            if error.errno == errno.EBUSY:  # it has processes, and groups below could not be entered
                raise
            refusal = error
    if refusal is not None and not enabled:
        raise refusal
    return tuple(enabled)


def hold(folder: str) -> int:
    """Make a folder, and return the lock that keeps it ours. Raises OSError.

    Until it is locked it looks like a dead zygote's, which one that starts at the same time may remove: then it is made
    again.
    """
    os.mkdir(folder)
    for _ in range(_ROUNDS):
        try:
            return locked(folder)
        except BlockingIOError:  # another is about to remove it
            time.sleep(_ROUND_S)
        except FileNotFoundError:
            os.mkdir(folder)
    raise OSError(errno.EBUSY, f"{folder} is held by somebody else")


def locked(folder: str) -> int:
    """Return a folder's lock. Raises BlockingIOError while another has it, FileNotFoundError when it is gone."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(lock), os.stat(folder)):  # what was removed has a lock, too
            raise FileNotFoundError(errno.ENOENT, "it was made again", folder)
    except BaseException:
        os.close(lock)
        raise
    return lock


def favour(branch: Branch) -> None:
    """Give all functions together the weight of as many processes as there are processors.

    A group counts as one process otherwise, and one busy program beside the platform would halve every function. The
    platform's own group, where there is one, weighs more than one process.
    """
    if "cpu" in branch.controllers:
        name, one = ("cpu.weight", 100) if branch.version == 2 else ("cpu.shares", 1024)
        with contextlib.suppress(OSError):  # a kernel without weights has quotas all the same
            write(f"{branch.folder}/{name}", str(min(one * (os.cpu_count() or 1), one * 100)))
        with contextlib.suppress(OSError):  # the platform's processes are in no group of their own
            write(f"{os.path.dirname(branch.folder)}/{LEAF}/cpu.weight", _LEAF_WEIGHT)


def write(path: str, text: str) -> None:
    """Write to a file of the kernel's. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _settings(version: int, controller: str, limits: Limits) -> Iterator[tuple[str, str, bool]]:
    """Yield the files to write, what, and whether the limit is worth nothing without."""
    if controller == "memory" and version == 2:
        yield "memory.max", str(limits.memory_bytes), True
        yield "memory.swap.max", "0", False
        yield "memory.oom.group", "1", False
    elif controller == "memory":
        yield "memory.limit_in_bytes", str(limits.memory_bytes), True
        yield "memory.memsw.limit_in_bytes", str(limits.memory_bytes), False
    elif controller == "pids":
        yield "pids.max", str(limits.processes), True
    elif controller == "cpu" and limits.cpu_millicores:
        quota = limits.cpu_millicores * _PERIOD_US // 1000
        if version == 2:
            yield "cpu.max", f"{quota} {_PERIOD_US}", True
        else:
            yield "cpu.cfs_period_us", str(_PERIOD_US), True
            yield "cpu.cfs_quota_us", str(quota), True


def _count(path: str, key: bytes) -> int:
    with open(path, "rb", buffering=0) as file:
        words = file.read(4096).split()
    return int(words[words.index(key) + 1]) if key in words else 0


def _members(folder: str) -> list[int]:
    """Return the processes in a group; 0 stands for one that cannot be named from here. Raises OSError."""
    with open(f"{folder}/cgroup.procs", "rb") as file:
        return [int(pid) for pid in file.read().split()]


def _controllers(folder: str) -> tuple[str, ...]:
    try:
        with open(f"{folder}/cgroup.controllers", encoding="ascii") as file:
            return tuple(file.read().split())
    except OSError:  # not visible from here
        return ()


def _own_paths(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        _number, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _cgroup_mounts(text: str, version: int) -> Iterator[tuple[str, str, list[str]]]:
    """Yield root, mount point and options of the cgroup mounts of this version."""
    kind = "cgroup2" if version == 2 else "cgroup"
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        fields, told = before.split(), after.split()
        if dash and told[0] == kind:
            yield fields[3], fields[4], told[-1].split(",")
