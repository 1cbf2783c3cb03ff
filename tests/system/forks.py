"""Commands of `dayfly` as forks of a process that has loaded what all of them load, which takes longer than most do.

A fork is a process as any other: its own arguments, environment, folder and files, its own exit code. What it cannot
show is that a command loads all that it needs, and so a command is run as the program the first time.
"""

import functools
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dayfly.cli.main import main

ALONE = {"start"}
"""What hands on to a platform what a fork has of the process it comes from: limits, a mask, a group."""
READ_LATE = ("DAYFLY_", "OPENFAAS_", "XDG_", "HOME", "EDITOR", "PYTEST_")
"""How the names of variables begin that nobody reads before a command asks for them."""
_INT_BYTES = 4
_ORDER_BYTES = 1 << 18
_were_run: set[str] = set()


def can_fork(command: str, environ: Mapping[str, str]) -> bool:
    """Whether a fork does what the program would: it has been run as the program, in an environment of this kind."""
    known = command in _were_run
    _were_run.add(command)
    return known and command not in ALONE and _read_early(environ) == _read_early(os.environ)


def fork(
    command: Sequence[str], data: bytes, environ: Mapping[str, str], cwd: Path | None, deadline_s: float
) -> tuple[int, bytes, bytes]:
    """Run the command, given this on its standard input; return its exit code, its output and its errors."""
    order = {"command": command, "environ": dict(environ), "cwd": str(cwd or Path.cwd())}
    files = [os.memfd_create(name) for name in ("input", "output", "errors")]
    told, tells = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        os.pwrite(files[0], data, 0)
        with tells:
            socket.send_fds(_server(), [json.dumps(order).encode()], [*files, tells.fileno()])
        pid = _number(told)
        told.settimeout(deadline_s)
        try:
            code = _number(told)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            told.settimeout(None)
            _number(told)
            raise subprocess.TimeoutExpired(list(command), deadline_s) from None
        return code, _whole(files[1]), _whole(files[2])
    finally:
        told.close()
        for file in files:
            os.close(file)


def _read_early(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith(READ_LATE)}


def _number(told: socket.socket) -> int:
    data = told.recv(_INT_BYTES)
    assert data, "the process that forks has ended"
    return int.from_bytes(data, "big", signed=True)


def _whole(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


@functools.cache
def _server() -> socket.socket:
    """Return the end of a socket that the process that forks listens on; it ends with us."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        arguments = [sys.executable, "-P", __file__, str(theirs.fileno())]
        theirs.set_inheritable(True)
        nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)]
        os.posix_spawn(sys.executable, arguments, os.environ, file_actions=nothing)
    return ours


def _serve(orders: socket.socket) -> None:
    """Fork for each order until nobody can give any."""
    importlib.import_module("dayfly.client.blocking")
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        text, files, _, _ = socket.recv_fds(orders, _ORDER_BYTES, 4)
        if not text:
            return
        if os.fork() == 0:
            orders.close()
            _attend(json.loads(text), files[:3], socket.socket(fileno=files[3]))
            return
        for file in files:
            os.close(file)


def _attend(order: dict[str, Any], files: list[int], tells: socket.socket) -> None:
    """Fork once more, for the command, and tell its number and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if pid := os.fork():
        for file in files:
            os.close(file)
        _tell(tells, pid)
        _tell(tells, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os._exit(0)
    tells.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.argv = order["command"]
    main()


def _tell(tells: socket.socket, number: int) -> None:
    tells.send(number.to_bytes(_INT_BYTES, "big", signed=True))


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
