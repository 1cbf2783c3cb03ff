"""Weighing processes that no control group holds: the lookout's own process.

An ordinary account can often make no groups. What a resource limit bounds there is each process's own private memory:
neither a fork, nor memory shared between processes, nor a memory file counts. So this process looks at every replica
four times a second and says which of them has more than it may; whoever forked it ends those.

It is a process of its own because looking takes as long as the function looked at likes: adding up the pages of
hundreds of processes takes seconds, and nobody else may wait for it. What takes long is looked at more seldom.

What is counted: memory that is mapped, in the shares of those who map it, and the memory files that are open; of mapped
shared memory and memory files the larger, as one may be the other. What is not: what lies in buffers of sockets and
pipes, memory files that are on their way through a socket or held by a process that nobody may look into.
"""

import contextlib
import os
import select
import socket
import time
from collections.abc import Container
from typing import NamedTuple

from dayfly.runtimes.python.processes import children_of

LOOK_S = 0.25
LOOK_S_EACH = 0.002
"""With very many replicas each is looked at more seldom: looking stays within some hundredths of a processor."""
REST = 4
"""What took long to look at is left alone for so many times as long."""
FULL_S = 1.0
"""For how long a replica may have as many processes as it may have."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_WORD_BYTES = 64


class Watch(NamedTuple):
    """Zygote to lookout: look at the process and all below it that is not looked at apart.

    0 is no limit, and twice 0 means to forget it.
    """

    pid: int
    memory_bytes: int
    processes: int

    def encode(self) -> bytes:
        """Return it as `decode` reads it."""
        return b"%d %d %d" % self

    @classmethod
    def decode(cls, data: bytes) -> "Watch":
        """Return what `encode` made."""
        pid, memory_bytes, processes = map(int, data.split())
        return cls(pid, memory_bytes, processes)


class _Load:
    """One process tree under watch."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.due = 0.0
        self.full_since = 0.0


class Scales:
    """The loop of the lookout. It says `oom PID` or `pids PID` on its channel, and ends when that ends."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._loads: dict[int, _Load] = {}
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)

    def run(self) -> None:
        """Serve until the other side is gone."""
        while True:
            patience_s = max(LOOK_S, LOOK_S_EACH * len(self._loads)) if self._loads else None
            began = time.monotonic()
            if self._poll.poll(patience_s * 1000 if patience_s is not None else None) and not self._take():
                return
            if patience_s is not None:
                time.sleep(max(0.0, began + patience_s - time.monotonic()))
            self._look()

    def _take(self) -> bool:
        """Take in what is watched from now on; return whether there is more to come."""
        while True:
            try:
                data = self._channel.recv(_WORD_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            if not data:
                return False
            watch = Watch.decode(data)
            if watch.memory_bytes or watch.processes:
                self._loads[watch.pid] = _Load(watch)
            else:
                self._loads.pop(watch.pid, None)

    def _look(self) -> None:
        hidden = hidden_bytes()
        for load in list(self._loads.values()):
            began = time.monotonic()
            if began >= load.due:
                word = self._judge(load, hidden, began)
                if word:
                    self._channel.send(f"{word} {load.watch.pid}".encode())
                ended = time.monotonic()
                load.due = ended + REST * (ended - began)

    def _judge(self, load: _Load, hidden: int, now: float) -> str:
        _, memory_bytes, processes = load.watch
        pids = tree(load.watch.pid, self._loads, processes or 1 << 30)
        if not processes or len(pids) < processes:
            load.full_since = 0.0
        elif not load.full_since:
            load.full_since = now
        elif now - load.full_since >= FULL_S:
            return "pids"
        return "oom" if memory_bytes and is_over(pids, memory_bytes, hidden) else ""


def tree(pid: int, apart: Container[int], most: int) -> list[int]:
    """Return the process and what is below it, but for what is looked at apart; about `most` when there are more."""
    found = [pid]
    for each in found:
        if len(found) >= most:
            break
        found.extend(child for child in children_of(each) if child not in apart)
    return found


def is_over(pids: list[int], most_bytes: int, hidden: int) -> bool:
    """Whether the processes together hold more than `most_bytes`.

    `hidden` is what the machine holds that no process's resident size shows. Asking for exact figures costs the kernel
    a walk over all pages, so it is done only where a cheap upper bound does not settle the matter.
    """
    resident = sum(map(resident_bytes, pids))
    if resident + hidden <= most_bytes:
        return False
    files: dict[tuple[int, int], int] = {}
    for pid in pids:
        files |= memory_files(pid)
    in_files = sum(files.values())
    if in_files > most_bytes:
        return True
    private = shared = 0
    for pid in pids:
        own, common = shares(pid)
        private, shared = private + own, shared + common
        if private + max(shared, in_files) > most_bytes:
            return True
    return False


def hidden_bytes() -> int:
    """Return how much this machine has in shared memory and files of it, and in swap."""
    found = {b"Shmem:": 0, b"SwapTotal:": 0, b"SwapFree:": 0}
    with open("/proc/meminfo", "rb") as file:
        for line in file:
            name, size, *_ = line.split()
            if name in found:
                found[name] = int(size) * 1024
    return found[b"Shmem:"] + found[b"SwapTotal:"] - found[b"SwapFree:"]


def resident_bytes(pid: int) -> int:
    """Return the process's resident size, whatever it shares with others; 0 when it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
        return int(file.read(256).split()[1]) * _PAGE_BYTES
    return 0


def memory_files(pid: int) -> dict[tuple[int, int], int]:
    """Return the sizes of the memory files that the process has open, by device and inode."""
    found: dict[tuple[int, int], int] = {}
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{fd}"
            with contextlib.suppress(OSError):
                if os.readlink(path).startswith("/memfd:"):
                    status = os.stat(path)
                    found[status.st_dev, status.st_ino] = status.st_blocks * 512
    return found


def shares(pid: int) -> tuple[int, int]:
    """Return the process's share of private memory, swapped or not, and of shared memory; files are left out.

    A process that does not let itself be looked into counts in full.
    """
    found: dict[bytes, int] = {}
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                name, size, *_ = line.split()
                found[name] = int(size) * 1024 if size.isdigit() else 0
    except PermissionError:
        return resident_bytes(pid), 0
    except OSError:
        return 0, 0
    swapped = found.get(b"SwapPss:", 0)
    if b"Pss_Anon:" not in found:  # before Linux 5.4
        return found.get(b"Pss:", 0) + swapped, 0
    return found[b"Pss_Anon:"] + swapped, found.get(b"Pss_Shmem:", 0)
