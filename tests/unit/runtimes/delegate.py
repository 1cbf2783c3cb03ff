"""What a platform of an ordinary account does with a control group that was delegated to it; told as JSON.

The kernel's rules of version 2 are the same for every controller, and the one that this machine has to spare will do.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from dayfly.runtimes.jail import births, calls
from dayfly.runtimes.python import cells, hierarchy, syscalls
from dayfly.runtimes.python.limits import LEAST_MEMORY_BYTES, Limits

LIMITS = Limits(LEAST_MEMORY_BYTES, 16, 0)


def main(controller: str, group: Path) -> None:
    for module in (hierarchy, cells):
        vars(module)["CONTROLLERS"] = (controller,)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    found = cells.Cells.found()
    told: dict[str, Any] = {
        "uid": os.getuid(),
        "own": Path("/proc/self/cgroup").read_text().splitlines()[-1],
        "members": (group / "cgroup.procs").read_text(),
        "enabled": (group / "cgroup.subtree_control").read_text(),
        "lacking": found.lacking,
    }
    cell = found.make(LIMITS)
    if cell is not None:
        told |= live_in(cell)
        found.close()
    told["left"] = sorted(each.name for each in group.iterdir() if each.is_dir())
    print(json.dumps(told))  # noqa: T201 - it is for this that it was run


def live_in(cell: cells.Cell) -> dict[str, Any]:
    """Have a jail, with cgroups of its own, move from one cell to the next as a replica does, and flee; end it."""
    again = cells.Cell(f"{cell.name}-again", tuple(branch for branch, _ in cell._folders), LIMITS)
    first, second = cell.doors(), again.doors()
    reader, writer = os.pipe()

    def jail() -> None:
        cells.enter(first)
        calls.unshare(calls.CLONE_NEWCGROUP)
        if os.fork() == 0:
            cells.enter(second)
            os.setsid()
            if os.fork() == 0:
                os.write(writer, b"%d" % ctypes.CDLL(None).getpgrp())
            signal.pause()
        signal.pause()

    pid = births.born_apart(jail, new_user=True)
    os.read(reader, 16)
    told = {"template": len(cell.pids()), "replica": len(again.pids()), "name": cells.cell_name_of(again.pids()[0])}
    again.kill()
    cell.kill()
    os.waitpid(pid, 0)
    return told | {"gone": [again.remove(), cell.remove()]}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
