"""The second fence around files: Landlock, by which a process gives up reaching what no rule names.

Rules hang on files themselves and not on where they are mounted, so this fence stands even where somebody finds a way
out of the new root, and it is the only one where the kernel gives no namespaces. It also ends ptrace of, and on newer
kernels signals to and abstract unix sockets of, processes outside. It does not hide unix sockets that have a path and
knows nothing of UDP: the new root and the network namespace, or seccomp, see to those.
"""

import os
import stat
import struct
from collections.abc import Iterable

from dayfly.runtimes.jail import calls

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
_FIRST_RIGHTS = (1 << 13) - 1
_LIMITS_TCP = 4
"""The version of the interface since which there are rules for TCP."""
_BIND_TCP, _CONNECT_TCP = 1, 2
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2
_RULE_PATH, _RULE_PORT = 1, 2
_ASK_VERSION = 1

READ = _EXECUTE | _READ_FILE | _READ_DIR
"""Read and execute what lies at and below a path."""
USE = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEVICE
"""Read and write a device."""
OWN = ((1 << 16) - 1) & ~(_MAKE_CHAR | _MAKE_BLOCK)
"""Anything below a path but making devices."""


def version() -> int:
    """Return the kernel's version of the interface, 0 when it has none or keeps it off."""
    try:
        return calls.numbered(calls.LANDLOCK_CREATE_RULESET, "landlock", None, 0, _ASK_VERSION)
    except OSError:
        return 0


def can_limit_tcp() -> bool:
    """Whether there are rules for TCP (Linux 6.7)."""
    return version() >= _LIMITS_TCP


class Ruleset:
    """Rules in the making: add to them, then `restrict` once. Raises OSError where the kernel refuses.

    `tcp_ports` limits connecting to these ports, and forbids listening, on kernels that can (`can_limit_tcp`); None
    leaves TCP alone. `own_port` may be connected to and listened at besides; 0 for none.
    """

    def __init__(self, *, tcp_ports: Iterable[int] | None = None, own_port: int = 0) -> None:
        found = version()
        self.limits_tcp = tcp_ports is not None and found >= _LIMITS_TCP
        self._files = _FIRST_RIGHTS
        self._files |= _REFER if found >= 2 else 0
        self._files |= _TRUNCATE if found >= 3 else 0
        self._files |= _IOCTL_DEVICE if found >= 5 else 0
        attributes = struct.pack("QQQ", self._files, _BIND_TCP | _CONNECT_TCP if self.limits_tcp else 0,
                                 _ABSTRACT_SOCKETS | _SIGNALS if found >= 6 else 0)  # fmt: skip
        size = 24 if found >= 6 else 16 if found >= _LIMITS_TCP else 8
        self._fd = calls.numbered(calls.LANDLOCK_CREATE_RULESET, "landlock", attributes[:size], size, 0)
        if self.limits_tcp:
            rights = dict.fromkeys(tcp_ports or (), _CONNECT_TCP)
            rights |= {own_port: _CONNECT_TCP | _BIND_TCP} if own_port else {}
            for port, right in rights.items():
                rule = struct.pack("QQ", right, port)
                calls.numbered(calls.LANDLOCK_ADD_RULE, "landlock", self._fd, _RULE_PORT, rule, 0)

    def allow(self, path: str, rights: int) -> None:
        """Let the process do `rights` at and below `path`; one that cannot be reached now is passed over."""
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError):
            return
        try:
            rights &= self._files
            if not stat.S_ISDIR(os.fstat(fd).st_mode):
                rights &= _OF_FILES
            rule = struct.pack("=Qi", rights, fd)
            calls.numbered(calls.LANDLOCK_ADD_RULE, "landlock", self._fd, _RULE_PATH, rule, 0)
        finally:
            os.close(fd)

    def restrict(self) -> None:
        """Put this process, and all it starts, behind the fence. It must have no new privileges."""
        calls.numbered(calls.LANDLOCK_RESTRICT_SELF, "landlock", self._fd, 0)
        os.close(self._fd)
