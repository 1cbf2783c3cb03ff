"""The Linux calls a jail is made with and that Python has no name for, each as a function that raises OSError.

A process is confined between `fork` and the first line of somebody else's code, without an extension module and without
starting another program. `ctypes` reaches the C library already loaded; only what is used is here. Calls that the C
library has no wrapper for go by number: those above 424 are the same on every architecture.
"""

import ctypes
import os
import platform

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38

LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
_SECCOMP = {"x86_64": 317, "aarch64": 277}.get(platform.machine(), -1)
_CAPSET = {"x86_64": 126, "aarch64": 91}.get(platform.machine(), -1)
_SECCOMP_SET_MODE_FILTER = 1
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def prctl(option: int, value: int = 0) -> int:
    """Operate on the calling process. Raises OSError."""
    return checked(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def name_process(name: str) -> None:
    """Give this process a name of up to 15 characters for lists of processes. Raises OSError."""
    checked(_libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0), "prctl name")


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` name for new ones. Raises OSError."""
    checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount `source` on `target`. Raises OSError."""
    arguments = source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None
    checked(_libc.mount(*arguments), f"mount {target}")


def sethostname(name: str) -> None:
    """Name the machine, in this UTS namespace. Raises OSError."""
    data = name.encode()
    checked(_libc.sethostname(data, ctypes.c_size_t(len(data))), "sethostname")


def numbered(number: int, what: str, *arguments: int | bytes | None) -> int:
    """Make the system call `number`; `what` names it in the error. Raises OSError."""
    converted = (ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)
    return checked(_libc.syscall(ctypes.c_long(number), *converted), what)


def load_filter(program: bytes) -> None:
    """Make the BPF `program` judge every system call of this process from now on. Raises OSError."""
    passed = _Program(len(program) // 8, program)
    result = _libc.syscall(_SECCOMP, ctypes.c_long(_SECCOMP_SET_MODE_FILTER), ctypes.c_long(0), ctypes.byref(passed))
    checked(result, "seccomp")


def drop_capabilities() -> None:
    """Give up every capability this process has, for itself and for whatever it executes. Raises OSError."""
    capability = 0
    while True:
        try:
            prctl(PR_CAPBSET_READ, capability)
        except OSError:
            break
        prctl(PR_CAPBSET_DROP, capability)
        capability += 1


def clear_capabilities() -> None:
    """Empty the effective, permitted and inheritable sets, which a change of user leaves alone. Raises OSError."""
    header = _CAPABILITY_VERSION_3.to_bytes(4, "little") + bytes(4)
    numbered(_CAPSET, "capset", header, bytes(24))


def checked(result: int, what: str) -> int:
    """Return the result of a C call, or raise what `errno` says of it."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result
