"""What the lookout counts: shares of what is mapped, memory files that are open, and what may be passed over."""

import errno
import mmap
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from dayfly.runtimes.python import scales
from dayfly.runtimes.python.limits import Limits
from dayfly.runtimes.python.lookout import Lookout
from dayfly.runtimes.python.reactor import Reactor
from dayfly.runtimes.python.scales import Scales, Watch, is_over, memory_files, shares, tree

MIB = 1 << 20


@pytest.fixture
def child() -> Iterator[Callable[[Callable[[], None]], int]]:
    """Forks a process that does something and then waits to be killed."""
    made: list[int] = []

    def fork(action: Callable[[], None]) -> int:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                action()
                os.write(writer, b"x")
                signal.pause()
            finally:
                os._exit(1)
        os.close(writer)
        assert os.read(reader, 1) == b"x"
        os.close(reader)
        made.append(pid)
        return pid

    yield fork
    for pid in made:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_memory_file_counts_once_whoever_has_it_open(child: Callable[[Callable[[], None]], int]) -> None:
    fd = os.memfd_create("hoard")
    os.write(fd, bytes(8 * MIB))
    pid = child(lambda: None)
    os.dup(fd)
    mine, theirs = memory_files(os.getpid()), memory_files(pid)
    assert 8 * MIB in mine.values()
    assert set(theirs.items()) <= set(mine.items())
    os.close(fd)


def test_shares_tell_private_memory_from_shared(child: Callable[[Callable[[], None]], int]) -> None:
    kept: list[object] = []

    def hold() -> None:
        common = mmap.mmap(-1, 60 * MIB)
        common.write(b"x" * (60 * MIB))
        kept.extend((b"x" * (100 * MIB), common))

    idle, holder = child(lambda: None), child(hold)
    private, shared = shares(holder)
    # What two forks of this process have copied of its pages differs by some MiB.
    assert abs(private - shares(idle)[0] - 100 * MIB) < 25 * MIB
    assert 60 * MIB <= shared < 61 * MIB


def test_who_cannot_be_looked_into_counts_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: str, _mode: str) -> None:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(scales, "open", refuse, raising=False)
    monkeypatch.setattr(scales, "resident_bytes", lambda _pid: 77)
    assert shares(1) == (77, 0)


def figures(monkeypatch: pytest.MonkeyPatch, resident: int, files: dict[tuple[int, int], int],
            held: tuple[int, int] | None) -> None:  # fmt: skip
    def told(_pid: int) -> tuple[int, int]:
        assert held is not None, "exact figures were asked for, which takes long"
        return held

    monkeypatch.setattr(scales, "resident_bytes", lambda _pid: resident)
    monkeypatch.setattr(scales, "memory_files", lambda _pid: files)
    monkeypatch.setattr(scales, "shares", told)


@pytest.mark.parametrize(
    ("resident", "hidden", "files", "held", "over"),
    [
        (10, 10, 0, None, False),
        (10, 1000, 1000, None, True),
        (60, 0, 0, (20, 0), False),
        (60, 0, 0, (51, 0), True),
        (60, 0, 0, (0, 51), True),
        (40, 1000, 80, (10, 40), False),
        (40, 1000, 80, (20, 15), True),
        (40, 1000, 30, (51, 0), True),
    ],
    ids=[
        "bound-settles-it", "files-alone", "shared-with-others", "private", "shared", "files-that-are-mapped",
        "files-beside-private", "swapped-out",
    ],
)  # fmt: skip
def test_two_processes_are_over_a_limit_of_100(
    monkeypatch: pytest.MonkeyPatch, resident: int, hidden: int, files: int, held: tuple[int, int] | None, over: bool
) -> None:
    figures(monkeypatch, resident, {(1, 1): files} if files else {}, held)
    assert is_over([1, 2], 100, hidden) is over


def test_the_tree_leaves_out_what_is_looked_at_apart_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    below = {1: [2, 3], 2: [4], 3: [5], 5: [6]}
    monkeypatch.setattr(scales, "children_of", lambda pid: below.get(pid, []))
    assert tree(1, {}, 100) == [1, 2, 3, 4, 5, 6]
    assert tree(1, {3: None}, 100) == [1, 2, 4]
    assert len(tree(1, {}, 3)) == 3


def test_what_takes_long_is_looked_at_more_seldom_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    looked: list[int] = []

    def weigh(pids: list[int], _most: int, _hidden: int) -> bool:
        looked.append(pids[0])
        now[0] += 1.0 if pids[0] == 1 else 0.0
        return False

    monkeypatch.setattr(scales, "is_over", weigh)
    monkeypatch.setattr(scales, "children_of", lambda _pid: [])
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        weigher = Scales(far)
        for pid in (1, 2):
            near.send(Watch(pid, 100, 0).encode())
        assert weigher._take()
        for _ in range(4):
            weigher._look()
            now[0] += 1.0
        assert (looked.count(1), looked.count(2)) == (1, 4)
        near.send(Watch(2, 0, 0).encode())
        weigher._take()
        now[0] = 100.0
        weigher._look()
        assert (looked.count(1), looked.count(2)) == (2, 4)


def test_a_template_that_has_imported_may_have_what_its_spare_has_too(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        monkeypatch.setattr(Lookout, "_start", lambda lookout: setattr(lookout, "_channel", near))
        lookout = Lookout(Reactor(), ("memory", "pids"), set())
        lookout.watch(5, Limits(100, 10, 0), lambda _why: None)
        lookout.widen(5)
        lookout.widen(6)
        lookout.forget(5)
        told = [Watch.decode(far.recv(64)) for _ in range(3)]
        assert told == [Watch(5, 100, 10), Watch(5, 200, 20), Watch(5, 0, 0)]
