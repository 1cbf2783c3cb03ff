"""The life of one replica's process: take a berth, become oneself, serve.

A replica is forked for a berth, or forked ahead of need as a spare that is given its berth later.
"""

import asyncio
import os
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple, Protocol

import uvloop

from dayfly.model.replica import StartOrder
from dayfly.runtimes.python import family, syscalls
from dayfly.runtimes.python.cells import enter
from dayfly.runtimes.python.confine import Confined
from dayfly.runtimes.python.handler import Handler
from dayfly.runtimes.python.host import Host

MAX_FDS = 8
SPARE_AFTER_S = 0.05
LOADED = b"loaded"
"""To the template, from a process that it forked: the handler is loaded."""


class Berth(NamedTuple):
    """What one replica is made from: its name, its listening socket, its log and its channel to the zygote.

    `doors` lead into a cell, for a replica that is not in one yet.
    """

    name: str
    listener: int
    log: int
    channel: int
    doors: tuple[int, ...] = ()

    @property
    def fds(self) -> tuple[int, ...]:
        """What of it the replica's process holds from the start."""
        return self.listener, self.log, self.channel


class Resident(Protocol):
    """A replica that is no fork of its template: its process takes the template's place, in a jail of its own."""

    def live(self, berth: Berth, confined: Confined, report: Callable[[int], None]) -> int:
        """Serve in `berth` until drained; return the exit code.

        `report` tells the zygote the wait status of the program that did the serving, when that is why it ends.
        """


class Brood(ABC):
    """What makes the replicas of one template, each in a process of its own that was forked for it."""

    spare_after_s: float
    """How long nothing must be asked of the template before it forks its spare, in seconds."""
    proves_itself: bool
    """Whether only the first replica shows that the handler can be loaded."""

    @abstractmethod
    def live_first(self, berth: Berth, line: socket.socket) -> int:
        """As `live`, and say on `line` whether the handler could be loaded: LOADED, or the reason as text."""

    @abstractmethod
    def live(self, berth: Berth) -> int:
        """Serve in `berth` until drained; return the exit code."""

    @abstractmethod
    def live_spare(self, line: socket.socket, doors: tuple[int, ...]) -> int:
        """Make everything ready in the cell behind `doors`, wait for a berth on `line`, and serve in it."""


class Forks(Brood):
    """Replicas of a template that has imported the handler: each is a copy of it."""

    spare_after_s = SPARE_AFTER_S
    proves_itself = False

    def __init__(self, handler: Handler, order: StartOrder) -> None:
        self._handler = handler
        self._order = order

    def live_first(self, berth: Berth, line: socket.socket) -> int:
        """Serve: the import was the proof."""
        line.send(LOADED)
        return self.live(berth)

    def live(self, berth: Berth) -> int:
        """Serve in `berth` until drained; return the exit code."""
        return live(self._handler, self._order, berth)

    def live_spare(self, line: socket.socket, doors: tuple[int, ...]) -> int:
        """Make everything ready, wait for a berth on `line`, and serve in it; return the exit code."""
        return live_spare(self._handler, self._order, line, doors)


Prepare = Callable[[StartOrder], Handler | Resident | Brood]
"""How a runtime makes ready to serve, once and before any replica is forked. Raises HandlerUnfit."""


def receive(channel: socket.socket) -> Berth | None:
    """Return the next berth that comes over `channel`, None when the other side is gone. Raises BlockingIOError."""
    data, fds, _flags, _address = socket.recv_fds(channel, 256, MAX_FDS, socket.MSG_CMSG_CLOEXEC)
    if len(fds) < 3:
        return None
    return Berth(data.decode("ascii"), fds[0], fds[1], fds[2], tuple(fds[3:]))


def live(handler: Handler, order: StartOrder, berth: Berth) -> int:
    """Serve in `berth` until drained; return the exit code."""
    enter(berth.doors)
    channel = announce(_first_word(handler), berth)
    if channel is None:
        return 0
    settle(berth)
    loop = new_loop()
    return loop.run_until_complete(_serve(Host(loop, handler, order), berth, channel))


def live_spare(handler: Handler, order: StartOrder, line: socket.socket, doors: tuple[int, ...]) -> int:
    """Make everything ready, wait for a berth on `line`, and serve in it; return the exit code."""
    enter(doors)
    loop = new_loop()
    return loop.run_until_complete(_wait_and_serve(Host(loop, handler, order), handler, line))


async def _wait_and_serve(host: Host, handler: Handler, line: socket.socket) -> int:
    loop = asyncio.get_running_loop()
    called = asyncio.Event()
    await host.rehearse()
    line.setblocking(False)
    loop.add_reader(line.fileno(), called.set)
    await called.wait()
    loop.remove_reader(line.fileno())
    with line:
        berth = receive(line)
    channel = announce(_first_word(handler), berth) if berth is not None else None
    if berth is None or channel is None:
        return 0
    settle(berth)
    return await _serve(host, berth, channel)


async def _serve(host: Host, berth: Berth, channel: socket.socket) -> int:
    host.deadline.start()
    with socket.socket(fileno=berth.listener) as listener, channel:
        return await host.serve(berth.name, listener, channel)


def _first_word(handler: Handler) -> bytes:
    # The socket listens already, so calls may be sent while the loop is being made; only an application that still has
    # to start up must be waited for.
    return family.REPLICA_HELLO if handler.application is not None else family.REPLICA_READY


def announce(word: bytes, berth: Berth) -> socket.socket | None:
    """Tell the zygote that this process has the berth; None when the start was called off meanwhile."""
    channel = socket.socket(fileno=berth.channel)
    try:
        channel.send(word)
    except OSError:
        return None
    return channel


def settle(berth: Berth) -> None:
    """Take what is this replica's own: session, orphans, log, name and numpy's random numbers.

    CPython sees to `random` itself at every fork.
    """
    if os.getpid() != os.getsid(0):
        os.setsid()
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    for fd in (1, 2):
        os.dup2(berth.log, fd)
    os.close(berth.log)
    os.environ["DAYFLY_REPLICA"] = os.environ["HOSTNAME"] = berth.name
    numpy_random = sys.modules.get("numpy.random")
    seed: Callable[[], None] | None = getattr(numpy_random, "seed", None)
    if seed is not None:
        seed()


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop, the current one from now on."""
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop
