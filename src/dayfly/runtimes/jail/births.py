"""Processes that are born in namespaces of their own: who they are, and which processes they can name.

A pid namespace begins with the children of the process that asks for one, and a user namespace cannot be left again. So
a process in between is forked, asks for both, forks the process that is wanted and ends; the wanted one, the first of
its pid namespace, becomes the child of whoever is the subreaper. Everything in the namespace dies with its first
process, whatever sessions or double forks it hides behind.
"""

import contextlib
import errno
import os
from collections.abc import Callable

from dayfly.runtimes.jail import calls

SOLE_UID = 10_000
"""Who an ordinary account's function is inside its user namespace; outside it is the account itself."""


def born_apart(body: Callable[[], None], *, new_user: bool) -> int:
    """Run `body` in a process with its own pids, and with `new_user` its own users; return its pid as we see it.

    The caller must be a subreaper or not care to wait for the process, and have one thread. Inside a user namespace
    the process has every capability over what is created there. Raises OSError when the kernel refuses.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    between = os.fork()
    if between == 0:
        os.close(reader)
        _divide(body, writer, new_user=new_user)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    os.waitpid(between, 0)
    pid = int(told or -errno.EAGAIN)
    if pid < 0:
        raise OSError(-pid, f"no namespaces of its own: {os.strerror(-pid)}")
    return pid


def _divide(body: Callable[[], None], writer: int, *, new_user: bool) -> None:
    """Be the process in between; never returns."""
    try:
        if new_user:
            _become_somebody()
        else:
            calls.unshare(calls.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            os.close(writer)
            try:
                body()
            finally:
                os._exit(70)
        os.write(writer, b"%d" % pid)
    except OSError as error:
        os.write(writer, b"%d" % -(error.errno or errno.EPERM))
    finally:
        os._exit(0)


def _become_somebody() -> None:
    uid, gid = os.geteuid(), os.getegid()
    calls.unshare(calls.CLONE_NEWUSER | calls.CLONE_NEWPID)
    with contextlib.suppress(FileNotFoundError):  # kernels before 3.19
        _write("setgroups", "deny")
    _write("uid_map", f"{SOLE_UID} {uid} 1")
    _write("gid_map", f"{SOLE_UID} {gid} 1")


def _write(name: str, text: str) -> None:
    fd = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
