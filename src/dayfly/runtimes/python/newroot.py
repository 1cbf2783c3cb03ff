"""A root of its own for a function: what it may see of this machine, read-only, and a /tmp of its own.

The tree is a small tmpfs onto which the system's libraries, the interpreter and the function's code and layers are
bound at the paths they have outside, so that nothing has to be told where it moved to. What is not listed is not there:
home folders, other functions, the platform's data and its sockets. A unix socket outside cannot be connected to,
because its path does not exist.

All replicas of one template share the root, and so share /tmp: they are the same code of the same owner. A mount of its
own for each would need rights that a template has given up by then.
"""

import glob
import os
from collections.abc import Mapping, Sequence

from dayfly.runtimes.python import secret_files, syscalls

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = (
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/pki",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/services",
    "/etc/mime.types",
    # Where Debian keeps the settings of its interpreters, without which they lack modules, or certificates.
    "/etc/php",
    *sorted(glob.glob("/etc/java-*-openjdk")),
)
NAME_SERVICE = ("/etc/hosts", "/etc/resolv.conf")
_DEVICES = ("null", "zero", "full", "random", "urandom")


class NewRoot:
    """The root in the making: `build` what every function sees, then `enter` with what one alone does.

    Between the two the process still has the old root, so that what is shown last can be found there. Both raise
    OSError. The process is in a mount namespace of its own and may mount.
    """

    def __init__(self, at: str) -> None:
        self._at = at
        self._shown: list[str] = []

    def build(self, visible: Sequence[str], *, own_proc: bool) -> None:
        """Begin the root on the empty folder; `visible` are folders shown read-only at their own paths.

        `own_proc` mounts /proc, for a process in a pid namespace of its own.
        """
        at = self._at
        syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("tmpfs", at, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755,size=1m")
        _folder(at, "/tmp")  # noqa: S108 - a mount point inside the new root
        syscalls.mount("tmpfs", f"{at}/tmp", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=1777")  # noqa: S108 - as above
        for path in (*SYSTEM, *sorted(visible), *ETC):
            _show(at, path, self._shown)
        _devices(at)
        if own_proc:
            _folder(at, "/proc")
            flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
            syscalls.mount("proc", f"{at}/proc", "proc", flags, "hidepid=2")

    def enter(
        self, visible: Sequence[str], *, uid: int, hosts: str, tmp: tuple[int, int], secrets: Mapping[str, bytes]
    ) -> None:
        """Add the last folders, the accounts and the secrets, and make it this process's root.

        `hosts` becomes /etc/hosts; when empty, names are looked up as this machine does. `tmp` is the size of /tmp in
        bytes and how many files it takes.
        """
        at = self._at
        flags = syscalls.MS_REMOUNT | syscalls.MS_NOSUID | syscalls.MS_NODEV
        syscalls.mount("none", f"{at}/tmp", flags=flags, data=f"size={tmp[0]},nr_inodes={tmp[1]}")  # noqa: S108 - the function's own
        for path in sorted(visible):
            _show(at, path, self._shown)
        _write_accounts(at, uid)
        if secrets:
            _folder(at, secret_files.FOLDER)
            secret_files.mount(at + secret_files.FOLDER, secrets, uid)
        if hosts:
            _write(f"{at}/etc/hosts", hosts)
        else:
            for path in NAME_SERVICE:
                _show(at, path, self._shown)
        os.chdir(at)
        syscalls.pivot_to_here()
        syscalls.mount(
            "none",
            "/",
            flags=syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV,
        )


def _show(at: str, path: str, shown: list[str]) -> None:
    """Bind `path` read-only at its own place below `at`, unless a folder around it was bound already."""
    if any(path == there or path.startswith(there + "/") for there in shown) or not os.path.exists(path):
        return
    if os.path.islink(path) and path in SYSTEM:
        os.symlink(os.readlink(path), at + path)
        return
    if os.path.isdir(path):
        _folder(at, path)
    else:
        _folder(at, os.path.dirname(path))
        os.close(os.open(at + path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    syscalls.mount(path, at + path, flags=syscalls.MS_BIND | syscalls.MS_REC)
    syscalls.make_read_only(at + path)
    shown.append(path)


def _folder(at: str, path: str) -> None:
    made = at
    for part in path.strip("/").split("/"):
        made = f"{made}/{part}"
        if not os.path.isdir(made):
            os.mkdir(made)
            os.chmod(made, 0o755)  # noqa: S103 - parents of what is shown must be searchable, whatever the umask


def _write_accounts(at: str, uid: int) -> None:
    _folder(at, "/etc")
    _write(f"{at}/etc/passwd", f"root:x:0:0:root:/:/bin/false\nfunction:x:{uid}:{uid}:function:/tmp:/bin/false\n")
    _write(f"{at}/etc/group", f"root:x:0:\nfunction:x:{uid}:\n")


def _devices(at: str) -> None:
    _folder(at, "/dev")
    for name in _DEVICES:
        _write(f"{at}/dev/{name}", "")
        syscalls.mount(f"/dev/{name}", f"{at}/dev/{name}", flags=syscalls.MS_BIND)
    os.symlink("/tmp", f"{at}/dev/shm")  # noqa: S108 - semaphores and shared memory live in the sized tmpfs
    os.symlink("/proc/self/fd", f"{at}/dev/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"{at}/dev/{name}")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o644)
