"""Taking rights away from a process before it runs somebody else's code.

The order is part of the specification; each step needs a right that a later one takes away:

    1  a user namespace, or as root a user of the function's own
    2  namespaces: mount, pid, ipc            (here, as root; net and uts later)
    3  a new root: system and code read-only, own /tmp, own /proc
    4  loopback up                            (later, with the net namespace)
    5  a cgroup                               (the template's before all this, a replica's at its fork: cells.py)
    6  capability bounding set empty, then groups, gid, uid
    7  no new privileges, die with the parent, own session, descriptors closed, umask, environment
    8  resource limits
    9  Landlock                               (later)
    10 seccomp                                (later)

What the kernel refuses is named in the answer and so reaches the log; the rest is done all the same. Two functions
whose names hash to the same user can signal each other's processes where no pid namespace parts them; 40,000 users
make that rare, and namespaces of the pid kind make it impossible. An unprivileged platform has no other user to
give: its functions run as the platform's own user until they get a user namespace.
"""

import contextlib
import hashlib
import os
import resource
import signal
import sys
from collections.abc import Iterator, Sequence

from dayfly.model.replica import StartOrder
from dayfly.runtimes.python import newroot, syscalls
from dayfly.runtimes.python.limits import tmp_of

FIRST_UID, UIDS = 20_000, 40_000
MAX_FILE_BYTES = 1 << 30
MAX_OPEN_FILES = 4096
MAX_PROCESSES = 2048
"""Processes and threads of one function's user, over all its replicas."""
MIN_DATA_BYTES = 64 * 1024 * 1024
"""Below this the runtime itself would not start."""


def function_uid(key: str) -> int:
    """Return the user and group id that the function `key` (`name.namespace`) runs as, 20000 to 59999."""
    return FIRST_UID + int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % UIDS


@contextlib.contextmanager
def children_apart() -> Iterator[bool]:
    """Give the process forked inside the block a pid namespace of its own; yields whether the kernel allowed it."""
    try:
        here = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    spawner = os.getpid()
    try:
        try:
            syscalls.unshare(syscalls.CLONE_NEWPID)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            if os.getpid() == spawner:
                syscalls.setns(here, syscalls.CLONE_NEWPID)
    finally:
        os.close(here)


def confine(order: StartOrder, *, root: str, own_pids: bool) -> list[str]:
    """Confine this process for the function of `order`; return what could not be had, one sentence each.

    `root` is an empty folder to build the new root on; `own_pids` tells that a pid namespace was made by the parent.
    Raises PermissionError when function code would have to run as root, or could not read the interpreter.
    """
    missing: list[str] = []
    uid = function_uid(str(order.key))
    if os.geteuid() == 0:
        _new_root(order, root, uid, missing, own_pids=own_pids)
        _become(uid)
        if not os.access(os.__file__, os.R_OK):
            raise PermissionError(
                f"the interpreter below {sys.base_prefix} cannot be read by the function's user {uid}, and this"
                " kernel refused to show it in a root of its own; install Python where every user may read it"
            )
    else:
        missing.append(
            "the platform does not run as root, so functions run as its user, see its files and fill its /tmp"
        )
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    die_with_parent()
    os.umask(0o077)
    _limit(order)
    return missing


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel signal this process when the thread that forked it ends; lost at a fork or change of user."""
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, number)


def close_all_but(keep: Sequence[int]) -> None:
    """Close every descriptor of this process but those in `keep`."""
    last = -1
    for fd in sorted(set(keep)):
        if fd > last + 1:  # an empty range of the first descriptors would be taken as all of them
            os.closerange(last + 1, fd)
        last = fd
    os.closerange(last + 1, 1 << 30)


def _new_root(order: StartOrder, root: str, uid: int, missing: list[str], *, own_pids: bool) -> None:
    try:
        syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWIPC)
    except OSError as error:
        missing.append(f"no root of its own, functions see this machine's files ({error.strerror})")
        return
    # Once mounting has begun there is no way back to the old tree: a failure below ends the start.
    visible = [sys.base_prefix, sys.base_exec_prefix, os.path.dirname(os.__file__), order.code_dir, *order.layer_dirs]
    newroot.enter(root, visible, uid=uid, own_proc=own_pids, tmp=tmp_of(order))
    if not own_pids:
        missing.append("no process tree of its own, and so no /proc")


def _become(uid: int) -> None:
    capability = 0
    while True:
        try:
            syscalls.prctl(syscalls.PR_CAPBSET_READ, capability)
        except OSError:
            break
        syscalls.prctl(syscalls.PR_CAPBSET_DROP, capability)
        capability += 1
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _limit(order: StartOrder) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: MAX_OPEN_FILES,
        resource.RLIMIT_FSIZE: MAX_FILE_BYTES,
        resource.RLIMIT_MEMLOCK: 65_536,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if os.geteuid() >= FIRST_UID:  # the count is per user: it would bind the platform itself where they share one
        limits[resource.RLIMIT_NPROC] = MAX_PROCESSES
    if order.memory_bytes:
        limits[resource.RLIMIT_DATA] = max(order.memory_bytes, MIN_DATA_BYTES)
    for what, most in limits.items():
        _, hard = resource.getrlimit(what)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))
