"""Why a replica is gone, in a word for programs and a sentence for people.

An empty sentence means that the function's own process has written the reason to the log pipe, which the zygote does
not read; the provider finds it there.
"""

import os
import signal

from dayfly.runtimes.python import processes, wire
from dayfly.runtimes.python.cells import Cell
from dayfly.runtimes.python.deadline import OVERDUE
from dayfly.runtimes.python.family import TEMPLATE_BARRED, TEMPLATE_FAILED, Replica, Template
from dayfly.runtimes.python.limits import Limits

HEAP_FULL = signal.SIGRTMAX - 2
"""Ends a process whose language keeps a limit of its own below the replica's memory, and found no room within it."""

_VERDICTS: dict[wire.ExitReason, str] = {
    "oom": "it used more than its memory limit of {size} MiB (limits.memory) and was ended",
    "pids": "it had {most} processes and threads (DAYFLY_MAX_PROCESSES), the most a replica may have, for more than a"
    " second, and was ended",
    "stuck": "its process had been stopped by a signal (SIGSTOP) and was ended",
}


def never_met(replica: Replica) -> tuple[wire.ExitReason, str]:
    """Return why a replica was forked in vain, or could not be forked."""
    if replica.stopping:
        return "stopped", "stopped before it had started"
    if replica.status is None:
        return "start_failed", "no process could be made: the function has reached its limit of processes or memory"
    return "crashed", f"{processes.describe_status(replica.status)} before it could serve"


def never_forked(template: Template, replica: Replica, status: int) -> tuple[wire.ExitReason, str]:
    """Return why a replica never came to be whose template ended with the wait status `status`."""
    if replica.stopping:
        return "stopped", "stopped before it had started"
    if template.verdict == TEMPLATE_BARRED:
        return "start_failed", ""
    if template.verdict == TEMPLATE_FAILED:
        for cell in template.cells.values():
            if _struck(cell):
                return "oom", f"the kernel ended it while importing the handler: {_memory(cell)}"
        return "import_failed", ""
    if _ran_out(template.cell, status):
        return "oom", f"the kernel ended it while importing the handler, as {_memory(template.cell)}"
    if template.excess is not None:
        return template.excess, f"its template: {_verdict(template.excess, replica.limits)}"
    if not template.imported:
        return "import_failed", f"{processes.describe_status(status)} while importing the handler"
    return "start_failed", f"its template: {processes.describe_status(status)}"


def ended(replica: Replica, *, template_lives: bool) -> tuple[wire.ExitReason, str]:
    """Return why a replica ended."""
    told = processes.describe_status(replica.status) if replica.status is not None else "the process is gone"
    if replica.verdict is not None:
        return replica.verdict, _verdict(replica.verdict, replica.limits)
    excess = replica.template.excess
    if excess is not None:
        return excess, f"it ended with its template: {_verdict(excess, replica.limits)}"
    if _ran_out(replica.cell, replica.status) or (replica.killed and _struck(replica.cell)):
        return "oom", f"the kernel ended its process, as {_memory(replica.cell)}"
    if replica.status is None and not template_lives:
        if _struck(replica.template.cell):
            return "oom", f"the kernel ended its template, and the replica with it, as {_memory(replica.template.cell)}"
        return "killed", "its template process ended, and the kernel ended the replica with it"
    if replica.status is not None and _is_overdue(replica.status):
        return "timeout", "a call went on after its timeout, and nothing but its replica's end could end it"
    if _signalled(replica.status) == HEAP_FULL:
        return "oom", f"its heap had no room left: {_memory_of(replica.limits)}"
    if replica.failed and not replica.ready:
        return "start_failed", ""
    if replica.killed:
        return "killed", f"{told}, because it had not finished in time"
    if replica.stopping:
        return "stopped", told
    if _signalled(replica.status) == signal.SIGKILL:
        return "killed", told
    return "crashed", told


def _signalled(status: int | None) -> int:
    return os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else 0


def _is_overdue(status: int) -> bool:
    """Whether a call that went on after its timeout has ended the process, by the signal or an exit in its place."""
    return OVERDUE in (os.WIFSIGNALED(status) and os.WTERMSIG(status), os.WIFEXITED(status) and os.WEXITSTATUS(status))


def _verdict(verdict: wire.ExitReason, limits: Limits) -> str:
    return _VERDICTS[verdict].format(most=limits.processes, size=limits.memory_bytes >> 20)


def _ran_out(cell: Cell | None, status: int | None) -> bool:
    return _signalled(status) == signal.SIGKILL and _struck(cell)


def _struck(cell: Cell | None) -> bool:
    return cell is not None and bool(cell.struck().get("oom"))


def _memory(cell: Cell | None) -> str:
    assert cell is not None
    return _memory_of(cell.limits)


def _memory_of(limits: Limits) -> str:
    return f"it used more than its memory limit of {limits.memory_bytes >> 20} MiB (limits.memory)"
