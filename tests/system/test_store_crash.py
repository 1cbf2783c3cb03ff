"""The store's process is ended at its system calls, or the disk refuses them: nothing acknowledged is lost."""

from pathlib import Path

import pytest
from chaos.store_kill import CannotTrace, Run, judge, run_with
from chaos.store_work import deletes, is_state, life_of

# Each kind of call that changes a disk, at calls spread over its run; `make chaos` kills at every one of them.
KILLS = [
    *(f"pwrite64:signal=SIGKILL:when={number}" for number in (1, 9, 14, 30, 61)),
    *(f"fdatasync:signal=SIGKILL:when={number}" for number in (1, 12)),
    *(f"fsync:signal=SIGKILL:when={number}" for number in (7, 23)),
    *(f"rename:signal=SIGKILL:when={number}" for number in (6,)),
    *(f"unlink:signal=SIGKILL:when={number}" for number in (1, 2)),
    "write:signal=SIGKILL:when=25",
    "mkdirat:signal=SIGKILL:when=4",
    "fchmod:signal=SIGKILL:when=8",
]


def run(folder: Path, fault: str, *, patient: bool = False) -> Run:
    try:
        return run_with(folder, fault, patient=patient)
    except CannotTrace as error:
        pytest.skip(f"{error}; as root, `apt-get install strace` changes that")


@pytest.mark.parametrize("fault", KILLS)
def test_a_kill_at_any_call_loses_nothing_that_was_acknowledged(tmp_path: Path, fault: str) -> None:
    ended = run(tmp_path, fault)
    assert ended.ended != 0, "the fault never came"
    found = judge(tmp_path, ended)
    assert found.lost == []
    assert found.orphans == []


@pytest.mark.parametrize("fault", ["fdatasync:error=EIO:when=12+", "pwrite64:error=ENOSPC:when=90+"])
def test_a_disk_that_fails_for_good_is_never_called_good(tmp_path: Path, fault: str) -> None:
    ended = run(tmp_path, fault)
    assert ended.refused, "the disk's errors were called success"
    first = next(filter(is_state, ended.refused))
    later = [n for n in ended.done if is_state(n) and not deletes(n) and n > first and life_of(n) == life_of(first)]
    assert later == []
    found = judge(tmp_path, ended)
    assert found.lost == []
    assert found.orphans == []


@pytest.mark.parametrize("fault", ["fdatasync:error=EIO:when=12..13", "pwrite64:error=EIO:when=90..91"])
def test_a_disk_that_works_again_is_written_again(tmp_path: Path, fault: str) -> None:
    ended = run(tmp_path, fault, patient=True)
    assert ended.functions_seen, "the fault never came"
    assert ended.done == list(range(60))
    assert judge(tmp_path, ended).lost == []
