"""Run a program where no control groups can be made: `ungrouped.py PROGRAM …`. Root hides them; others have none."""

import os
import sys

from dayfly.runtimes.jail import calls

_REC, _PRIVATE = 16384, 1 << 18

if __name__ == "__main__":
    if os.geteuid() == 0:
        calls.unshare(calls.CLONE_NEWNS)
        calls.mount("none", "/", flags=_REC | _PRIVATE)
        calls.mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, "mode=555,size=4k,nr_inodes=1")
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - the test says what is run
