"""The end of a replica in which a call goes on after its timeout and cannot be ended otherwise.

A coroutine can be cancelled; a thread, a loop in C and an event loop that never comes back cannot. The caller has had
its 504 by then, and what is left only takes the place of others. So, while calls run, a beat on the event loop looks
for those whose caller has gone and whose time is over. The rest of the calls get a moment to finish, then the process
ends itself with a signal that says why.

Should the beat itself not come, because a call holds the loop, the kernel ends the process with the same signal: each
beat winds a timer of the kernel's anew. It is a POSIX timer, of which a process has many, so that a function's own
`alarm` is not touched; it is not inherited by a fork.

The first process of a pid namespace has no default for a signal from within: the kernel drops it. There, and where the
function ignores even this one, the process exits, with the signal's number as its code.
"""

import asyncio
import ctypes
import os
import signal
import time
from typing import TYPE_CHECKING

from dayfly.runtimes.python import output

if TYPE_CHECKING:
    from dayfly.runtimes.python.connection import Connection

OVERDUE = signal.SIGRTMAX - 1
"""Ends a process that does nothing about it, as any real-time signal, and means nothing else to anybody."""
BEAT_S = 0.5
GRACE_S = 0.5
"""How long after its timeout a call is let be: its caller's 504 must have come first, and most ends come by then."""
LAST_S = 0.5
"""How long other calls of the replica may take to finish."""

_CLOCK_MONOTONIC = 1


class _Event(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("number", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_byte * 48),
    )


class _Setting(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_long) for name in ("every_s", "every_ns", "first_s", "first_ns"))


class Deadline:
    """Watches one host's calls, from `wake` until none runs."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_s: float) -> None:
        self.awake = True
        """Whether no call need wake it. So it is until `start`: only a process of the replica's own may be ended."""
        self.abandoned: set[Connection] = set()
        """Connections that are closed while a call of theirs still runs."""
        self.busy: set[Connection] = set()
        self._loop = loop
        self._timeout_s = timeout_s
        self._timer: ctypes.c_void_p | None = None

    def start(self) -> None:
        """Be ready to be woken, and able to end this process."""
        self._timer = _new_timer()
        if os.getpid() == 1:
            _exit_on(OVERDUE)
        self.awake = False

    def wake(self, connections: "set[Connection]") -> None:
        """Begin to watch; called before a call while `awake` is false."""
        self.awake = True
        self.busy = connections
        self._wind(self._timeout_s + BEAT_S + GRACE_S)
        self._loop.call_later(BEAT_S, self._beat)

    def _beat(self) -> None:
        now = time.monotonic()
        # A task that was cancelled before its first step ends without a word to its connection.
        self.abandoned -= {each for each in self.abandoned if each.task is not None and each.task.done()}
        overdue = [each for each in self.abandoned if now > each.began + self._timeout_s + GRACE_S]
        if overdue:
            self._give_up(now - min(each.began for each in overdue), now + LAST_S)
        elif self.abandoned or any(connection.busy for connection in self.busy):
            self._wind(self._timeout_s + BEAT_S + GRACE_S)
            self._loop.call_later(BEAT_S, self._beat)
        else:
            self.awake = False
            self._wind(0.0)

    def _give_up(self, ran_s: float, until: float) -> None:
        if any(connection.busy for connection in self.busy) and time.monotonic() < until:
            self._loop.call_later(0.02, self._give_up, ran_s, until)
            return
        text = f"limit: a call ran for {ran_s:.1f} s, its timeout is {self._timeout_s:g} s; its replica is ended"
        output.LogPipe(1).line("p", "", text)
        os.kill(os.getpid(), OVERDUE)
        os._exit(OVERDUE)

    def _wind(self, seconds: float) -> None:
        """Let the kernel end this process in so many seconds; 0 is never."""
        if self._timer is not None:
            whole = int(seconds)
            setting = _Setting(0, 0, whole, int((seconds - whole) * 1e9))
            _libc.timer_settime(self._timer, 0, ctypes.byref(setting), None)


def _new_timer() -> ctypes.c_void_p | None:
    """Return a timer that sends OVERDUE; None where the C library has none."""
    timer = ctypes.c_void_p()
    event = _Event(None, OVERDUE, 0)
    try:
        made = _libc.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer))
    except AttributeError:  # glibc before 2.34 has it in another library
        made = -1
    return timer if made == 0 else None


def _exit_on(number: int) -> None:
    """Have the C library's own `_exit` handle the signal: it needs no interpreter, which a call may hold for ever."""
    _libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    _libc.signal(number, ctypes.cast(_libc._exit, ctypes.c_void_p))


_libc = ctypes.CDLL(None, use_errno=True)
