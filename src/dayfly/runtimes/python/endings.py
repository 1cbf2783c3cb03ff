"""Why a replica is gone, in a word for programs and a sentence for people.

An empty sentence means that the function's own process has written the reason to the log pipe, which the zygote does
not read; the provider finds it there.
"""

import os
import signal

from dayfly.runtimes.python import processes, wire
from dayfly.runtimes.python.family import TEMPLATE_BARRED, TEMPLATE_FAILED, Replica, Template


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
        return "import_failed", ""
    if not template.imported:
        return "import_failed", f"{processes.describe_status(status)} while importing the handler"
    return "start_failed", f"its template: {processes.describe_status(status)}"


def ended(replica: Replica, *, template_lives: bool) -> tuple[wire.ExitReason, str]:
    """Return why a replica ended."""
    told = processes.describe_status(replica.status) if replica.status is not None else "the process is gone"
    if replica.status is None and not template_lives:
        return "killed", "its template process ended, and the kernel ended the replica with it"
    if replica.failed and not replica.ready:
        return "start_failed", ""
    if replica.killed:
        return "killed", f"{told}, because it had not finished in time"
    if replica.stopping:
        return "stopped", told
    if replica.status is not None and os.WIFSIGNALED(replica.status) and os.WTERMSIG(replica.status) == signal.SIGKILL:
        return "killed", told
    return "crashed", told
