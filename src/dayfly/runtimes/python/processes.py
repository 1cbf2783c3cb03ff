"""Asking the kernel about processes, and ending whole trees of them.

A process group is not enough to end a replica: what it started may have left the group (`setsid`), and a double fork
leaves no parent behind. So a replica adopts its own orphans (PR_SET_CHILD_SUBREAPER), which keeps the whole tree below
it for as long as it lives, and the tree is stopped from the top and killed from the bottom.
"""

import contextlib
import os
import signal
from collections.abc import Collection

_ROUNDS = 64


def parent_of(pid: int) -> int:
    """Return the pid of the process's parent, 0 when there is no such process."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def session_of(pid: int) -> int:
    """Return the id of the process's session, 0 when there is no such process."""
    fields = _stat(pid)
    return int(fields[3]) if fields else 0


def children_of(pid: int) -> list[int]:
    """Return the pids of the process's children; none when there is no such process."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found.extend(map(int, file.read().split()))
    except (FileNotFoundError, ProcessLookupError):
        if os.path.exists(f"/proc/{pid}/task/{pid}/stat"):  # a kernel without the children file
            return [other for other in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent_of(other) == pid]
    return found


def descendants_of(pid: int) -> list[int]:
    """Return the pids of everything below the process, parents before children."""
    found = children_of(pid)
    for child in found:
        found.extend(children_of(child))
    return found


def memory_of(pid: int) -> int:
    """Return the process's share of memory (Pss) in bytes, 0 when it cannot be told."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0


def memory_of_tree(pid: int) -> int:
    """Return the share of memory of the process and everything below it, in bytes."""
    return sum(map(memory_of, (pid, *descendants_of(pid))))


def cpu_and_memory_of(pid: int, *, tree: bool) -> tuple[float, int]:
    """Return the process's CPU seconds and its resident memory in bytes; of all that is below it too for a `tree`.

    The CPU time of children that have ended counts as the process's own. Raises ProcessLookupError.
    """
    ticks = pages = 0
    for each in (pid, *(descendants_of(pid) if tree else ())):
        fields = _stat(each)
        if not fields and each == pid:
            raise ProcessLookupError(pid)
        if fields:  # else it ended meanwhile
            ticks += sum(map(int, fields[11:15]))
            pages += int(fields[21])
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")


def is_stopped(pid: int) -> bool:
    """Whether the process was stopped by a signal."""
    fields = _stat(pid)
    return bool(fields) and fields[0] == b"T"


def kill_below(pid: int) -> None:
    """Kill everything below the process, until nothing is left that lives."""
    for _ in range(_ROUNDS):
        living = [child for child in descendants_of(pid) if not _is_dead(child)]
        if not living:
            return
        for child in living:  # stop first, so that a parent cannot fork between our look and our kill
            _signal(child, signal.SIGSTOP)
        for child in reversed(living):
            _signal(child, signal.SIGKILL)


def kill_tree(pid: int, pidfd: int) -> None:
    """Kill the process that `pidfd` holds and everything below it."""
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
        kill_below(pid)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return


def describe_status(status: int) -> str:
    """Return how a process ended, from its wait status, in words."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in signal.Signals.__members__.values() else str(number)
        return f"the process was ended by signal {name}"
    return f"the process ended with exit code {os.WEXITSTATUS(status)}"


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _is_dead(pid: int) -> bool:
    fields = _stat(pid)
    return not fields or fields[0] in (b"Z", b"X")


def _stat(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the state on: the name before it may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def end_strangers(known: Collection[int]) -> None:
    """Kill and reap the children of this process that are not `known`: what a dead child of ours left behind."""
    for pid in children_of(os.getpid()):
        if pid not in known:
            kill_below(pid)
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
