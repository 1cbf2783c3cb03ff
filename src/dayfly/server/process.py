"""One supervised process: started with what it needs and no more, and started again with growing patience."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dayfly.runtimes.scribe import Feed
from dayfly.server.plan import Child, Handed

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_EXIT_ORPHANED = 71
MEMORY = "{memory}"
"""Stands for a file without a name, in which a process leaves something to who is started when it dies."""
MAX_REPORT_BYTES = 65_536
"""The longest line that a process says on its pipe."""
_STEADY_S = 10.0
"""A process that ran for this long is not counted as failing over and over."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 30.0

_libc = ctypes.CDLL(None, use_errno=True)


class Process:
    """A child of the supervisor, over all its lives."""

    def __init__(self, child: Child, sockets: Mapping[str, int], generation: int = 0) -> None:
        self.child = child
        self.generation = generation
        """A zygote's own generation; of others the one they were started with."""
        self.slot = 0
        """0, or a higher number while processes of the same name still run."""
        self.pid: int | None = None
        self.ready_fd: int | None = None
        self.restart_at = 0.0
        self.failures = 0
        self.is_ready = False
        self.stands_by = False
        """Whether it has begun, and waits for the one before it to end."""
        self.log: Feed | None = None
        """What it writes to standard output and error."""
        self._sockets = {name: sockets[name] for name in child.sockets}
        self._started_at = 0.0
        self._memory: int | None = None
        self._half = b""
        """What it has begun to say on its pipe."""

    @classmethod
    def handed_on(cls, handed: Handed) -> "Process":
        """Return a process that an earlier life of the supervisor started, and that is not started again."""
        child = Child(
            handed.name, [], [], [], reports=False, stage=handed.stage, stop_s=handed.stop_s, ends_by=handed.ends_by
        )
        process = cls(child, {})
        process.pid, process.slot, process.is_ready = handed.pid, handed.slot, True
        return process

    def start(self, log_fd: int) -> None:
        """Start the process, which writes to that descriptor.

        Its first failure is answered at once, further ones after a wait that doubles.

        Raises OSError when the machine has no room for one.
        """
        name = f"{self.child.name}.{self.slot}" if self.slot else self.child.name
        words = {"name": name, "generation": str(self.generation)}
        words |= {socket: str(fd) for socket, fd in self._sockets.items()}
        inherited, writer = list(self._sockets.values()), None
        if self.child.reports:
            self.ready_fd, writer = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self.ready_fd, False)
            words["ready"] = str(writer)
            inherited.append(writer)
        if MEMORY in self.child.argv:
            self._memory = os.memfd_create(self.child.name) if self._memory is None else self._memory
            words["memory"] = str(self._memory)
            inherited.append(self._memory)
        # A session of its own: Ctrl-C on the terminal reaches the supervisor alone, which then stops all in order.
        try:
            started = subprocess.Popen(
                [_filled_in(part, words) for part in self.child.argv],
                env={name: os.environ[name] for name in self.child.inherits if name in os.environ},
                stdin=subprocess.DEVNULL,
                stdout=log_fd,
                stderr=log_fd,
                pass_fds=inherited,
                start_new_session=True,
                preexec_fn=_before_exec(os.getpid()),
            )
        finally:
            if writer is not None:
                os.close(writer)
        # Its end is seen by the supervisor's one waitpid; Popen must neither wait for it nor warn that it did not.
        self.pid, started.returncode = started.pid, 0
        self._started_at = time.monotonic()
        self.is_ready = not self.child.reports

    def read_reports(self, *, is_gone: bool = False) -> Iterator[dict[str, str]]:
        """Yield the lines the process has said on its pipe; `ended` is in the last when it died without a word.

        Never waits: half a line is read on when more of it is there, and of a process that `is_gone` nothing more
        comes, though what it started may still hold its pipe.

        The pipe is closed unless the process may overlap with its successor: that one says `leaving` one day.
        """
        if self.ready_fd is None:
            return
        try:
            piece = os.read(self.ready_fd, MAX_REPORT_BYTES)
            is_gone = is_gone or not piece
        except BlockingIOError:
            piece = b""
        *lines, self._half = (self._half + piece).split(b"\n")
        if len(self._half) > MAX_REPORT_BYTES:
            yield self._reported({"error": f"the {self.child.name} says no end of a line"})
            return
        for line in lines:
            if self.ready_fd is not None:
                yield self._reported(json.loads(line))
        if is_gone and not lines:
            yield self._reported({"ended": "yes"})

    def _reported(self, report: dict[str, str]) -> dict[str, str]:
        self.stands_by = "standby" in report
        self.is_ready = not report.keys() & {"ended", "error", "leaving", "standby"}
        if not (self.stands_by or (self.is_ready and self.child.overlaps)):
            self.close_pipe()
        return report

    def close_pipe(self) -> None:
        """Listen to the process no more. Idempotent."""
        self._half = b""
        if self.ready_fd is not None:
            os.close(self.ready_fd)
            self.ready_fd = None

    def ended(self) -> None:
        """Note that the process is gone, and when to start it again."""
        self.pid, self.is_ready, self.stands_by = None, False, False
        self.close_pipe()
        steady = time.monotonic() - self._started_at > _STEADY_S
        self.failures = 1 if steady else self.failures + 1
        wait_s = 0.0 if self.failures == 1 else min(_FIRST_WAIT_S * 2 ** (self.failures - 2), _LONGEST_WAIT_S)
        self.restart_at = time.monotonic() + wait_s

    def signal(self, number: signal.Signals) -> None:
        """Send the signal if the process runs."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _filled_in(part: str, words: Mapping[str, str]) -> str:
    if part.startswith("{"):
        return part.format(**words)
    return part.replace("-{generation}.", f"-{words['generation']}.")


def become_subreaper() -> None:
    """Become the parent of every descendant whose own parent dies."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def end_with(parent: str) -> bool:
    """Be told to stop when the thread that started us ends, also over an exec; False when it has ended already.

    `parent` is its process's number; with none we live for as long as we like.
    """
    if not parent:
        return True
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    return os.getppid() == int(parent)


def kill_descendants() -> None:
    """Kill and reap until no descendant is left; as a subreaper's, the children of the killed come to us in turn."""
    children = Path("/proc/thread-self/children")
    while True:
        for pid in children.read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _before_exec(parent: int) -> Callable[[], None]:
    """Return what the child does between fork and exec; safe, as the supervisor has one thread."""

    def die_with_parent() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(_EXIT_ORPHANED)

    return die_with_parent
