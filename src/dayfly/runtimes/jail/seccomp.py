"""Which system calls a function may make: the part of the kernel it can attack.

The filter is a list of what is refused, since a function may be any program: what debugs, traces or reads other
processes, mounts, makes or enters namespaces, loads code into the kernel, keeps keys, sets clocks, or reaches a family
of sockets that no function needs. Refused calls fail with EPERM, so that a program can say what it missed. Calls that a
C library tries first and can do without (`clone3`, whose flags lie in memory where a filter cannot look, and io_uring,
which makes calls past every filter) fail with ENOSYS, and so does every call newer than this table.

A call by another architecture's numbers (32 bits, x32) ends the process: those tables are a way around this one.
"""

import errno
import functools
import platform
from typing import Literal

from dayfly.runtimes.jail import bpf, calls
from dayfly.runtimes.jail.bpf import Instruction

Sockets = Literal["inet", "outside", "stream", "local", "none"]
"""What `socket` may make. inet: unix, IPv4, IPv6. stream: TCP alone, where Landlock and not a network namespace says
where to. local: unix. outside: IPv4 and IPv6. none: nothing. Without a root of its own a function must not
have unix sockets: it could reach those of others by their paths."""

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
NEWEST = 470
"""The last system call this table was checked against."""

_BOTH = {
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447,
    "process_mrelease": 448, "statmount": 457, "listmount": 458, "lsm_set_self_attr": 460, "open_tree_attr": 467,
    "listns": 470,
}  # fmt: skip
_REFUSED = {
    "x86_64": {
        "ptrace": 101, "syslog": 103, "uselib": 134, "sysfs": 139, "vhangup": 153, "modify_ldt": 154,
        "pivot_root": 155, "_sysctl": 156, "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164,
        "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170,
        "setdomainname": 171, "iopl": 172, "ioperm": 173, "create_module": 174, "init_module": 175,
        "delete_module": 176, "get_kernel_syms": 177, "query_module": 178, "quotactl": 179, "nfsservctl": 180,
        "lookup_dcookie": 212, "clock_settime": 227, "kexec_load": 246, "add_key": 248, "request_key": 249,
        "keyctl": 250, "migrate_pages": 256, "unshare": 272, "move_pages": 279, "perf_event_open": 298,
        "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308,
        "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "kexec_file_load": 320,
        "bpf": 321, "userfaultfd": 323,
    },
    "aarch64": {
        "lookup_dcookie": 18, "umount2": 39, "mount": 40, "pivot_root": 41, "nfsservctl": 42, "chroot": 51,
        "vhangup": 58, "quotactl": 60, "acct": 89, "unshare": 97, "kexec_load": 104, "init_module": 105,
        "delete_module": 106, "clock_settime": 112, "syslog": 116, "ptrace": 117, "reboot": 142, "sethostname": 161,
        "setdomainname": 162, "settimeofday": 170, "adjtimex": 171, "add_key": 217, "request_key": 218, "keyctl": 219,
        "swapon": 224, "swapoff": 225, "migrate_pages": 238, "move_pages": 239, "perf_event_open": 241,
        "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268,
        "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "bpf": 280,
        "userfaultfd": 282, "kexec_file_load": 294,
    },
}  # fmt: skip
_ABSENT = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "clone3": 435}
_LOOKED_INTO = {
    "x86_64": {"ioctl": 16, "socket": 41, "socketpair": 53, "clone": 56, "mknod": 133, "personality": 135,
               "mknodat": 259},
    "aarch64": {"ioctl": 29, "mknodat": 33, "personality": 92, "socket": 198, "socketpair": 199, "clone": 220},
}  # fmt: skip

_NAMESPACES = (
    calls.CLONE_NEWNS | calls.CLONE_NEWCGROUP | calls.CLONE_NEWUTS | calls.CLONE_NEWIPC
    | calls.CLONE_NEWUSER | calls.CLONE_NEWPID | calls.CLONE_NEWNET
)  # fmt: skip
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_ASK_PERSONALITY = 0xFFFFFFFF
_FILE_KIND, _CHARACTER_DEVICE, _BLOCK_DEVICE = 0o170000, 0o020000, 0o060000
_UNIX, _INET, _INET6 = 1, 2, 10
_SOCKET_KIND, _STREAM, _RAW, _PACKET = 0xF, 1, 3, 10
_TCP = 6
_FAMILIES: dict[Sockets, tuple[int, ...]] = {
    "inet": (_UNIX, _INET, _INET6),
    "outside": (_INET, _INET6),
    "stream": (_INET, _INET6),
    "local": (_UNIX,),
    "none": (),
}


def refused(machine: str = "") -> dict[str, int]:
    """Return the calls that always fail, by name, for the `machine` (this one by default)."""
    return {**_REFUSED[machine or platform.machine()], **_BOTH}


@functools.lru_cache
def program(sockets: Sockets, machine: str = "") -> bytes:
    """Return the filter for functions with these `sockets`, on `machine` (this one by default).

    Raises KeyError for a machine whose calls we have no table of.
    """
    machine = machine or platform.machine()
    instructions = [bpf.load(bpf.ARCHITECTURE), *bpf.unless_equal(_AUDIT[machine], [bpf.verdict(bpf.KILL)])]
    instructions += [bpf.load(bpf.NUMBER)]
    if machine == "x86_64":
        instructions += bpf.when_at_least(_X32, [bpf.verdict(bpf.KILL)])
    for number in sorted(refused(machine).values()):
        instructions += bpf.when_equal(number, [bpf.verdict(bpf.fail(errno.EPERM))])
    for number in _ABSENT.values():
        instructions += bpf.when_equal(number, [bpf.verdict(bpf.fail(errno.ENOSYS))])
    instructions += bpf.when_more(NEWEST, [bpf.verdict(bpf.fail(errno.ENOSYS))])
    numbers = _LOOKED_INTO[machine]
    for name, number in numbers.items():
        instructions += bpf.when_equal(number, [*_look_into(name, sockets), bpf.verdict(bpf.ALLOW)])
    return bpf.assemble([*instructions, bpf.verdict(bpf.ALLOW)])


def prepare() -> None:
    """Assemble the filters now, for every process forked from this one; a machine without a table has none."""
    if platform.machine() in _AUDIT:
        for sockets in _FAMILIES:
            program(sockets)


def install(sockets: Sockets) -> None:
    """Refuse this process, and all it starts, what functions may not call. Raises OSError.

    It must have no new privileges, or CAP_SYS_ADMIN. Comes last: other layers need calls that this one refuses.
    """
    calls.load_filter(program(sockets))


def _look_into(name: str, sockets: Sockets) -> list[Instruction]:
    """Return what judges a call by its arguments; falling off the end allows it."""
    no = [bpf.verdict(bpf.fail(errno.EPERM))]
    match name:
        case "clone":
            return [bpf.load_argument(0), *bpf.when_any_set(_NAMESPACES, no)]
        case "ioctl":  # typing into the terminal that started the platform
            return [bpf.load_argument(1), *bpf.when_equal(_TIOCSTI, no), *bpf.when_equal(_TIOCLINUX, no)]
        case "personality":
            return [bpf.load_argument(0), *bpf.unless_one_of((0, _ASK_PERSONALITY), no)]
        case "mknod" | "mknodat":
            look = [bpf.load_argument(1 if name == "mknod" else 2), bpf.mask(_FILE_KIND)]
            return [*look, *bpf.when_equal(_CHARACTER_DEVICE, no), *bpf.when_equal(_BLOCK_DEVICE, no)]
        case "socketpair":
            return [bpf.load_argument(0), *bpf.unless_equal(_UNIX, _no_family())]
        case _:
            return _sockets(sockets, no)


def _sockets(sockets: Sockets, no: list[Instruction]) -> list[Instruction]:
    rules = [bpf.load_argument(0), *bpf.unless_one_of(_FAMILIES[sockets], _no_family())]
    rules += [bpf.load_argument(1), bpf.mask(_SOCKET_KIND)]
    if sockets == "stream":  # Landlock knows TCP alone: neither UDP nor the other protocols over streams
        rules += [*bpf.unless_equal(_STREAM, no), bpf.load_argument(2), *bpf.unless_one_of((0, _TCP), no)]
    else:
        rules += [*bpf.when_equal(_RAW, no), *bpf.when_equal(_PACKET, no)]
    return rules


def _no_family() -> list[Instruction]:
    return [bpf.verdict(bpf.fail(errno.EAFNOSUPPORT))]
