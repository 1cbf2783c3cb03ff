"""Control groups of version 2 that were delegated to an ordinary account, by the kernel's own rules.

Which files hold which limit is in test_cells.py; here it is who may divide a group, who may enter one, and that all of
one can be ended. Machines that have memory and processes in version 1 have another controller to spare.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dayfly.runtimes.python.hierarchy import LEAF

USER = 1001
AS_USER = Path(__file__).parent.parent.parent / "escape" / "as_user.py"
ROOTS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))


def spare() -> tuple[Path, str]:
    """Return the tree of version 2 and a controller that is to be had in it."""
    for root in ROOTS:
        offered = root / "cgroup.controllers"
        if offered.exists() and (words := offered.read_text().split()):
            return root, words[-1]
    return ROOTS[0], ""


ROOT, CONTROLLER = spare()
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not CONTROLLER, reason="takes root, and a controller of cgroups version 2 to delegate"
)


@pytest.fixture
def group() -> Iterator[Path]:
    """A group that belongs to an ordinary account, as a service manager delegates it."""
    control = ROOT / "cgroup.subtree_control"
    had = CONTROLLER in control.read_text().split()
    control.write_text(f"+{CONTROLLER}")
    made = ROOT / f"delegated-{os.getpid()}"
    made.mkdir()
    for path in (made, *(made / f"cgroup.{name}" for name in ("procs", "threads", "subtree_control"))):
        shutil.chown(path, USER, USER)
    try:
        yield made
    finally:
        for folder, _, _ in os.walk(made, topdown=False):
            os.rmdir(folder)
        if not had:
            control.write_text(f"-{CONTROLLER}")


def told_by(group: Path) -> dict[str, Any]:
    """Run the platform's part in the group, as the ordinary account."""
    python = (sys.executable, "-P")
    done = subprocess.run(
        [*python, str(AS_USER), str(USER), *python, str(Path(__file__).with_name("delegate.py")), CONTROLLER, group],
        preexec_fn=lambda: (group / "cgroup.procs").write_text("0"),
        capture_output=True, text=True, timeout=60, check=False, env={"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_platform_that_is_alone_in_its_group_steps_aside_and_divides_it(group: Path) -> None:
    told = told_by(group)
    assert told["uid"] == USER
    assert told["own"] == f"0::/{group.name}/{LEAF}"
    assert (told["members"], told["enabled"], told["lacking"]) == ("", f"{CONTROLLER}\n", [])
    # From a user and a cgroup namespace of its own, a replica gets from its template's cell into its own.
    assert (told["template"], told["replica"], told["name"]) == (1, 2, "c1-again")
    assert told["gone"] == [True, True]
    assert told["left"] == [LEAF]


def test_a_group_with_others_in_it_is_left_as_it_is(group: Path) -> None:
    with subprocess.Popen(["sleep", "300"], preexec_fn=lambda: (group / "cgroup.procs").write_text("0")) as other:
        try:
            told = told_by(group)
        finally:
            other.kill()
    assert told["own"] == f"0::/{group.name}"
    assert (told["enabled"], told["lacking"], told["left"]) == ("", [CONTROLLER], [])
    assert str(other.pid) in told["members"].split()
