"""A replica that this process starts, speaks for as a zygote would, and ends; see `once`."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from dayfly.model.errors import FunctionFailed
from dayfly.model.replica import StartOrder
from dayfly.runtimes.python import family, processes, wire
from dayfly.runtimes.python.command import once_argv
from dayfly.runtimes.python.output import parse_line

_END_S = 2.0
"""How long it may take to end once it is told to."""
_KEPT = ("LANG", "LC_ALL", "PATH", "TZ")


class LoneReplica:
    """Started in a `with` block; `path` is the socket that it serves calls on, `log` is told each line it prints.

    Raises FunctionFailed, with the traceback, when it does not start.
    """

    def __init__(self, order: StartOrder, path: str, log: Callable[[str], None]) -> None:
        self.path = path
        self._order = order
        self._log = log
        self._failure = ""
        self._channel, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start it and return once it serves."""
        try:
            self._start()
            self._await()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """End it."""
        self.end()

    def end(self) -> str:
        """Let it end, and see to it that it does, with all that it started; return how it went. Idempotent."""
        self._channel.close()
        self._far.close()
        if self._process is None:
            return "it was never started"
        if self._process.returncode is None:
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._kill()
        if self._reader is not None:
            self._reader.join(_END_S)  # whatever it started may hold the log open
        code = self._process.returncode
        return processes.describe_status(-code if code < 0 else code << 8)

    def _start(self) -> None:
        listener, order = family.listen(self.path), wire.order_file(self._order)
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(writer, False)  # as the runtime's logging expects it
        fds = (listener, order, writer, self._far.fileno())
        argv = once_argv(
            interpreter=sys.executable, order=order, listener=listener, log=writer, channel=self._far.fileno()
        )
        self._reader = threading.Thread(target=self._read, args=(reader,), daemon=True)
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=fds,
                cwd="/",
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
                start_new_session=True,  # Ctrl-C is for us, who end it
            )
        finally:
            for fd in fds[:3]:
                os.close(fd)
            self._far.close()
            self._reader.start()

    def _await(self) -> None:
        """Wait until it says that it serves. Raises FunctionFailed."""
        while (said := self._channel.recv(64)) != family.REPLICA_READY:
            if not said:
                how = self.end()
                last = self._failure.rstrip().rpartition("\n")[2]
                raise FunctionFailed(f"{self._order.key.name} does not start: {last or how}\n{self._failure}".rstrip())

    def _read(self, reader: int) -> None:
        with os.fdopen(reader, "rb") as lines:
            for raw in lines:
                stream, _, _, text = parse_line(raw.rstrip(b"\n"))
                if stream == "failure":
                    self._failure = text.replace("\x1f", "\n")
                else:
                    self._log(text)

    def _kill(self) -> None:
        assert self._process is not None
        pidfd = os.pidfd_open(self._process.pid)
        try:
            processes.kill_tree(self._process.pid, pidfd)
        finally:
            os.close(pidfd)
        self._process.wait()
