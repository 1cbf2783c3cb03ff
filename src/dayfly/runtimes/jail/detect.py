"""Finding out which layers this kernel gives this account: each is used, in a child that is thrown away.

Neither a version nor a setting says it: containers, security modules and boot options refuse what a kernel has. So each
probe does what a jail does and looks whether it holds. The answer is good for as long as the platform runs.
"""

import contextlib
import errno
import os
from collections.abc import Callable

from dayfly.runtimes.jail import births, calls, landlock, loopback, seccomp
from dayfly.runtimes.jail.layers import Layers

_MS_REC, _MS_PRIVATE = 16384, 1 << 18


def detect(cgroup: Callable[[], str]) -> Layers:
    """Return the layers that work here, and why the others do not; takes some ten milliseconds.

    `cgroup` tries the runtime's own groups, and returns why they lack something, nothing when they do not.
    """
    probes = {
        "namespaces": _probe_namespaces,
        "proc": _probe_proc,
        "landlock": _probe_landlock,
        "seccomp": _probe_seccomp,
        "cgroup": cgroup,
    }
    refusals = {name: why for name, probe in probes.items() if (why := probe())}
    had = {name: name not in refusals for name in probes}
    return Layers(root=os.geteuid() == 0, refusals=refusals, **had)


def _probe_namespaces() -> str:
    return _in_jail(lambda: None)


def _probe_proc() -> str:
    return _in_jail(lambda: calls.mount("proc", "/tmp", "proc", 0, "hidepid=2"))  # noqa: S108 - any folder will do


def _in_jail(further: Callable[[], None]) -> str:
    def body() -> None:
        calls.unshare(calls.CLONE_NEWNS | calls.CLONE_NEWIPC | calls.CLONE_NEWUTS | calls.CLONE_NEWNET)
        calls.unshare(calls.CLONE_NEWCGROUP)
        calls.mount("none", "/", flags=_MS_REC | _MS_PRIVATE)
        calls.mount("tmpfs", "/tmp", "tmpfs")  # noqa: S108 - any folder will do
        if os.listdir("/tmp"):  # noqa: S108 - as above
            raise OSError(errno.EBUSY, "a fresh file system is not empty")
        calls.sethostname("probe")
        loopback.loopback_up()
        further()

    return _told_by(lambda child: births.born_apart(child, new_user=os.geteuid() != 0), body)


def _probe_landlock() -> str:
    def body() -> None:
        calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
        landlock.Ruleset().restrict()
        with contextlib.suppress(PermissionError):
            os.listdir("/")
            raise OSError(errno.EBADE, "it lets everything pass")

    return _told_by(_fork, body)


def _probe_seccomp() -> str:
    def body() -> None:
        calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
        try:
            seccomp.install("inet")
        except KeyError:
            raise OSError(errno.ENOSYS, "no table of this machine's system calls") from None
        with contextlib.suppress(PermissionError):
            calls.unshare(0)
            raise OSError(errno.EBADE, "it lets everything pass")

    return _told_by(_fork, body)


def _told_by(birth: Callable[[Callable[[], None]], object], body: Callable[[], None]) -> str:
    """Run `body` in a child; return why it failed, nothing when it did not."""
    reader, writer = os.pipe2(os.O_CLOEXEC)

    def child() -> None:
        os.close(reader)
        try:
            body()
            told = "ok"
        except OSError as error:
            told = f"{errno.errorcode.get(error.errno or 0, '')}, {error.strerror}"
        os.write(writer, told.encode())
        os._exit(0)

    try:
        birth(child)
    except OSError as error:
        return f"{errno.errorcode.get(error.errno or 0, '')}, {error.strerror}"
    finally:
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            told = pipe.read().decode()
    return "" if told == "ok" else told or "the probe died"


def _fork(child: Callable[[], None]) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            child()
        finally:
            os._exit(70)
    os.waitpid(pid, 0)
