"""The zygote's side of the lookout: whom it is to look at, and what is done when it raises the alarm.

Where control groups hold everything, there is none. Elsewhere it is a process beside the functions (`scales`), forked
from the zygote before anything else, and again should it ever die.
"""

import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Collection
from typing import Literal

from dayfly.runtimes.jail import calls
from dayfly.runtimes.python.confine import close_all_but, die_with_parent
from dayfly.runtimes.python.limits import Limits
from dayfly.runtimes.python.reactor import Reactor
from dayfly.runtimes.python.scales import LOOK_S, Scales, Watch

_log = logging.getLogger("dayfly.runtimes.zygote")

NAME = "dayfly-lookout"
AGAIN_S = 1.0
_ALARM_BYTES = 64

Alarm = Literal["oom", "pids"]
"""More memory than it may have; as many processes as it may have, for too long."""
OnAlarm = Callable[[Alarm], None]


class Lookout:
    """Says when a process and all below it have more than their limits.

    `lacking` are the controllers that no control group has; without memory and pids among them it does nothing. `kin`
    holds the zygote's own processes, which it joins.
    """

    def __init__(self, reactor: Reactor, lacking: Collection[str], kin: set[int]) -> None:
        self._reactor = reactor
        self._memory = "memory" in lacking
        self._processes = "pids" in lacking
        self._kin = kin
        self._watches: dict[int, tuple[Watch, OnAlarm]] = {}
        self._unsaid: deque[Watch] = deque()
        self._channel: socket.socket | None = None
        if self._memory or self._processes:
            self._start()

    def watch(self, pid: int, limits: Limits, on_alarm: OnAlarm) -> None:
        """Look at this process from now on, until `forget`; it must not have been waited for."""
        if self._memory or self._processes:
            watch = Watch(pid, limits.memory_bytes * self._memory, limits.processes * self._processes)
            self._watches[pid] = (watch, on_alarm)
            self._say(watch)

    def widen(self, pid: int) -> None:
        """Let the process have twice its limits from now on. It may be unknown."""
        if pid in self._watches:
            (_, memory_bytes, processes), on_alarm = self._watches[pid]
            watch = Watch(pid, 2 * memory_bytes, 2 * processes)
            self._watches[pid] = (watch, on_alarm)
            self._say(watch)

    def forget(self, pid: int) -> None:
        """Look at it no more. Idempotent."""
        if self._watches.pop(pid, None) is not None:
            self._say(Watch(pid, 0, 0))

    def _start(self) -> None:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            _live(far)
        far.close()
        near.setblocking(False)
        self._kin.add(pid)
        self._channel = near
        self._reactor.on_readable(near.fileno(), lambda: self._hear(near, pid))
        self._unsaid.extend(watch for watch, _ in self._watches.values())
        self._flush()

    def _say(self, watch: Watch) -> None:
        self._unsaid.append(watch)
        if len(self._unsaid) == 1:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._unsaid and self._channel is not None:
                self._channel.send(self._unsaid[0].encode())
                self._unsaid.popleft()
        except BlockingIOError:  # it looks at something that takes long
            self._reactor.call_later(LOOK_S, self._flush)
        except OSError:  # it has ended, which is read below
            self._unsaid.clear()

    def _hear(self, channel: socket.socket, pid: int) -> None:
        try:
            data = channel.recv(_ALARM_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._bury(channel, pid)
            return
        word, _, culprit = data.decode().partition(" ")
        known = self._watches.get(int(culprit))
        if known is not None:
            known[1]("pids" if word == "pids" else "oom")

    def _bury(self, channel: socket.socket, pid: int) -> None:
        _log.error("the lookout, process %d, has ended; another is started", pid)
        self._channel = None
        self._unsaid.clear()
        self._reactor.forget(channel.fileno())
        channel.close()
        os.waitpid(pid, 0)
        self._kin.discard(pid)
        self._reactor.call_later(AGAIN_S, self._start)


def _live(channel: socket.socket) -> None:
    """Be the lookout; never returns."""
    try:
        close_all_but((0, 1, 2, channel.fileno()))
        die_with_parent()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        calls.name_process(NAME)
        Scales(channel).run()
    finally:
        os._exit(0)
