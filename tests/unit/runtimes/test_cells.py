"""Cells on trees that are folders of a test's own: which places are tried, which files are written, what is read."""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, new_replica_id
from dayfly.model.replica import Ceilings, StartOrder
from dayfly.runtimes.python import cells, hierarchy
from dayfly.runtimes.python.hierarchy import LEAF, Branch, Place, enable, favour, places
from dayfly.runtimes.python.limits import LEAST_MEMORY_BYTES, MEMORY_BYTES, Limits, limits_of, tmp_of

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


class Kernel:
    """Takes what is written to its files, but refuses some."""

    def __init__(self, refused: dict[str, int]) -> None:
        self.refused = refused
        self.written: list[tuple[str, str]] = []

    def write(self, path: str, text: str) -> None:
        if text in self.refused:
            raise OSError(self.refused[text], "no")
        self.written.append((path, text))


def test_controllers_are_enabled_on_the_way_down_in_version_two_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel({"+cpu": errno.EINVAL})
    monkeypatch.setattr(hierarchy, "write", kernel.write)
    assert enable(Place(1, "/nowhere", ("memory",)), "/nowhere/ours", ("memory",)) == ("memory",)
    assert kernel.written == []
    place = Place(2, "/tree", ("memory", "pids", "cpu"))
    assert enable(place, "/tree/ours", ("memory", "cpu", "pids")) == ("memory", "pids")
    assert kernel.written == [
        (f"{folder}/cgroup.subtree_control", each)
        for each in ("+memory", "+pids")
        for folder in ("/tree", "/tree/ours")
    ]


def test_a_group_that_has_processes_is_not_divided_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel({"+memory": errno.EBUSY})
    monkeypatch.setattr(hierarchy, "write", kernel.write)
    with pytest.raises(OSError, match="no"):
        enable(Place(2, "/tree", ("memory", "pids")), "/tree/ours", ("memory", "pids"))
    assert kernel.written == []  # threaded controllers could be had, and would leave groups that nobody may enter


def test_a_leaf_of_ours_is_the_place_above_it(tmp_path: Path) -> None:
    (tmp_path / "scope").mkdir()
    (tmp_path / "scope/cgroup.controllers").write_text("memory pids\n")
    mounts = f"32 1 0:28 / {tmp_path} rw - cgroup2 cgroup2 rw,nsdelegate"
    for own in ("0::/scope", f"0::/scope/{LEAF}"):
        assert [place.folder for place in places(mounts, own)] == [f"{tmp_path}/scope"]


def test_functions_together_weigh_as_much_as_there_are_processors(tmp_path: Path) -> None:
    (tmp_path / "cpu.weight").touch()
    favour(Branch(2, str(tmp_path), ("cpu",)))
    assert int((tmp_path / "cpu.weight").read_text()) == 100 * (os.cpu_count() or 1)


def test_the_platform_s_own_group_goes_before_functions(tmp_path: Path) -> None:
    for folder in (tmp_path / "dayfly-7", tmp_path / LEAF):
        folder.mkdir()
        (folder / "cpu.weight").touch()
    favour(Branch(2, str(tmp_path / "dayfly-7"), ("cpu",)))
    assert (tmp_path / LEAF / "cpu.weight").read_text() == "300"


def test_where_no_group_can_be_made_there_are_no_cells_and_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cells, "_places", lambda: [Place(1, str(tmp_path / "absent"), ("memory", "pids", "cpu"))])
    none = cells.Cells.found()
    assert none.make(Limits(1 << 30, 10, 0)) is None
    assert len(none.missing) == 1
    assert "no cgroups can be made here" in none.missing[0]
    (told,) = cells.Cells.found(in_a_pod=True).missing
    assert "the function's, of memory and processes, are looked at" in told
    assert "systemd" not in told, "nobody starts the platform by hand in a pod"


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


@pytest.mark.parametrize(("account", "is_removed"), [("root", True), ("owner", True), ("another", False)])
def test_what_a_dead_zygote_left_is_removed_by_its_account_and_by_root_and_not_waited_for_by_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, account: str, is_removed: bool
) -> None:
    left = tmp_path / f"{cells.PREFIX}1"
    (left / "c1").mkdir(parents=True)
    owner = left.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: {"root": 0, "owner": owner, "another": owner + 1}[account])
    monkeypatch.setattr(time, "sleep", lambda _s: pytest.fail("waited for a group that is another account's"))
    monkeypatch.setattr(cells, "_places", lambda: [Place(1, str(tmp_path), ("pids",))])
    monkeypatch.setattr(cells, "_branch_in", _refuse)
    cells.Cells.found()
    assert left.exists() is not is_removed


@pytest.mark.parametrize("found_gone", ["before it is opened", "while it is removed", "before it is locked"])
def test_a_folder_that_another_took_for_a_dead_zygotes_before_it_was_locked_is_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found_gone: str
) -> None:
    folder, flock, opened = tmp_path / f"{cells.PREFIX}1", fcntl.flock, os.open
    others = iter([True])

    def open_(path: str, flags: int) -> int:
        if found_gone == "before it is opened" and next(others, False):
            folder.rmdir()
        return opened(path, flags)

    def lock(fd: int, how: int) -> None:
        if found_gone != "before it is opened" and next(others, False):
            folder.rmdir()
            if found_gone == "while it is removed":
                raise BlockingIOError
        flock(fd, how)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(fcntl, "flock", lock)
    held = hierarchy.hold(str(folder))
    monkeypatch.undo()
    assert os.path.samestat(os.fstat(held), folder.stat())
    with opened_again(folder) as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(held)


def test_a_folder_that_was_made_again_is_not_removed_by_who_found_the_one_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, flock = tmp_path / f"{cells.PREFIX}1", fcntl.flock
    folder.mkdir()

    def lock(fd: int, how: int) -> None:
        folder.rmdir()
        folder.mkdir()
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", lock)
    monkeypatch.setattr(cells, "_places", lambda: [Place(1, str(tmp_path), ("pids",))])
    monkeypatch.setattr(cells, "_branch_in", _refuse)
    cells.Cells.found()
    assert folder.is_dir()


def test_a_folder_that_is_made_again_while_it_is_removed_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder, rmdir = tmp_path / f"{cells.PREFIX}1", os.rmdir
    folder.mkdir()

    def remove(path: str) -> None:
        rmdir(path)
        folder.mkdir()

    monkeypatch.setattr(os, "rmdir", remove)
    monkeypatch.setattr(cells, "_places", lambda: [Place(1, str(tmp_path), ("pids",))])
    monkeypatch.setattr(cells, "_branch_in", _refuse)
    monkeypatch.setattr(time, "sleep", lambda _s: pytest.fail("looked at it again"))
    cells.Cells.found()
    assert folder.is_dir()


@contextlib.contextmanager
def opened_again(folder: Path) -> Iterator[int]:
    """Open a folder as another process would."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


def _refuse(*_: object) -> Branch:
    raise PermissionError


def test_limits_have_defaults_and_floors() -> None:
    assert limits_of(order()) == Limits(MEMORY_BYTES, 512, 0)
    small = order(memory_bytes=1, cpu_millicores=1)
    assert limits_of(small) == Limits(LEAST_MEMORY_BYTES, 512, 10)
    assert tmp_of(small) == (LEAST_MEMORY_BYTES // 2, LEAST_MEMORY_BYTES // 2 // 16_384)
    assert tmp_of(order(memory_bytes=64 << 30)) == (256 << 20, 16_384)


def test_the_operator_raises_and_lowers_what_each_replica_may_have() -> None:
    other = order(memory_bytes=64 << 30, ceilings=Ceilings(processes=100, open_files=300, tmp_bytes=1 << 30))
    assert limits_of(other).processes == 100
    assert tmp_of(other)[0] == 1 << 30


INTERFACE = {
    "memory": ("memory.max", "memory.swap.max", "memory.oom.group", "memory.events"),
    "pids": ("pids.max", "pids.current", "pids.events"),
    "cpu": ("cpu.max", "cpu.weight"),
}


@pytest.fixture
def scope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A group of version 2 in which folders get the files, and are refused and removed, as the kernel does it."""

    def offer(parent: Path) -> None:
        enabled = (parent / "cgroup.subtree_control").read_text().split()
        for folder in filter(Path.is_dir, parent.iterdir()):
            (folder / "cgroup.controllers").write_text(" ".join(enabled))
            for name in (name for each in enabled for name in INTERFACE[each]):
                (folder / name).touch()

    def make(path: str, *_: object) -> None:
        mkdir(path)
        for name in ("cgroup.procs", "cgroup.subtree_control", "cgroup.kill"):
            Path(path, name).touch()
        offer(Path(path).parent)

    def write(path: str, text: str) -> None:
        file = Path(path)
        if file.name != "cgroup.subtree_control":
            if not file.parent.exists():
                raise FileNotFoundError(path)
            assert file.exists(), f"the kernel has no {path}"
            file.write_text(text)
            return
        if (file.parent / "cgroup.procs").read_text():
            raise OSError(errno.EBUSY, "a group with processes")
        if text.removeprefix("+") not in (file.parent / "cgroup.controllers").read_text().split():
            raise OSError(errno.ENOENT, "not to be had here")
        file.write_text(" ".join({*file.read_text().split(), text.removeprefix("+")}))
        offer(file.parent)

    def remove(path: str) -> None:
        inside = list(Path(path).iterdir())
        if any(each.is_dir() for each in inside) or (Path(path) / "cgroup.procs").read_text():
            raise OSError(errno.EBUSY, "not empty")
        for each in inside:
            each.unlink()
        rmdir(path)

    mkdir, rmdir, group = os.mkdir, os.rmdir, tmp_path / "scope"
    mkdir(group)
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        (group / name).touch()
    (group / "cgroup.controllers").write_text("cpu memory pids")
    mounts = f"32 1 0:28 / {tmp_path} rw - cgroup2 cgroup2 rw,nsdelegate"
    monkeypatch.setattr(cells, "_texts", lambda: (mounts, f"0::/scope/{LEAF}"))
    monkeypatch.setattr(cells, "_try_out", lambda _branch: None)  # no process can enter a folder
    for module in (cells, hierarchy):
        monkeypatch.setattr(module, "write", write)
    monkeypatch.setattr(os, "mkdir", make)
    monkeypatch.setattr(os, "rmdir", remove)
    return group


def test_a_cell_of_version_two_limits_tells_and_ends_all_that_is_in_it(scope: Path) -> None:
    found = cells.Cells.found()
    assert (found.lacking, found.missing) == ((), [])
    cell = found.make(Limits(128 << 20, 100, 500))
    assert cell is not None
    (folder,) = scope.glob(f"{cells.PREFIX}*/{cell.name}")
    assert {name: (folder / name).read_text() for name in ("memory.max", "pids.max", "cpu.max")} == {
        "memory.max": str(128 << 20),
        "pids.max": "100",
        "cpu.max": "50000 100000",
    }
    (folder / "memory.events").write_text("max 3\noom 1\noom_kill 1\n")
    (folder / "pids.events").write_text("max 2\n")
    assert cell.struck() == {"oom": 1, "pids": 2}
    for current, full in (("99", False), ("100", True)):
        (folder / "pids.current").write_text(current)
        assert cell.is_full() is full
    cell.kill()
    assert ((folder / "pids.max").read_text(), (folder / "cgroup.kill").read_text()) == ("0", "1")
    assert cell.remove()
    found.close()
    assert [each.name for each in scope.iterdir() if each.is_dir()] == []


def test_without_delegation_of_the_processor_the_rest_is_limited(scope: Path) -> None:
    (scope / "cgroup.controllers").write_text("memory pids")
    found = cells.Cells.found()
    assert found.lacking == ("cpu",)
    assert found.make(Limits(128 << 20, 100, 500)) is not None
    found.close()


def test_a_group_with_processes_gives_no_cells(scope: Path) -> None:
    (scope / "cgroup.procs").write_text("1\n")
    assert cells.Cells.found().lacking == ("memory", "pids", "cpu")
