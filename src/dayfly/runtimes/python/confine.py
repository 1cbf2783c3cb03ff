"""Taking rights away from a process before it runs somebody else's code.

The order is part of the specification; each step needs a right that a later one takes away:

    1  a user namespace, or as root a user of the function's own         jail/births.py
    2  namespaces: pid, then mount, ipc, uts, network, cgroup
    3  a new root: system and code read-only, own /tmp, own /proc,       newroot.py
       secrets                                                           secret_files.py
    4  loopback up, and the doors on it that lead outside                jail/network.py
    5  a cgroup: the template's when its order comes, a replica's at its fork, each before the cgroup namespace or
       through a descriptor                                              cells.py
    6  capability bounding set empty, then groups, gid, uid, all capabilities
    7  no new privileges, die with the parent, own session, descriptors closed, umask, environment
    8  resource limits: inside the user namespace they count this function's processes alone
    9  Landlock                                                          jail/landlock.py
    10 seccomp                                                           jail/seccomp.py

What does not depend on the function is done ahead: a `Jail` is built while nobody waits, and closed around a function
when one comes. Which layers there are was found out before by using them (jail/detect.py); one that is there and fails
all the same ends the start. Without namespaces the function sees the machine's processes by name and its network where
that is granted, and Landlock and seccomp keep it from files, unix sockets and what else they can.

Two functions of root whose names hash to the same user are parted by their pid namespaces alone; 40,000 users make it
rare.
"""

import hashlib
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence

import msgspec

from dayfly.model.egress import parse_grant
from dayfly.model.errors import InvalidSpec
from dayfly.model.replica import StartOrder
from dayfly.model.watchdog import HttpSettings
from dayfly.runtimes.jail import calls, landlock, loopback, network, seccomp
from dayfly.runtimes.jail.layers import Layers
from dayfly.runtimes.node import program
from dayfly.runtimes.python import newroot, secret_files, syscalls
from dayfly.runtimes.python.limits import tmp_of

FIRST_UID, UIDS = 20_000, 40_000
MAX_FILE_BYTES = 1 << 30
USER_REPLICAS = 4
"""One function's user may have the processes of so many replicas: where each has a cgroup that is what holds them."""
MIN_DATA_BYTES = 64 * 1024 * 1024
"""Below this the runtime itself would not start."""
_MACHINE = "`dayfly doctor` tells what this machine lacks"
_POD = "a pod may not have all of it (docs/sandbox.md)"
_DEVICES = ("null", "zero", "full", "random", "urandom")


def function_uid(key: str) -> int:
    """Return the user and group id that the function `key` (`name.namespace`) runs as, 20000 to 59999."""
    return FIRST_UID + int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % UIDS


class Confined(msgspec.Struct, frozen=True):
    """What confining a process came to."""

    missing: tuple[str, ...]
    """What the function should know it has not got, one sentence each."""
    tmp: str
    """The folder for files that is the function's own."""
    environ: dict[str, str]
    """Variables that lead the function to its network, its secrets and its folder for files."""
    own_net: bool
    """Whether the function has a network of its own, in which every port is free."""
    listeners: tuple[int, ...] = ()
    """Sockets whose connections the egress proxy is to serve: its own, then one for each granted tcp:// address."""
    port: int = 0
    """The one port that a program may listen at in a network that is not its own; 0 where the fence names none."""


class Jail:
    """A box built before anybody knows for whom.

    `root` is an empty folder to build the new root on, `scratch_dir` one for the files of functions without a root of
    their own, `own_net` whether the function gets a network of its own.
    """

    def __init__(self, layers: Layers, root: str, scratch_dir: str, *, own_net: bool) -> None:
        self._layers = layers
        self._own_net = own_net and layers.namespaces
        self._root = newroot.NewRoot(root)
        self._rules: landlock.Ruleset | None = None
        self._scratch_dir = scratch_dir
        self._system = [sys.base_prefix, sys.base_exec_prefix, os.path.dirname(os.__file__)]

    def build(self) -> None:
        """Do what needs no order; the process is in a pid namespace, where there are namespaces. Raises OSError."""
        if not self._layers.namespaces:
            return
        calls.drop_capabilities()  # bounds what can be gained; what is held now stays until `close`
        kinds = calls.CLONE_NEWNS | calls.CLONE_NEWIPC | calls.CLONE_NEWUTS
        calls.unshare(kinds | (calls.CLONE_NEWNET if self._own_net else 0))
        self._root.build(self._system, own_proc=self._layers.proc)
        if self._own_net:
            loopback.loopback_up()
        if self._layers.landlock:
            self._rules = self._system_rules(None)

    def close(self, order: StartOrder) -> Confined:
        """Confine this process, which is in its cgroup already, for the function of `order`, for good.

        Raises OSError when a layer fails, PermissionError when the function could not read the interpreter.
        """
        uid = function_uid(str(order.key)) if os.geteuid() == 0 else os.geteuid()
        listeners, hosts, environ = self._connect(order)
        scratch = "" if self._layers.namespaces else self._scratch(uid)
        secrets = secret_files.FOLDER if order.secrets else ""
        if secrets and scratch:
            secrets = secret_files.put(self._scratch_dir, order.secrets, uid)
        if self._layers.namespaces:
            calls.sethostname(order.key.name)
            calls.unshare(calls.CLONE_NEWCGROUP)
            visible = [order.code_dir, *order.layer_dirs, *program.shown(order)]
            self._root.enter(visible, uid=uid, hosts=hosts, tmp=tmp_of(order), secrets=order.secrets)
        if os.geteuid() == 0:
            if not self._layers.namespaces:
                calls.drop_capabilities()
            _become(uid)
        if not os.access(os.__file__, os.R_OK):
            raise PermissionError(
                f"the interpreter below {sys.base_prefix} cannot be read by the function's user {uid}, and this"
                " kernel refused to show it in a root of its own; install Python where every user may read it"
            )
        calls.clear_capabilities()
        calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
        die_with_parent()
        os.umask(0o077)
        self._limit(order)
        port = self._port(order)
        missing = self._fence(order, scratch, listeners, secrets, port)
        environ |= {"HOME": scratch, "TMPDIR": scratch} if scratch else {}
        environ |= {secret_files.VARIABLE: secrets} if secrets else {}
        tmp = scratch or "/tmp"  # noqa: S108 - inside the new root it is the function's own
        return Confined(tuple(missing), tmp, environ, self._own_net, tuple(listeners), port)

    def _connect(self, order: StartOrder) -> tuple[list[int], str, dict[str, str]]:
        """Return the sockets to be served from outside, /etc/hosts, and the environment that leads to them."""
        grants = [parse_grant(text) for text in order.allow] if order.network == "proxy" else []
        tcp = [grant for grant in grants if grant.kind == "tcp"]
        doors = network.Doors(tcp if self._own_net else ())
        hosts = doors.hosts_file(order.key.name) if self._own_net else ""
        if not grants or not (self._own_net or self._layers.landlock):
            return [], hosts, {}
        proxy = loopback.listen(port=loopback.PROXY_PORT if self._own_net else 0)
        environ = network.proxy_environ(loopback.port_of(proxy), doors.names)
        return [proxy, *doors.listen()], hosts, environ

    def _port(self, order: StartOrder) -> int:
        """Return the port for a program that serves one where the network is the pod's; 0 for none.

        Only there: on a machine whoever reaches it would reach the program, past the gateway.
        """
        if order.runtime != "http" or order.network == "host" or not self._layers.alone or self._layers.namespaces:
            return 0
        if not (self._layers.landlock and landlock.can_limit_tcp()):
            return 0
        try:
            settings = HttpSettings.of(order.env)
        except InvalidSpec:  # an order of an earlier version's, which whoever starts the program tells of
            return 0
        return settings.port if settings.fixed else loopback.free_port()

    def _scratch(self, uid: int) -> str:
        """Return a new folder that the function may write to, where it has no /tmp of its own."""
        path = tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=self._scratch_dir)
        os.chown(path, uid, -1)
        return path

    def _limit(self, order: StartOrder) -> None:
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_NOFILE: order.ceilings.open_files,
            resource.RLIMIT_FSIZE: MAX_FILE_BYTES,
            resource.RLIMIT_MEMLOCK: 65_536,
            resource.RLIMIT_MSGQUEUE: 0,
        }
        if self._layers.namespaces or os.geteuid() >= FIRST_UID:  # else it would count the platform's own processes
            limits[resource.RLIMIT_NPROC] = USER_REPLICAS * order.ceilings.processes
        # Python says MemoryError to it; others set more aside than they use, and are better held by their cgroup.
        if order.memory_bytes and (order.runtime == "python" or not self._layers.cgroup):
            limits[resource.RLIMIT_DATA] = max(order.memory_bytes, MIN_DATA_BYTES) + program.data_allowance(order)
        for what, most in limits.items():
            _, hard = resource.getrlimit(what)
            bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (bound, bound))

    def _system_rules(self, ports: list[int] | None, own_port: int = 0) -> landlock.Ruleset:
        """Return the rules for what every function may read; they hold wherever the files are shown."""
        rules = landlock.Ruleset(tcp_ports=ports, own_port=own_port)
        for path in (*newroot.SYSTEM, *newroot.ETC, *newroot.NAME_SERVICE, *self._system):
            rules.allow(path, landlock.READ)
        return rules

    def _fence(self, order: StartOrder, scratch: str, listeners: Sequence[int], secrets: str, port: int) -> list[str]:
        """Put up Landlock and seccomp; return what they cannot keep, and what is not where it is looked for."""
        missing = []
        if scratch and secrets not in ("", secret_files.FOLDER):
            missing.append(
                f"its secrets are in ${secret_files.VARIABLE}: without a root of its own there is no"
                f" {secret_files.FOLDER}"
            )
        if self._layers.tier not in ("A+", "A"):
            missing.append(f"tier {self._layers.tier}: {_POD if self._layers.alone else _MACHINE}")
        sockets: seccomp.Sockets = "inet"
        ports: list[int] | None = None
        if not self._layers.namespaces:
            sockets = "outside" if order.network == "host" else "none"
            ports = None if order.network == "host" else [loopback.port_of(fd) for fd in listeners]
        if self._layers.landlock:
            rules = self._rules or self._system_rules(ports, port)
            if (ports or port) and rules.limits_tcp:
                sockets = "stream"
            elif order.network == "proxy" and sockets == "none":
                missing.append(
                    "no way out of this function: without a network of its own, only `network: host` gives one"
                )
            for path in ("/etc/hosts", "/etc/passwd", "/etc/group", "/proc", order.code_dir, *order.layer_dirs):
                rules.allow(path, landlock.READ)
            for path in program.shown(order):
                rules.allow(path, landlock.READ)
            for name in _DEVICES:
                rules.allow(f"/dev/{name}", landlock.USE)
            if secrets:
                rules.allow(secrets, landlock.READ)
            rules.allow(scratch or "/tmp", landlock.OWN)  # noqa: S108 - the function's own
            if not scratch:
                rules.allow("/dev", landlock.READ)
            rules.restrict()
        if self._layers.seccomp:
            seccomp.install(sockets)
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


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
