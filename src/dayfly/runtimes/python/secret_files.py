"""A function's secrets as files that lie in memory, for its own user to read and for nobody to change.

In a root of the function's own they are a file system of their own at FOLDER. Elsewhere that path is the machine's, and
each template gets a folder in a place of the zygote's that is in memory too; a link in the scratch folder leads there,
so that whoever clears that up after a zygote that was killed finds it. A secret never lies on a disk: where there is no
such place, a function that has secrets does not start.

Where the zygote serves one function alone, as in a pod, it may be told of a place (OWN) that is that function's as a
whole, and its secrets lie in it themselves.
"""

import contextlib
import glob
import os
import tempfile
from collections.abc import Mapping

from dayfly.runtimes.python import syscalls
from dayfly.runtimes.python.scratch import clear as clear_folder

FOLDER = "/var/openfaas/secrets"
"""Where functions of OpenFaaS look for them."""
VARIABLE = "DAYFLY_SECRETS"
OWN = "DAYFLY_SECRETS_PLACE"
"""The zygote's own variable that names a folder in memory for the one function that it serves: a pod's mount."""
LINK, OWN_LINK = "secrets", "own-secrets"
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_IN_MEMORY = ("tmpfs", "ramfs")


def mount(at: str, contents: Mapping[str, bytes], uid: int) -> None:
    """Mount a file system on the empty folder `at` that holds these, for `uid` alone. Raises OSError."""
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    pages = sum(-(-len(content) // _PAGE_BYTES) for content in contents.values())
    size = f"size={(pages + 1) * _PAGE_BYTES},nr_inodes={len(contents) + 2}"
    syscalls.mount("tmpfs", at, "tmpfs", flags, f"mode=700,{size}")
    _write(at, contents, uid)
    syscalls.mount("none", at, flags=flags | syscalls.MS_REMOUNT | syscalls.MS_RDONLY)


def put(scratch: str, contents: Mapping[str, bytes], uid: int) -> str:
    """Return a folder that holds these, for `uid` alone. Raises OSError.

    It is new and its name begins with this process's id, unless there is a place that is the function's as a whole.
    """
    if os.path.isdir(own := os.path.join(scratch, OWN_LINK)):
        return _put_into(os.path.realpath(own), contents, uid)
    place = os.path.join(scratch, LINK)
    if not os.path.isdir(place):
        raise OSError(
            f"its secrets have no place: on this machine neither {' nor '.join(_places())} is in memory and may be"
            " written, and they are not written to a disk"
        )
    folder = tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=os.path.realpath(place))
    _write(folder, contents, uid)
    return folder


def make_place(scratch: str, *, passable: bool) -> None:
    """Make the place that `put` uses, for the zygote with this scratch folder, where there can be one.

    Where it must be `passable`, other users' functions pass through it to a folder that they alone may read.
    """
    own = os.environ.get(OWN, "")
    if own and _is_in_memory(own) and os.access(own, os.W_OK | os.X_OK):
        os.symlink(own, os.path.join(scratch, OWN_LINK))
        return
    for parent in _places():
        if _is_in_memory(parent) and os.access(parent, os.W_OK | os.X_OK):
            place = tempfile.mkdtemp(prefix="dayfly-", dir=parent)
            os.chmod(place, 0o711 if passable else 0o700)
            os.symlink(place, os.path.join(scratch, LINK))
            return


def clear(scratch: str, pid: int | None = None) -> None:
    """Remove what the template of this pid was given; without one, the place and everything in it."""
    place = os.path.join(scratch, LINK)
    for folder in glob.glob(f"{place}/*" if pid is None else f"{place}/{pid}-*"):
        with contextlib.suppress(OSError):
            os.chmod(folder, 0o700)
            clear_folder(folder)
            os.rmdir(folder)
    if pid is None:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(scratch, OWN_LINK))
        with contextlib.suppress(OSError):
            os.rmdir(os.path.realpath(place))
            os.unlink(place)


def _places() -> tuple[str, ...]:
    return "/dev/shm", f"/run/user/{os.geteuid()}", "/run"  # noqa: S108 - a folder of our own is made in one of them


def _put_into(folder: str, contents: Mapping[str, bytes], uid: int) -> str:
    """Have these, and nothing else, in a folder that need not be ours: a mount's may belong to root."""
    with contextlib.suppress(PermissionError):
        os.chmod(folder, 0o700)
    for name in os.listdir(folder):  # what an earlier process of the same function was given
        os.unlink(os.path.join(folder, name))
    _write_files(folder, contents, uid)
    with contextlib.suppress(PermissionError):
        _close(folder, uid)
    return folder


def _write(folder: str, contents: Mapping[str, bytes], uid: int) -> None:
    _write_files(folder, contents, uid)
    _close(folder, uid)


def _close(folder: str, uid: int) -> None:
    os.chmod(folder, 0o500)
    os.chown(folder, uid, -1)


def _write_files(folder: str, contents: Mapping[str, bytes], uid: int) -> None:
    for name, content in contents.items():
        fd = os.open(
            os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o400
        )
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(fd, left) :]
            os.fchmod(fd, 0o400)
            os.fchown(fd, uid, -1)
        finally:
            os.close(fd)


def _is_in_memory(path: str) -> bool:
    """Whether the file system that the path is on lies in memory."""
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts:
        kinds = [fields[2] for fields in map(str.split, mounts) if fields[1] == path]
    return bool(kinds) and kinds[-1] in _IN_MEMORY
