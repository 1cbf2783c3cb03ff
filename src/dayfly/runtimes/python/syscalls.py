"""The Linux calls that Python has no name for, each as a function that raises OSError.

The spawner must confine a process between `fork` and the first line of somebody else's code, without an extension
module and without starting another program. `ctypes` reaches the C library already loaded; only what is used is here.
"""

import ctypes
import os
import platform

from dayfly.runtimes.jail.calls import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, checked, mount, prctl

__all__ = ["PR_SET_NO_NEW_PRIVS", "PR_SET_PDEATHSIG", "make_read_only", "mount", "pivot_to_here", "prctl", "unmount"]

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

PR_SET_CHILD_SUBREAPER = 36

_SYS_MOUNT_SETATTR = 442
"""The same number on every architecture."""
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}.get(
    platform.machine(), -1
)
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def unmount(target: str) -> None:
    """Take the mount at `target` out of sight now, and away once nothing uses it. Raises OSError."""
    checked(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def make_read_only(target: str) -> None:
    """Make the mount at `target` and all below it read-only, without devices and set-uid programs. Raises OSError."""
    attributes = _MountAttr(_ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    path = target.encode()
    result = _libc.syscall(_SYS_MOUNT_SETATTR, _AT_FDCWD, path, _AT_RECURSIVE, ctypes.byref(attributes), size)
    if result != 0:  # a kernel before 5.12: the mount itself only, not those below it
        mount("none", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)


def pivot_to_here() -> None:
    """Make the working directory, a mount point, the root of this mount namespace and drop the old root.

    Raises OSError.
    """
    checked(_libc.syscall(_SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
    unmount(".")
    os.chdir("/")
