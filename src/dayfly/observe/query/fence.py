"""What a query's process gives up once the tables are open: all files but its answer's folder, and the network.

SQLite has the files it needs open by then. Should a query ever make SQLite do what it must not, it finds nothing to do
it with. A kernel without Landlock or seccomp leaves the authorizer and the limits, which hold by themselves.
"""

import os
import sys

import dayfly
from dayfly.runtimes.jail import calls, landlock, seccomp

_READABLE = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom")


def close(folder: str) -> list[str]:
    """Close it; return which of `landlock` and `seccomp` the kernel has. The process must have no new privileges."""
    layers = []
    if os.geteuid() == 0:
        calls.drop_capabilities()
        calls.clear_capabilities()
    if landlock.version():
        rules = landlock.Ruleset()
        own = (sys.base_prefix, sys.prefix, *filter(None, sys.path), os.path.dirname(os.path.abspath(dayfly.__file__)))
        for path in (*_READABLE, *own):
            rules.allow(path, landlock.READ)
        rules.allow(folder, landlock.OWN)
        rules.restrict()
        layers.append("landlock")
    try:
        seccomp.install("none")
    except (OSError, KeyError):  # a kernel without it, or a machine whose calls nobody has listed
        return layers
    return [*layers, "seccomp"]
