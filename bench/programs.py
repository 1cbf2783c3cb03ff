"""Programs of a run: started in a session of their own, waited for until they answer, and always stopped.

Each runs in its own process group, so that Ctrl-C reaches the benchmark alone, which then stops them in order; the
kernel kills what is left should the benchmark itself be killed.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class ProgramFailed(Exception):
    """A program ended, or did not answer in time; the text has the end of what it printed."""


class Program:
    """One running program. Use it as a context manager."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, environ: Mapping[str, str], cwd: Path) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environ),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self) -> int:
        """The process id of the program itself."""
        return self._process.pid

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def check(self) -> None:
        """Raise ProgramFailed when the program has ended."""
        if self._process.poll() is not None:
            raise ProgramFailed(f"{self.name} ended with {self._process.returncode}: {self.tail()}")

    def stop(self, grace_s: float = 10) -> None:
        """End the program and everything in its group: politely first, then for good. Idempotent."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def tail(self) -> str:
        """Return the last lines that the program printed, on one line."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-6:])

    def wait_for_port(self, port: int, timeout_s: float = 20) -> None:
        """Return once the program listens on the loopback port. Raises ProgramFailed."""
        for _ in until(timeout_s):
            self.check()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        raise ProgramFailed(f"{self.name} does not listen on port {port} after {timeout_s:g} s: {self.tail()}")


def until(timeout_s: float, pause_s: float = 0.01) -> Iterator[None]:
    """Yield again and again, with a pause between, until the time is over."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        yield
        time.sleep(pause_s)


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a program could listen on this port of every address now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", port))
        except OSError:
            return False
        return True


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
