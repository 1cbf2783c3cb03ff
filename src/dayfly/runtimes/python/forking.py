"""What a template does after its import: fork when told, and tell how its children ended."""

import contextlib
import functools
import os
import select
import signal
import socket
from collections.abc import Callable, Sequence

from dayfly.runtimes.python import family, processes, scratch
from dayfly.runtimes.python.confine import close_all_but, die_with_parent
from dayfly.runtimes.python.refusing import MAX_CHARACTERS, refuse
from dayfly.runtimes.python.replica import LOADED, Berth, Brood, receive


class Forking:
    """A template's loop.

    When nothing is asked of it, it forks one spare: a replica that has made its event loop and waits to be told who it
    is. Most of what a fork costs is copying pages when they are first touched, and the spare has done so before the
    call that needs it comes.
    """

    def __init__(
        self,
        channel: socket.socket,
        brood: Brood,
        stock: tuple[int, ...],
        *,
        tmp: str,
        spares: bool,
    ) -> None:
        self._channel = channel
        self._brood = brood
        self._stock = stock
        """The doors of the cell for the next spare. The spare that takes a berth leaves it the berth's."""
        self._spares = spares
        self._names: dict[int, str] = {}
        """Children of ours by pid: a replica's name, or nothing for the spare."""
        self._pidfds: dict[int, int] = {}
        self._spare: tuple[int, socket.socket] | None = None
        self._lines: dict[int, socket.socket] = {}
        """Our ends of the lines to replicas that were spares. To close one with a word in it that nobody read would
        take from the replica what it has not read yet."""
        self._spare_doors: tuple[int, ...] = ()
        """Those of the spare's cell, for another in its place."""
        self._tmp = tmp
        self._helpers = set(processes.children_of(os.getpid()))
        self._poll = select.poll()

    def serve(self, first: Berth) -> int:
        """Make a replica for each berth that comes, until the zygote is gone."""
        self._poll.register(self._channel.fileno(), select.POLLIN)
        berth: Berth | None = first
        if self._brood.proves_itself:
            if not self._prove(first):
                return 0
            berth = self._wait()
        else:
            self._channel.send(family.TEMPLATE_IMPORTED)
        while berth is not None:
            if not self._give_to_spare(berth):
                keep = (*berth.fds, *berth.doors)
                self._fork(functools.partial(self._brood.live, berth), berth.name, keep)
                _close(berth.doors)
            _close(berth.fds)
            berth = self._wait()
        return 0

    def _prove(self, first: Berth) -> bool:
        """Make the first replica, and return whether it could load the handler; if not, why was told."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        body = functools.partial(self._brood.live_first, first, theirs)
        pid = self._fork(body, first.name, [theirs.fileno(), *first.fds, *first.doors])
        theirs.close()
        _close(first.doors)
        with ours:
            said = ours.recv(MAX_CHARACTERS * 4)
        if said == LOADED:
            self._channel.send(family.TEMPLATE_IMPORTED)
            _close(first.fds)
            return True
        if pid > 0 and not said:
            _, status = os.waitpid(pid, 0)
            said = f"{processes.describe_status(status)} while the handler was being loaded".encode()
        if pid > 0:
            refuse(self._channel, first, family.TEMPLATE_FAILED, said.decode("utf-8", "replace").split("\n"))
        return False

    def _wait(self) -> Berth | None:
        while True:
            waits = self._spare is None and self._spares
            ready = self._poll.poll(self._brood.spare_after_s * 1000 if waits else None)
            if not ready:
                self._make_spare()
            for fd, _events in ready:
                if fd == self._channel.fileno():
                    return receive(self._channel)
                if self._spare is not None and fd == self._spare[1].fileno():
                    self._spare_speaks(self._spare[1])
                else:
                    self._reap()

    def _make_spare(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        doors, self._stock = self._stock, ()
        pid = self._fork(functools.partial(self._brood.live_spare, theirs, doors), "", [theirs.fileno(), *doors])
        theirs.close()
        self._spare_doors = doors
        self._spare = (pid, ours)
        self._poll.register(ours.fileno(), select.POLLIN)

    def _spare_speaks(self, line: socket.socket) -> None:
        """Hear that the spare is complete, so that it is weighed, or that it has ended."""
        if line.recv(16) == LOADED:
            self._channel.send(family.TEMPLATE_IMPORTED)
        else:
            self._poll.unregister(line.fileno())

    def _give_to_spare(self, berth: Berth) -> bool:
        if self._spare is None:
            return False
        pid, line = self._let_go_of_spare()
        alive = pid in self._names  # else it could not be made, or has died
        try:
            if alive:
                socket.send_fds(line, [berth.name.encode()], berth.fds)
        except OSError:
            alive = False
        _close(self._spare_doors)
        if not alive:  # its cell is lost, and the next would die as it did
            self._spares = self._spares and not berth.doors
            line.close()
            return False
        self._stock = berth.doors
        self._names[pid] = berth.name
        self._lines[pid] = line
        return True

    def _let_go_of_spare(self) -> tuple[int, socket.socket]:
        assert self._spare is not None
        pid, line = self._spare
        self._spare = None
        with contextlib.suppress(KeyError):  # it has ended, and is not heard any more
            self._poll.unregister(line.fileno())
        return pid, line

    def _replace_spare(self) -> None:
        """End the spare, and have another made in its cell."""
        if self._spare is not None and self._spare[0] in self._names:
            pid, line = self._let_go_of_spare()
            line.close()
            processes.kill_below(pid)
            os.kill(pid, signal.SIGKILL)
            self._stock = self._spare_doors

    def _fork(self, body: Callable[[], int], name: str, keep: Sequence[int]) -> int:
        """Return the child's pid, -1 when none could be made, of which the zygote is told."""
        template = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            if name:
                self._channel.send(f"{name} {family.NOT_FORKED}".encode())
            return -1
        if pid == 0:
            die_with_parent()
            if os.getppid() == template:
                close_all_but((0, 1, 2, *keep))
                os._exit(body())
            os._exit(70)
        self._names[pid] = name
        self._pidfds[pid] = os.pidfd_open(pid)
        self._poll.register(self._pidfds[pid], select.POLLIN)
        return pid

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self._names.pop(pid, None)
            if name is not None:
                pidfd = self._pidfds.pop(pid)
                self._poll.unregister(pidfd)
                os.close(pidfd)
                self._sweep()
                family.tell_status(self._channel, name, status)
                if pid in self._lines:
                    self._lines.pop(pid).close()
                if (
                    self._tmp
                    and not any(self._names.values())
                    and scratch.clear(self._tmp)
                    and self._brood.proves_itself
                ):
                    self._replace_spare()  # the handler it has loaded may have written there

    def _sweep(self) -> None:
        """End what a dead replica left running: its orphans came to us, for living replicas adopt their own."""
        known = {*self._names, *self._helpers}
        while strangers := [pid for pid in processes.children_of(os.getpid()) if pid not in known]:
            for pid in strangers:
                processes.kill_below(pid)
                os.kill(pid, signal.SIGKILL)
            for pid in strangers:  # their own children come to us as they end
                os.waitpid(pid, 0)


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
