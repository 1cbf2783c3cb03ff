"""The layers of the sandbox that this machine has, the tier they add up to, and what a missing one means.

| tier | has |
|---|---|
| A+ | root: a user of the function's own, the jail, Landlock, seccomp, and cgroups: everything |
| A | the jail, Landlock and seccomp, without a hard limit of memory and processor |
| B | Landlock and seccomp, no namespaces: no jail |
| B- | the jail, without Landlock or without seccomp: no second fence |
| C | resource limits alone: nothing against reading what the platform's account may read |
"""

from collections.abc import Iterator

import msgspec

from dayfly.model.sandbox import Tier


class Layers(msgspec.Struct, frozen=True, kw_only=True):
    """Which layers were used and worked; `refusals` tells why one did not, by its name."""

    root: bool = False
    """The platform runs as root, so each function gets a user of its own."""
    namespaces: bool = False
    proc: bool = False
    """Whether a jail gets a /proc of its own."""
    landlock: bool = False
    seccomp: bool = False
    cgroup: bool = False
    alone: bool = False
    """Nobody else is where the replica runs, as in a pod that takes one in its life: its network is the function's."""
    refusals: dict[str, str] = {}

    @property
    def tier(self) -> Tier:
        """What the layers add up to."""
        if self.namespaces:
            if not (self.landlock and self.seccomp):
                return "B-"
            return "A+" if self.root and self.cgroup else "A"
        return "B" if self.landlock and self.seccomp else "C"

    def missing(self) -> Iterator[str]:
        """What is not there, what that means and how to get it; one sentence or two each."""
        for name, text in _MISSING.items():
            if not getattr(self, name) and (name != "proc" or self.namespaces):
                why = self.refusals.get(name, "")
                yield text.format(why=f" ({why})" if why else "")


_MISSING = {
    "namespaces": "No namespaces{why}: functions see this machine's processes by name and share its network and the"
    " unix sockets their account may open, as far as Landlock and seccomp let them. To have them, run the platform as"
    " root, or allow user namespaces: `sysctl kernel.unprivileged_userns_clone=1`, an AppArmor profile that permits"
    " `userns`, or in a container a seccomp profile that permits unshare and mount.",
    "proc": "No /proc of its own{why}: functions have none. A container that hides parts of /proc is the usual reason.",
    "landlock": "No Landlock{why}: what keeps functions from files is their own root alone. It takes Linux 5.13 and"
    " `landlock` in the kernel's `lsm=` list.",
    "seccomp": "No seccomp filter{why}: functions may make every system call of this kernel, and so reach its flaws.",
    "cgroup": "No cgroup{why}: what a function holds is looked at four times a second and not held by the kernel, and"
    " its share of the processors is not limited. As root they come by themselves; for an ordinary account start the"
    " platform with `systemd-run --user --scope -p Delegate=yes dayfly start`.",
}
