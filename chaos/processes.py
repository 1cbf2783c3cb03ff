"""What the kernel says of a platform: its processes, their sockets, cgroups and mounts, and what they use.

Nothing here asks the platform. Processes are told by the data folder in their command line or environment, which they
inherit at the fork.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PARTS = {
    "supervisor": "supervisor",
    "control_process": "control",
    "gateway_process": "gateway",
    "egress.process": "egress",
    "queue_process": "queue",
    "nats-server": "nats",
    "zygote": "zygote",
}


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What one process holds and has used."""

    pid: int
    role: str
    resident: int
    """Bytes, shared pages included."""
    descriptors: int
    threads: int
    cpu_s: float


def known_by(text: str) -> dict[int, str]:
    """Return the living processes whose command line or environment holds this text, with their command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            command = (folder / "cmdline").read_bytes()
            if text.encode() in command + b"\0" + (folder / "environ").read_bytes() and pid != os.getpid():
                found[pid] = command.replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it ended while we looked
    return {pid: command for pid, command in found.items() if alive(pid)}


def descendants(pid: int) -> dict[int, int]:
    """Return all that descend from the process, each with its parent, in the order of their depth."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = _stat(int(stat.parent.name))
        if fields:
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: dict[int, int] = {}
    waiting = [pid]
    for each in waiting:
        for child in children.get(each, ()):
            found[child] = each
            waiting.append(child)
    return found


def role_of(pid: int) -> str:
    """Return the part that a process of ours plays, as its command line tells; empty for any other."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
    return next((role for word, role in _PARTS.items() if word in command), "")


def roles_below(supervisor: int) -> dict[int, str]:
    """Return the supervisor and all below it with their roles; `template` and `replica` are below the zygote."""
    roles = {supervisor: "supervisor"}
    for pid, parent in descendants(supervisor).items():
        above = roles.get(parent, "")
        if above == "supervisor":
            roles[pid] = role_of(pid) or "other"
        else:
            roles[pid] = {"zygote": "template", "template": "replica"}.get(above, "below a " + above)
    return roles


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in ("Z", "X")


def zombies_below(supervisor: int) -> int:
    """Return how many descendants have ended and were not reaped."""
    return sum((_stat(pid) or ["?"])[0] == "Z" for pid in descendants(supervisor))


def usage(pid: int, role: str = "") -> Usage | None:
    """Return what the process uses; None when it has ended."""
    fields = _stat(pid)
    try:
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None
    if not fields:
        return None
    return Usage(
        pid=pid,
        role=role or role_of(pid),
        resident=int(fields[21]) * _PAGE,
        descriptors=descriptors,
        threads=int(fields[17]),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS,
    )


def cgroups_of(pid: int) -> set[Path]:
    """Return the folders of the cgroups, in every hierarchy, that the process is in."""
    mounts = {name: point for point, name in _cgroup_mounts()}
    found = set()
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return set()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        # A hierarchy's root is nobody's: it is where processes are that were put nowhere.
        names = (controllers or "cgroup2").split(",") if path != "/" else []
        found |= {mounts[name] / path.lstrip("/") for name in names if name in mounts}
    return found


def unix_sockets_below(folder: Path) -> set[str]:
    """Return the paths of the unix sockets bound below the folder that some process holds open."""
    return {path for path, _ in _unix_sockets() if path.startswith(f"{folder}/")}


def mounts_below(folder: Path) -> list[str]:
    """Return the mount points below the folder, in the namespace that we are in."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{folder}/")]


def eventually(is_true: Callable[[], object], timeout_s: float, step_s: float = 0.02) -> bool:
    """Wait until the condition is true; return whether that came within the time."""
    give_up = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() > give_up:
            return False
        time.sleep(step_s)
    return True


def _cgroup_mounts() -> Iterator[tuple[Path, str]]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split()[:3]
        if kind == "cgroup2":
            yield Path(before.split()[4]), "cgroup2"
        elif kind == "cgroup":
            for name in options.split(","):
                yield Path(before.split()[4]), name


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def listeners_below(folder: Path, pids: Iterable[int]) -> dict[str, int]:
    """Return which of the processes holds each unix socket that listens below the folder, by the socket's path."""
    paths = {f"socket:[{inode}]": path for path, inode in _unix_sockets() if path.startswith(f"{folder}/")}
    found: dict[str, int] = {}
    for pid in pids:
        for fd in _descriptors(pid):
            if fd in paths:
                found[paths[fd]] = pid
    return found


def _unix_sockets() -> Iterator[tuple[str, str]]:
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        words = line.split()
        if len(words) > 7:
            yield words[7], words[6]


def _descriptors(pid: int) -> list[str]:
    found = []
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
                found.append(os.readlink(entry.path))
    return found


def cpu_with_children(pid: int) -> float:
    """Return the processor seconds that the process and the children it has reaped used; 0 when it has ended."""
    return sum(int(ticks) for ticks in _stat(pid)[11:15]) / _TICKS


def started(pid: int) -> float:
    """Return when the process was started, in seconds after the machine was; infinite when it has ended."""
    fields = _stat(pid)
    return int(fields[19]) / _TICKS if fields else float("inf")
