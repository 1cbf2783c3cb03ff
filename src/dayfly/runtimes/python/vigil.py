"""What a living replica's limits have done, looked up now and then, and the end of those that cannot go on.

A process that the kernel kills for its memory, or refuses for being one too many, need not be the replica itself: the
replica may live on with half of what it needs, and its author should read why. Two states do not pass by themselves,
and are ended here so that a working replica can take the place: its cell is full of processes, which is a fork bomb or
a leak; or its process was stopped by a signal, which nobody sends but itself.
"""

import time
from collections.abc import Callable, Mapping

from dayfly.runtimes.python import processes
from dayfly.runtimes.python.family import Replica
from dayfly.runtimes.python.reactor import Reactor
from dayfly.runtimes.python.wire import ExitReason

LOOK_S = 0.5
LOOK_S_EACH = 0.003
"""With very many replicas we look more seldom, so that looking stays within some hundredths of a processor."""
FULL_S = 1.0
"""For how long a cell may be full."""


class Vigil:
    """Looks after the replicas while there are any."""

    def __init__(
        self,
        reactor: Reactor,
        replicas: Mapping[str, Replica],
        end: Callable[[Replica, ExitReason], None],
        notice: Callable[[str, str], None],
    ) -> None:
        self._reactor = reactor
        self._replicas = replicas
        self._notice = notice
        self._end = end
        self._awake = False

    def wake(self) -> None:
        """Begin to look, when a replica has started."""
        if not self._awake:
            self._awake = True
            self._reactor.call_later(LOOK_S, self._look)

    def _look(self) -> None:
        self._awake = bool(self._replicas)
        if self._awake:
            self._reactor.call_later(max(LOOK_S, LOOK_S_EACH * len(self._replicas)), self._look)
        templates = {replica.template.pid for replica in self._replicas.values()}
        stopped = set(filter(processes.is_stopped, templates))
        for replica in list(self._replicas.values()):
            if replica.pid and replica.verdict is None:
                self._look_after(replica, template_stopped=replica.template.pid in stopped)

    def _look_after(self, replica: Replica, *, template_stopped: bool) -> None:
        self._tell_news(replica)
        cell = replica.cell
        now = time.monotonic()
        if cell is None or not cell.told.get("pids") or not cell.is_full():
            replica.full_since = 0.0
        elif not replica.full_since:
            replica.full_since = now
        elif now - replica.full_since >= FULL_S:
            self._end(replica, "pids")
            return
        if template_stopped or processes.is_stopped(replica.pid):
            if replica.halted:
                self._end(replica, "stuck")
            replica.halted = True
        else:
            replica.halted = False

    def _tell_news(self, replica: Replica) -> None:
        cell = replica.cell
        if cell is None:
            return
        struck = cell.struck()
        if struck == cell.told:
            return
        before, cell.told = cell.told, struck
        if struck.get("oom", 0) > before.get("oom", 0):
            size = cell.limits.memory_bytes >> 20
            self._notice(
                replica.name, f"limit: the kernel ended a process, as the replica used its {size} MiB of memory"
            )
        if struck.get("pids", 0) > before.get("pids", 0):
            most = cell.limits.processes
            self._notice(replica.name, f"limit: no process or thread could be made, as the replica has {most}")
