"""The process that stands for a program to the platform: starts it, waits until it is ready, relays, ends with it.

What the program prints goes to the log, line by line. When the replica is drained, what is under way goes on until the
gateway has closed the last connection; the program is then told to end (SIGTERM, to all of its process group, so that a
wrapper's child hears it too). Connections that stay for long, such as websockets, get the same shortly before the time
for it is over, and what is left then is killed.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections import deque

from dayfly.model.replica import StartOrder
from dayfly.model.watchdog import HttpSettings
from dayfly.runtimes import commands
from dayfly.runtimes.http.readiness import listening
from dayfly.runtimes.http.relay import Relay
from dayfly.runtimes.lines import Lines
from dayfly.runtimes.python import family, output, processes
from dayfly.runtimes.python.host import LINGER_S

LAST_LINES = 20
"""How many of a program's last lines are told when it did not start."""
FAREWELL_S = 2.0
"""How long before it is killed a program with open connections is told to end, in seconds."""
_PIECE_BYTES = 65_536


class Supervisor:
    """One program and its connections."""

    def __init__(
        self, order: StartOrder, argv: list[str], settings: HttpSettings, port: int, channel: socket.socket
    ) -> None:
        self._order = order
        self._argv = argv
        self._settings = settings
        self._port = port
        self._channel = channel
        self._loop: asyncio.AbstractEventLoop
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._outputs: dict[int, Lines] = {}
        self._program: subprocess.Popen[bytes]
        self._relay: Relay | None = None
        self._draining = False
        self._ended = asyncio.Event()
        self._status = 0

    async def run(self, listener: socket.socket) -> int | None:
        """Serve on `listener` until the program has ended; return its wait status, None when it never ran."""
        self._loop = asyncio.get_running_loop()
        # Not by the loop, which keeps this signal to itself for the sake of processes that it has started.
        signal.signal(signal.SIGCHLD, lambda *_: self._loop.call_soon_threadsafe(self._reap))
        try:
            self._start()
        except OSError as error:
            hint = "; is the interpreter there that its first line names?" if error.errno == 2 else ""
            self._fail(f"{self._argv[0]} could not be started: {error.strerror}{hint}")
            return None
        self._channel.setblocking(False)
        self._loop.add_reader(self._channel.fileno(), self._told)
        address = await self._await_readiness()
        if address:
            self._relay = Relay(address, self._port, self._end_if_idle)
            in_files = listener.family == socket.AF_UNIX  # a pod is reached at an address of its own
            listen = self._loop.create_unix_server if in_files else self._loop.create_server
            server = await listen(self._relay.connection, sock=listener, backlog=1024)
            with contextlib.suppress(BrokenPipeError):  # the zygote is gone, and we with it
                self._channel.send(family.REPLICA_READY)
            await self._ended.wait()
            server.close()
        self._read_rest()
        return self._status

    def _start(self) -> None:
        environ = {**commands.environment(self._order), "PORT": str(self._port)}
        self._program = subprocess.Popen(
            self._argv,
            cwd=self._order.code_dir,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        pipe = output.LogPipe(1)
        for stream, file in (("o", self._program.stdout), ("e", self._program.stderr)):
            assert file is not None
            os.set_blocking(file.fileno(), False)
            self._outputs[file.fileno()] = Lines(pipe, stream)
            self._loop.add_reader(file.fileno(), self._read, file.fileno())

    async def _await_readiness(self) -> str:
        """Return the address that the program listens at; nothing when it does not come to that."""
        ready = self._loop.create_task(listening(self._port, self._settings.ready_path))
        ended = self._loop.create_task(self._ended.wait())
        limit_s = self._settings.start_timeout_s
        await asyncio.wait((ready, ended), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if ready.done() and not self._ended.is_set():
            ended.cancel()
            return ready.result()
        ready.cancel()
        what = (
            f"answered GET {self._settings.ready_path} with 200" if self._settings.ready_path else "taken a connection"
        )
        if not self._ended.is_set():
            pidfd = os.pidfd_open(self._program.pid)
            processes.kill_tree(self._program.pid, pidfd)
            os.close(pidfd)
            await ended
            self._fail(f"the program had not {what} on port {self._port} after {limit_s:g} s (start_timeout)")
        elif not self._draining:
            how = processes.describe_status(self._status).removeprefix("the process ")
            self._fail(f"the program {how} before it had {what} on port {self._port}")
        return ""

    def _fail(self, reason: str) -> None:
        self._read_rest()
        told = [f"{reason}; the last it said:", *self._last] if self._last else [f"{reason}, and said nothing"]
        output.LogPipe(1).line("x", "", output.failure_text(told))
        with contextlib.suppress(BrokenPipeError):
            self._channel.send(family.REPLICA_FAILED)

    def _reap(self) -> None:
        """Wait for what has ended: the program, or orphans of its tree."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._program.pid:
                    self._status = status
                    self._program.returncode = os.waitstatus_to_exitcode(status)
                    self._ended.set()

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, _PIECE_BYTES)
        except BlockingIOError:
            return
        lines = self._outputs[fd]
        self._last.extend(lines.take(data) if data else lines.end())
        if not data:
            self._loop.remove_reader(fd)

    def _read_rest(self) -> None:
        """Read what the program left in its pipes, which something that it started may still hold open."""
        for fd, lines in self._outputs.items():
            self._loop.remove_reader(fd)
            with contextlib.suppress(BlockingIOError):
                while data := os.read(fd, _PIECE_BYTES):
                    self._last.extend(lines.take(data))
            self._last.extend(lines.end())

    def _told(self) -> None:
        try:
            said = self._channel.recv(64)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:  # the zygote is gone or has given us up
            self._loop.remove_reader(self._channel.fileno())
            self._end()
        elif not self._draining:
            self._draining = True
            self._loop.call_later(LINGER_S, self._end_if_idle)
            grace_s = family.grace_of(said)
            self._loop.call_later(max(grace_s - FAREWELL_S, grace_s / 2), self._end)

    def _end_if_idle(self) -> None:
        if self._draining and (self._relay is None or not self._relay.callers):
            self._end()

    def _end(self) -> None:
        self._draining = True
        if not self._ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._program.pid, signal.SIGTERM)
