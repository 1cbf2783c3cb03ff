"""A gateway goes before the functions that it calls.

The kernel lets a process that was just woken interrupt the one that runs on its processor, and a gateway wakes its
replicas and its callers with every write. Measured on two processors, with 32 connections: it was interrupted ten to
twenty thousand times a second and waited a fifth of its time, while a processor was idle. With precedence it is
interrupted a thousand times, and answers a fifth more calls: 54,000 a second for 46,000, the medians of five rounds.

A higher precedence takes rights that root has, and no other account; a gateway without them serves all the same.
"""

import contextlib
import os

PRECEDENCE = -5
"""As a nice value: three times the weight of a process that has none."""
_AUTOGROUP = "/proc/self/autogroup"


def take_precedence() -> bool:
    """Have this process, the first and only one of its session, go before others; return whether it does.

    Where the kernel groups processes by session (CONFIG_SCHED_AUTOGROUP), nice values count within the session only and
    the session has one of its own: sched(7). Elsewhere the process's own counts.
    """
    if os.getsid(0) != os.getpid():
        return False  # the session is somebody else's too
    try:
        os.setpriority(os.PRIO_PROCESS, 0, PRECEDENCE)
    except PermissionError:
        return False
    # There is no such file on a kernel that does not group, and none that can be written to in some containers.
    with contextlib.suppress(OSError), open(_AUTOGROUP, "w", encoding="ascii") as file:
        file.write(str(PRECEDENCE))
    return True
