"""Cells on trees that are folders of a test's own: which places are tried, which files are written, what is read."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, new_replica_id
from dayfly.model.replica import StartOrder
from dayfly.runtimes.python import cells
from dayfly.runtimes.python.hierarchy import Branch, Place, enable, favour, places
from dayfly.runtimes.python.limits import LEAST_MEMORY_BYTES, MEMORY_BYTES, PROCESSES, Limits, limits_of, tmp_of

MIXED = """
24 1 0:22 / /proc rw - proc proc rw
30 1 0:26 / {root}/memory rw shared:9 - cgroup cgroup rw,memory
31 1 0:27 / {root}/cpu rw - cgroup cgroup rw,cpu,cpuacct
32 1 0:28 / {root}/unified rw - cgroup2 cgroup2 rw,nsdelegate
"""
OWN = "4:memory:/some/where\n3:cpu,cpuacct:/\n0::/user.slice/x\n"


def order(**limits: Any) -> StartOrder:
    return StartOrder(
        replica=new_replica_id(),
        key=FunctionKey(DEFAULT_NAMESPACE, FunctionName("fn")),
        revision=1,
        lang="python",
        dialect="auto",
        handler="handler",
        code_dir="/code",
        timeout_s=60.0,
        **limits,
    )


def v2_files(folder: Path, limits: Limits, controllers: tuple[str, ...] = ("memory", "pids", "cpu")) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.max")
    for name in names:
        (folder / name).touch()
    Branch(2, str(folder.parent), controllers).limit(str(folder), limits)
    return {name: (folder / name).read_text() for name in names}


def test_places_are_our_own_group_first_and_then_the_root_of_each_tree(tmp_path: Path) -> None:
    unified = tmp_path / "unified"
    (unified / "user.slice/x").mkdir(parents=True)
    (unified / "cgroup.controllers").write_text("cpuset cpu memory pids\n")
    (unified / "user.slice/x/cgroup.controllers").write_text("memory pids\n")
    found = list(places(MIXED.format(root=tmp_path).strip(), OWN))
    assert found == [
        Place(2, f"{unified}/user.slice/x", ("memory", "pids")),
        Place(2, str(unified), ("memory", "pids", "cpu")),
        Place(1, f"{tmp_path}/memory/some/where", ("memory",)),
        Place(1, f"{tmp_path}/memory", ("memory",)),
        Place(1, f"{tmp_path}/cpu", ("cpu",)),
    ]


def test_a_tree_whose_mount_shows_a_part_is_entered_below_that_part(tmp_path: Path) -> None:
    mounts = f"30 1 0:26 /some {tmp_path}/memory rw - cgroup cgroup rw,memory"
    found = [place.folder for place in places(mounts, OWN)]
    assert found == [f"{tmp_path}/memory/where", f"{tmp_path}/memory"]


def test_version_two_is_limited_by_its_files(tmp_path: Path) -> None:
    assert v2_files(tmp_path / "c1", Limits(1 << 30, 100, 250)) == {
        "memory.max": "1073741824",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "100",
        "cpu.max": "25000 100000",
    }
    assert v2_files(tmp_path / "c2", Limits(1 << 30, 100, 0))["cpu.max"] == ""


def test_what_a_kernel_does_not_count_is_left_out_and_the_rest_is_an_error(tmp_path: Path) -> None:
    branch = Branch(2, str(tmp_path), ("memory",))
    (tmp_path / "memory.max").touch()
    branch.limit(str(tmp_path), Limits(1 << 30, 100, 0))  # neither swap nor groups
    (tmp_path / "memory.max").unlink()
    with pytest.raises(FileNotFoundError):
        branch.limit(str(tmp_path), Limits(1 << 30, 100, 0))


def test_version_two_tells_what_struck(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 31\noom 4\noom_kill 3\noom_group_kill 1\n")
    (tmp_path / "pids.events").write_text("max 7\n")
    assert Branch(2, "", ("memory", "pids", "cpu")).struck(str(tmp_path)) == {"oom": 3, "pids": 7}


def test_version_one_tells_what_struck(tmp_path: Path) -> None:
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert Branch(1, "", ("memory",)).struck(str(tmp_path)) == {"oom": 2}


def test_controllers_are_enabled_on_the_way_down_in_version_two_alone(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    for folder in (tmp_path, tmp_path / "ours"):
        (folder / "cgroup.subtree_control").touch()
    place = Place(2, str(tmp_path), ("memory", "pids"))
    enable(place, str(tmp_path / "ours"), ("memory", "pids"))
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert (tmp_path / "ours/cgroup.subtree_control").read_text() == "+memory +pids"
    enable(Place(1, "/nowhere", ("memory",)), "/nowhere", ("memory",))


def test_functions_together_weigh_as_much_as_there_are_processors(tmp_path: Path) -> None:
    (tmp_path / "cpu.weight").touch()
    favour(Branch(2, str(tmp_path), ("cpu",)))
    assert int((tmp_path / "cpu.weight").read_text()) == 100 * (os.cpu_count() or 1)


def test_where_no_group_can_be_made_there_are_no_cells_and_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cells, "_places", lambda: [Place(1, str(tmp_path / "absent"), ("memory", "pids", "cpu"))])
    none = cells.Cells.found()
    assert none.make(Limits(1 << 30, 10, 0)) is None
    assert len(none.missing) == 1
    assert "no cgroups can be made here" in none.missing[0]


def test_a_place_that_refuses_leaves_nothing_and_the_next_is_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    tried = []

    def refuse(branch: Branch) -> None:
        tried.append(Path(branch.folder).parent.name)
        if tried == ["first"]:
            raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(cells, "_try_out", refuse)
    monkeypatch.setattr(cells, "_places", lambda: [Place(1, str(tmp_path / n), ("pids",)) for n in ("first", "second")])
    found = cells.Cells.found()
    assert tried == ["first", "second"]
    assert list((tmp_path / "first").iterdir()) == []
    assert [sentence.split(":")[0] for sentence in found.missing] == ["no cgroup for memory", "no cgroup for cpu"]
    found.close()
    assert list((tmp_path / "second").iterdir()) == []


def test_limits_have_defaults_and_floors() -> None:
    assert limits_of(order()) == Limits(MEMORY_BYTES, PROCESSES, 0)
    small = order(memory_bytes=1, cpu_millicores=1)
    assert limits_of(small) == Limits(LEAST_MEMORY_BYTES, PROCESSES, 10)
    assert tmp_of(small) == (LEAST_MEMORY_BYTES // 2, LEAST_MEMORY_BYTES // 2 // 16_384)
    assert tmp_of(order(memory_bytes=64 << 30)) == (256 << 20, 16_384)
