"""The supervisor's crew: the processes it keeps running, and those that finish their work and go.

A member that dies is started again. One that says it is leaving, or that an earlier life of the supervisor started, is
among the `leaving`: it works on until it has nothing left to do, beside the member that has taken its place.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping

from dayfly.runtimes.log_event import NATS
from dayfly.runtimes.scribe import Scribe
from dayfly.server.plan import Child, Handed
from dayfly.server.process import Process
from dayfly.server.traces import say

END = signal.SIGUSR1
"""Says that the platform ends: be done within the time for draining. SIGTERM says only that another takes over."""
CONTROL = 1
"""The stage of the control plane: of all processes that are started anew, the one that a generation matters to."""
ZYGOTES = 2
"""The stage of the zygotes."""


class Crew:
    """All processes of an installation."""

    def __init__(self, sockets: Mapping[str, int], generation: int, scribe: Scribe) -> None:
        self.members: list[Process] = []
        self.leaving: list[Process] = []
        self.generation = generation
        """The newest generation of zygotes: the one that replicas are started from."""
        self._sockets = sockets
        self._scribe = scribe

    def hire(self, child: Child) -> Process:
        """Start a process and keep it running from now on."""
        if child.stage == ZYGOTES:
            self.generation += 1
        process = Process(child, self._sockets, self.generation)
        self.members.append(process)
        self.start(process)
        return process

    def start(self, process: Process) -> None:
        """Start a member, which does not run, once more."""
        if process.child.stage != ZYGOTES:
            process.generation = self.generation
        taken = {each.slot for each in self._all() if each.pid and each.child.name == process.child.name}
        process.slot = next(slot for slot in range(len(taken) + 1) if slot not in taken)
        writer = -1
        try:
            process.log, writer = self._scribe.listen(logged_as(process.child.name))
            process.start(writer)
        except OSError as error:
            process.ended()
            say(f"{process.child.name} cannot be started: {error}")
        finally:
            if writer >= 0:
                os.close(writer)

    def succeed(self, process: Process) -> Process:
        """Let a member go, which has work to finish, and start another in its place; return that."""
        self.members.remove(process)
        self.leaving.append(process)
        return self.hire(process.child)

    def take_over(self, handed: list[Handed]) -> None:
        """Take in what an earlier life of the supervisor started."""
        for each in handed:
            process = Process.handed_on(each)
            if each.log_fd >= 0:
                process.log = self._scribe.adopt(logged_as(each.name), each.log_fd)
            self.leaving.append(process)

    def hand_on(self) -> list[Handed]:
        """Return what the next life of the supervisor has to know of the processes that run."""
        handed = []
        for each in self._all():
            if each.pid:
                child, log_fd = each.child, each.log.fd if each.log else -1
                handed.append(Handed(child.name, each.pid, each.slot, child.stage, child.stop_s, child.ends_by, log_fd))
        return handed

    def stage(self, number: int) -> list[Process]:
        """Return the processes that end in this stage of a stop."""
        return [each for each in self._all() if each.child.stage == number]

    def stages(self) -> list[int]:
        """Return the stages of a stop in their order."""
        return sorted({each.child.stage for each in self._all()})

    def start_due(self) -> None:
        """Start again the members that died, once their wait is over."""
        for process in self.members:
            if process.pid is None and time.monotonic() >= process.restart_at:
                self.start(process)

    def patience_ms(self) -> int | None:
        """Return how long until the next start is due; None for never."""
        due = [process.restart_at for process in self.members if process.pid is None]
        return max(0, int((min(due) - time.monotonic()) * 1000) + 1) if due else None

    def reap(self) -> Iterator[tuple[Process, int]]:
        """Yield the processes that have ended, each with its exit code, negative for a signal."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for process in self._all():
                if process.pid == pid:
                    if process.log is not None:
                        self._scribe.flush(process.log)
                    yield process, os.waitstatus_to_exitcode(status)

    def _all(self) -> list[Process]:
        return [*self.members, *self.leaving]


def logged_as(name: str) -> str:
    """Return the name that a process has in the log."""
    return NATS if name == "nats" else name
