"""The zygote: a small, clean, single-threaded process that every Python function is forked from.

Run as `python -I -S zygote.py --socket PATH --template-budget BYTES --path FOLDER …` with the folders that hold the
platform's own packages. They are on `sys.path` only while the runtime is imported, and the modules are then taken out
of `sys.modules` too: a function sees the standard library, its own code and its layers, and may bring its own versions
of what the runtime uses. This file therefore runs with the standard library alone until `_load` has returned.

It reads no order and no output of a function (see wire.py), because whatever it knows, every function could read.
"""

import argparse
import faulthandler
import gc
import logging
import os
import resource
import signal
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dayfly.runtimes.python.reactor import Reactor
    from dayfly.runtimes.python.spawner import Spawner

OURS = ("dayfly", "httptools", "uvloop", "msgspec")
_CLOSE_S = 5


def main(argv: list[str]) -> None:
    """Serve until SIGTERM, which the kernel sends too when the process that started us is gone."""
    arguments = _arguments(argv)
    supervisor = os.getppid()
    reactor, spawner = _load(arguments)
    from_start = os.getppid()
    gc.collect()
    gc.freeze()
    try:
        if supervisor == from_start:  # else it ended before we could ask to end with it
            reactor.run()
    finally:
        spawner.close()


def _end(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.alarm(_CLOSE_S)  # should the end hang, then without it
    sys.exit(0)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dayfly-zygote")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--template-budget", type=int, required=True)
    parser.add_argument("--path", action="append", default=[])
    return parser.parse_args(argv)


def _load(arguments: argparse.Namespace) -> "tuple[Reactor, Spawner]":
    sys.path += arguments.path
    from dayfly.runtimes.python import confine, syscalls, template
    from dayfly.runtimes.python.cells import Cells
    from dayfly.runtimes.python.control_socket import ControlSocket
    from dayfly.runtimes.python.nursery import Nursery
    from dayfly.runtimes.python.reactor import Reactor
    from dayfly.runtimes.python.spawner import Spawner

    signal.signal(signal.SIGTERM, _end)
    confine.die_with_parent(signal.SIGTERM)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    _settle()
    root = os.path.join(os.path.dirname(arguments.socket), "root")
    os.makedirs(root, mode=0o700, exist_ok=True)

    def body(channel: socket.socket, order: int, birth: template.Birth) -> None:
        template.run(channel, order, birth, root=root)

    reactor = Reactor()
    nursery = Nursery(reactor, body, Cells.found(), template.Birth)
    spawner = Spawner(reactor, nursery, template_budget_bytes=arguments.template_budget)
    ControlSocket(reactor, spawner, arguments.socket)
    sys.path[:] = [entry for entry in sys.path if entry not in arguments.path]
    sys.path_importer_cache.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    return reactor, spawner


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
