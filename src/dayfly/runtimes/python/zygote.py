"""The zygote: a small, clean, single-threaded process that every Python function is forked from.

Run as `python -I -S zygote.py --socket PATH --template-budget BYTES --layers JSON --path FOLDER …` with the layers of
the sandbox that were found to work (jail/detect.py) and the folders that hold the platform's own packages. These are on
`sys.path` only while the runtime is imported, and the modules are then taken out of `sys.modules` too: a function sees
the standard library, its own code and its layers, and may bring its own versions of what the runtime uses. This file
therefore runs with the standard library alone until `_load` has returned.

SIGTERM says that another zygote takes this one's place: it goes with its last replica. With `--ready-fd` it says on
that pipe, in JSON, that it serves, and later that it is leaving.

It reads no order and no output of a function (see wire.py), because whatever it knows, every function could read.
"""

import argparse
import contextlib
import faulthandler
import functools
import gc
import logging
import os
import resource
import shutil
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dayfly.runtimes.python.reactor import Reactor
    from dayfly.runtimes.python.spawner import Spawner

OURS = ("dayfly", "httptools", "uvloop", "msgspec")
_CLOSE_S = 5


def main(argv: list[str]) -> None:
    """Serve until told to leave (SIGTERM), and then as long as a replica runs; until told to end (SIGUSR1), if sooner.

    The kernel says the latter when the process that started us is gone.
    """
    arguments = _arguments(argv)
    supervisor = os.getppid()
    reactor, spawner, busy = _load(arguments)
    departure = _Departure(reactor, arguments.ready_fd)
    from_start = os.getppid()
    gc.collect()
    gc.freeze()
    try:
        if supervisor != from_start:  # it ended before we could ask to end with it
            return
        departure.say(b'{"ready": "yes"}\n')
        while busy() or not departure.told:
            reactor.step()
        os.unlink(arguments.socket)
    finally:
        spawner.close()


def _end(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.alarm(_CLOSE_S)  # should the end hang, then without it
    sys.exit(0)


class _Departure:
    """SIGTERM, brought into the reactor's turn by the interpreter's wake-up pipe."""

    def __init__(self, reactor: "Reactor", ready_fd: int) -> None:
        self.told = False
        self._ready_fd = ready_fd
        self._reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        if ready_fd >= 0:
            os.set_inheritable(ready_fd, False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        reactor.on_readable(self._reader, self._woken)

    def say(self, line: bytes) -> None:
        if self._ready_fd >= 0:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._ready_fd, line)

    def _woken(self) -> None:
        if signal.SIGTERM in os.read(self._reader, 4096) and not self.told:
            self.told = True
            self.say(b'{"leaving": "yes"}\n')


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dayfly-zygote")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--template-budget", type=int, required=True)
    parser.add_argument("--layers", required=True)
    parser.add_argument("--egress", default="")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--ready-fd", type=int, default=-1)
    parser.add_argument("--path", action="append", default=[])
    return parser.parse_args(argv)


def _load(arguments: argparse.Namespace) -> "tuple[Reactor, Spawner, Callable[[], bool]]":
    """Return the loop with all that is served in it, the spawner, and whether there is anything left to serve."""
    sys.path += arguments.path
    import msgspec

    from dayfly.runtimes.jail import seccomp
    from dayfly.runtimes.jail.egress.outlets import Outlets
    from dayfly.runtimes.jail.layers import Layers
    from dayfly.runtimes.kinds import RUNTIMES
    from dayfly.runtimes.python import confine, secret_files, syscalls, template
    from dayfly.runtimes.python.cells import Cells
    from dayfly.runtimes.python.control_socket import ControlSocket
    from dayfly.runtimes.python.lookout import Lookout
    from dayfly.runtimes.python.nursery import Nursery
    from dayfly.runtimes.python.reactor import Reactor
    from dayfly.runtimes.python.spawner import Spawner
    from dayfly.runtimes.python.workers import Workers

    signal.signal(signal.SIGUSR1, _end)
    confine.die_with_parent(signal.SIGUSR1)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    _settle()
    seccomp.prepare()
    root = os.path.join(os.path.dirname(arguments.socket), "root")
    os.makedirs(root, mode=0o700, exist_ok=True)
    layers = msgspec.json.decode(arguments.layers, type=Layers)
    passable = layers.root and not layers.namespaces
    scratch = _scratch_of(arguments.socket)
    secret_files.clear(scratch)  # what one that was killed has left
    _make_scratch(scratch, passable=passable)
    if not layers.namespaces:
        secret_files.make_place(scratch, passable=passable)
    reactor, cells = Reactor(), Cells.found(in_a_pod=layers.alone)
    for sentence in cells.missing:
        logging.getLogger("dayfly.runtimes.zygote").warning("%s", sentence)
    body = functools.partial(template.run, missing=tuple(cells.missing), runtimes=RUNTIMES)
    workers = Workers(reactor, layers, root, scratch, body, ahead=arguments.workers)
    lookout = Lookout(reactor, cells.lacking, workers.processes)
    nursery, outlets = Nursery(reactor, cells, workers), Outlets(reactor, arguments.egress)
    spawner = Spawner(reactor, nursery, outlets, lookout, arguments.template_budget)
    control = ControlSocket(reactor, spawner, arguments.socket)
    forget_ours(arguments.path)
    return reactor, spawner, lambda: bool(spawner.replicas or control.unheard)


def forget_ours(folders: list[str]) -> None:
    """Leave to a function the names of the packages that the runtime was imported from, and their folders."""
    sys.path[:] = [entry for entry in sys.path if entry not in folders]
    sys.path_importer_cache.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]


def _scratch_of(control: str) -> str:
    """Return the folder for files of functions that have no /tmp of their own, one for each generation."""
    folder, name = os.path.split(control)
    return os.path.join(folder, "scratch", name.removesuffix(".sock"))


def _make_scratch(scratch: str, *, passable: bool) -> None:
    """Make the folder anew.

    Where it must be `passable`, other users' functions pass through it to a folder that they alone may read.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch, mode=0o700)
    for path in (os.path.dirname(scratch), scratch):
        os.chmod(path, 0o711 if passable else 0o700)


def _settle() -> None:
    """Give the process the surroundings that functions inherit: no input, no terminal's signals, many descriptors."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    faulthandler.enable(file=2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")


if __name__ == "__main__":
    main(sys.argv[1:])
