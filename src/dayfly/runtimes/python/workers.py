"""Processes in empty jails: jails built ahead, that wait to be told whose template they are.

Making namespaces and a root takes milliseconds that no call should wait for, and needs nothing of the function. A few
workers wait ready; each is a fork of the zygote that has built its jail and run nothing else. It still sees the old
root, so that it can bind the function's code into the new one when its order comes, and only then gives up its rights.
One that is taken is replaced once the zygote has been idle for a moment.

A function with `network: host` gets no network of its own, so its jail is built when it is needed.
"""

import glob
import logging
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from dayfly.runtimes.jail import births
from dayfly.runtimes.jail.layers import Layers
from dayfly.runtimes.python import family, processes, secret_files
from dayfly.runtimes.python.confine import Jail, close_all_but
from dayfly.runtimes.python.reactor import Reactor

_log = logging.getLogger("dayfly.runtimes.zygote")

_MAX_FDS = 8
"""The order, and the doors of two cells in up to three trees."""
REST_S = 0.1
"""How long nothing must have been taken before a worker is made ahead."""

Body = Callable[[socket.socket, Jail], None]
"""What a worker does with its channel once its jail is built, or cannot be; never returns."""


class Birth(NamedTuple):
    """What makes a worker a template."""

    order: int
    """The descriptor of the start order."""
    solo: bool
    """Whether it is to be the only replica itself."""
    doors: tuple[int, ...]
    """Those of its own cell."""
    stock: tuple[int, ...]
    """Those of the cell for its first spare."""


def receive_birth(channel: socket.socket) -> Birth | None:
    """Wait for what `Worker.give` sends over the other end; return None when that is closed."""
    word, fds, _flags, _address = socket.recv_fds(channel, 16, _MAX_FDS, socket.MSG_CMSG_CLOEXEC)
    if not fds:
        return None
    solo, doors = map(int, word.split())
    return Birth(fds[0], bool(solo), tuple(fds[1 : 1 + doors]), tuple(fds[1 + doors :]))


class Worker:
    """One process in its jail and our end of its channel."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.channel = channel

    def give(self, birth: Birth) -> None:
        """Make it the template of the function that the order is for. Raises OSError when it is gone."""
        word = f"{int(birth.solo)} {len(birth.doors)}".encode()
        socket.send_fds(self.channel, [word], [birth.order, *birth.doors, *birth.stock])


class Workers:
    """The waiting workers, `ahead` of them at rest."""

    def __init__(self, reactor: Reactor, layers: Layers, root: str, scratch: str, body: Body, *, ahead: int) -> None:
        self._reactor = reactor
        self._layers = layers
        self._root = root
        self._scratch = scratch
        self._body = body
        self._ahead = ahead if layers.namespaces else 0
        self._waiting: list[Worker] = []
        self._taken_at = 0.0
        self._refilling = False
        self.processes: set[int] = set()
        """Every process made here; the one who waits for its end takes it out."""
        if self._ahead:
            self._refill_in(0.0)

    def take(self, birth: Birth, *, own_net: bool) -> Worker:
        """Return a worker that was given the order and its cells. Raises OSError when none can be made."""
        self._taken_at = time.monotonic()
        self._refill_in(REST_S)
        while own_net and self._waiting:
            worker = self._waiting.pop(0)
            try:
                worker.give(birth)
            except OSError as error:  # somebody killed it
                self._bury(worker, error)
            else:
                return worker
        worker = self._make(own_net=own_net)
        worker.give(birth)
        return worker

    def give_up(self, worker: Worker) -> None:
        """End a worker that was taken and is not wanted."""
        worker.channel.close()
        os.kill(worker.pid, signal.SIGKILL)
        os.waitpid(worker.pid, 0)
        self.ended(worker.pid)

    def ended(self, pid: int) -> None:
        """A worker's process was waited for; end what it left behind and remove what only it could use."""
        self.processes.discard(pid)
        processes.end_strangers(self.processes)
        if not self._layers.namespaces:
            for left in glob.glob(f"{self._scratch}/{pid}-*"):
                shutil.rmtree(left, ignore_errors=True)
            secret_files.clear(self._scratch, pid)

    def close(self) -> None:
        """End every process, and remove their files."""
        self._ahead = 0
        for pid in self.processes:
            processes.kill_below(pid)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self.processes.clear()
        secret_files.clear(self._scratch)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _make(self, *, own_net: bool) -> Worker:
        near, far = family.channel_pair()

        def body() -> None:
            close_all_but((0, 1, 2, far.fileno()))
            self._body(far, Jail(self._layers, self._root, self._scratch, own_net=own_net))

        try:
            apart = self._layers.namespaces
            pid = births.born_apart(body, new_user=not self._layers.root) if apart else _fork(body)
        except OSError:
            near.close()
            raise
        finally:
            far.close()
        self.processes.add(pid)
        return Worker(pid, near)

    def _refill_in(self, delay_s: float) -> None:
        if self._ahead and not self._refilling:
            self._refilling = True
            self._reactor.call_later(delay_s, self._refill)

    def _refill(self) -> None:
        self._refilling = False
        if len(self._waiting) >= self._ahead:
            return
        rested_s = time.monotonic() - self._taken_at
        if rested_s >= REST_S:
            try:
                self._waiting.append(self._make(own_net=True))
            except OSError as error:
                _log.warning("no jail could be built ahead: %s", error)
                return
        self._refill_in(max(0.001, REST_S - rested_s))

    def _bury(self, worker: Worker, error: OSError) -> None:
        _log.warning("process %d, which waited in its jail, is gone: %s", worker.pid, error)
        worker.channel.close()
        self.processes.discard(worker.pid)
        os.waitpid(worker.pid, 0)


def _fork(body: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            body()
        finally:
            os._exit(70)
    return pid
