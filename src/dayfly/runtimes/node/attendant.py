"""The process beside a Node host, which stands for it to the platform: a replica is the two of them.

Node cannot be forked once it runs, and cannot be handed descriptors but over a channel of its own kind. So each host
has this small fork of its function's template beside it. It starts the host, waits until that has loaded the handler,
and hands it the replica's listening socket once there is a berth. From then on gateways talk to the host directly, and
this process only looks after it: what is written past the host's own log, the drain, calls that never end, and the end.
It ends as the host ended, so that the zygote sees why.
"""

import functools
import os
import select
import signal
import socket
import time
from collections.abc import Callable

from dayfly.model.replica import StartOrder
from dayfly.runtimes.lines import Lines
from dayfly.runtimes.node.channel import HostChannel
from dayfly.runtimes.node.held_log import HeldLog
from dayfly.runtimes.node.spawning import spawn, wake_on_child
from dayfly.runtimes.python import family, output, processes, replica, syscalls
from dayfly.runtimes.python.deadline import BEAT_S, GRACE_S, OVERDUE
from dayfly.runtimes.python.endings import HEAP_FULL
from dayfly.runtimes.python.replica import Berth

_HEAP_FULL_WORDS = "JavaScript heap out of memory"
_PIECE_BYTES = 65_536
_REHEARSAL = b"POST / HTTP/1.1\r\nhost: dayfly\r\nx-call-id: rehearsal\r\ncontent-length: 1\r\n\r\n1"
_LAST_PIECES = 32
"""As much as a pipe holds at most."""

Told = Callable[[list[str]], None]


class Attendant:
    """Starts one host and stays with it.

    `told` is called once when the host has loaded the handler, without lines, or with those that say why it has not;
    where it is given, the zygote is told nothing before. On `line` a berth comes for one who has none yet.
    """

    def __init__(
        self,
        order: StartOrder,
        *,
        berth: Berth | None = None,
        line: socket.socket | None = None,
        told: Told | None = None,
    ) -> None:
        self._order = order
        self._berth: Berth | None = None
        self._line = line
        self._told = told
        self._log = HeldLog()
        self._poll = select.poll()
        self._hears: dict[int, Callable[[], object]] = {}
        self._outputs: dict[int, Lines] = {}
        self._channel: socket.socket | None = None
        self._host = 0
        self._loaded = False
        self._draining = False
        self._until = float("inf")
        """When the host's event loop must have been heard of again."""
        self._heap_full = False
        self._code: int | None = None
        self._wake = wake_on_child()
        self._hear(self._wake, self._child_changed)
        if berth is not None:
            self._take(berth)
        elif line is not None:
            self._hear(line.fileno(), self._berth_comes)

    def serve(self) -> int:
        """Stay until the host has ended; return the exit code, or end by the signal that ended the host."""
        if self._code is None:
            self._start()
        while self._code is None:
            wait_s = max(0.0, self._until - time.monotonic())
            for fd, _events in self._poll.poll(None if wait_s == float("inf") else wait_s * 1000 + 1):
                if fd in self._hears and self._code is None:
                    self._hears[fd]()
            if time.monotonic() > self._until and self._code is None:
                self._log.line("p", "", "limit: a call held the event loop beyond its timeout; its replica is ended")
                self._die(OVERDUE)
        return self._code

    def _start(self) -> None:
        """Start the host, and read what it says and writes."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(2)]
        for _reader, writer in pipes:
            os.fchmod(writer, 0o666)  # so that the function may open /dev/stdout
        self._host = spawn(self._order, theirs.fileno(), [writer for _reader, writer in pipes])
        theirs.close()
        for (reader, writer), stream in zip(pipes, "oe", strict=True):
            os.close(writer)
            os.set_blocking(reader, False)
            self._outputs[reader] = Lines(self._log, stream)
            self._hear(reader, functools.partial(self._written, reader))
        self._ears = HostChannel(ours)
        self._hear(self._ears.fileno(), self._host_speaks)
        if self._berth is not None:
            self._ears.send("LOG", self._berth.log)

    def _hear(self, fd: int, then: Callable[[], object]) -> None:
        self._hears[fd] = then
        self._poll.register(fd, select.POLLIN)

    def _unhear(self, fd: int) -> None:
        if self._hears.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def _berth_comes(self) -> None:
        assert self._line is not None
        self._unhear(self._line.fileno())
        berth = replica.receive(self._line)
        if berth is None:  # the template is gone
            self._end(0)
        elif self._take(berth):
            self._ears.send("LOG", berth.log)
            if self._loaded:
                self._ready(berth)

    def _take(self, berth: Berth) -> bool:
        """Become the replica; return whether it is still wanted."""
        self._berth = berth
        self._channel = socket.socket(fileno=berth.channel)
        if not (self._told or self._loaded or self._say(family.REPLICA_HELLO)):
            return False
        if os.getpid() != os.getsid(0):
            os.setsid()
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        for fd in (1, 2):
            os.dup2(berth.log, fd)
        self._log.open(berth.log)
        self._channel.setblocking(False)
        self._hear(self._channel.fileno(), self._zygote_speaks)
        return True

    def _say(self, word: bytes) -> bool:
        """Tell the zygote; return whether it listens. When it does not, the start was called off, and we end."""
        assert self._channel is not None
        try:
            self._channel.send(word)
        except OSError:
            self._end(0)
            return False
        return True

    def _ready(self, berth: Berth) -> None:
        # The socket listens already, so that calls may be sent while the host is being handed it.
        if self._say(family.REPLICA_READY):
            self._ears.send("SERVE", berth.listener, name=berth.name)
            os.close(berth.listener)

    def _rehearse(self) -> None:
        """Have the host answer one request of ours while nobody waits: the first costs it several times the next."""
        ours, theirs = socket.socketpair()
        self._ears.send("REHEARSE", theirs.fileno())
        theirs.close()
        ours.send(_REHEARSAL)

        def answered() -> None:
            assert self._line is not None
            self._unhear(ours.fileno())
            ours.close()
            self._line.send(replica.LOADED)

        self._hear(ours.fileno(), answered)

    def _host_speaks(self) -> None:
        try:
            for word, lines in self._ears.receive():
                self._heard(word, lines)
        except EOFError:  # it is ending, which its parent is told otherwise
            self._unhear(self._ears.fileno())

    def _heard(self, word: str, lines: list[str]) -> None:
        match word:
            case "loaded" if not self._loaded:
                self._loaded = True
                if self._told:
                    self._told([])
                if self._berth is not None:
                    self._ready(self._berth)
                else:
                    self._rehearse()
            case "failed" if not self._loaded:
                self._fail(lines)
            case "runs":
                self._until = time.monotonic() + self._order.timeout_s + BEAT_S + GRACE_S
            case "rests":
                self._until = float("inf")
            case "overdue":
                self._die(OVERDUE)

    def _fail(self, lines: list[str]) -> None:
        """Tell why the handler could not be loaded, and end."""
        self._drain_outputs()
        if self._told:
            self._told(lines)
        elif self._berth is not None:
            self._log.line("x", "", output.failure_text(lines))
            self._say(family.REPLICA_FAILED)
        self._end(1)

    def _zygote_speaks(self) -> None:
        assert self._channel is not None
        try:
            said = self._channel.recv(64)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:  # the zygote is gone or has given us up
            self._end(0)
        elif not self._draining:
            self._draining = True
            self._ears.send("DRAIN")

    def _written(self, fd: int) -> bool:
        """Take what was written past the host's own log; return whether there may be more."""
        try:
            data = os.read(fd, _PIECE_BYTES)
        except BlockingIOError:
            return False
        lines = self._outputs[fd]
        for text in lines.take(data) if data else lines.end():
            self._heap_full = self._heap_full or _HEAP_FULL_WORDS in text
        if not data:
            self._unhear(fd)
        return bool(data)

    def _drain_outputs(self) -> None:
        """Take all that was written; a process that the host left may hold the pipes open, and writes on in vain."""
        for fd in [fd for fd in self._outputs if fd in self._hears]:
            for _ in range(_LAST_PIECES):
                if not self._written(fd):
                    break
            if fd in self._hears:
                self._outputs[fd].end()

    def _child_changed(self) -> None:
        """See what became of the host; reap what it left to this process."""
        os.read(self._wake, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._host and os.WIFSTOPPED(status):  # the zygote looks whether this process is stopped
                os.kill(os.getpid(), signal.SIGSTOP)
            elif pid == self._host:
                self._host_ended(status)
                return

    def _host_ended(self, status: int) -> None:
        self._host = 0
        self._host_speaks()
        self._drain_outputs()
        if self._code is not None:
            return
        if not self._loaded:
            self._fail([f"{processes.describe_status(status)} while loading the handler"])
        elif os.WIFEXITED(status):
            self._end(os.WEXITSTATUS(status))
        else:
            self._die(HEAP_FULL if self._heap_full else os.WTERMSIG(status))

    def _end(self, code: int) -> None:
        self._code = code
        self._end_host()

    def _die(self, number: int) -> None:
        """End by the signal, as the host did or should have."""
        self._end_host()
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        self._code = 128 + number  # it was one that does not end a process

    def _end_host(self) -> None:
        if self._host:
            os.kill(self._host, signal.SIGKILL)
            self._host = 0
