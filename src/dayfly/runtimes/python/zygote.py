"""The zygote: a small, clean, single-threaded process that every Python function is forked from.

Run as `python -I -S zygote.py --socket PATH --template-budget BYTES --layers JSON --path FOLDER …` with the layers of
the sandbox that were found to work (jail/detect.py) and the folders that hold the platform's own packages. These are on
`sys.path` only while the runtime is imported, and the modules are then taken out of `sys.modules` too: a function sees
the standard library, its own code and its layers, and may bring its own versions of what the runtime uses. This file
therefore runs with the standard library alone until `_load` has returned.

It reads no order and no output of a function (see wire.py), because whatever it knows, every function could read.
"""

import argparse
import faulthandler
import gc
import logging
import os
import resource
import shutil
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dayfly.runtimes.python.reactor import Reactor

OURS = ("dayfly", "httptools", "uvloop", "msgspec")


def main(argv: list[str]) -> None:
    """Serve until killed; the kernel kills us with the process that started us."""
    arguments = _arguments(argv)
    supervisor = os.getppid()
    reactor = _load(arguments)
    from_start = os.getppid()
    if supervisor != from_start:  # it ended before we could ask to end with it
        sys.exit(0)
    gc.collect()
    gc.freeze()
    reactor.run()


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dayfly-zygote")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--template-budget", type=int, required=True)
    parser.add_argument("--layers", required=True)
    parser.add_argument("--egress", default="")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--path", action="append", default=[])
    return parser.parse_args(argv)


def _load(arguments: argparse.Namespace) -> "Reactor":
    sys.path += arguments.path
    import msgspec

    from dayfly.runtimes.jail import seccomp
    from dayfly.runtimes.jail.layers import Layers
    from dayfly.runtimes.python import confine, syscalls, template
    from dayfly.runtimes.python.control_socket import ControlSocket
    from dayfly.runtimes.python.outlets import Outlets
    from dayfly.runtimes.python.reactor import Reactor
    from dayfly.runtimes.python.spawner import Spawner
    from dayfly.runtimes.python.workers import Workers

    confine.die_with_parent()
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    _settle()
    seccomp.prepare()
    run_dir = os.path.dirname(arguments.socket)
    root, scratch = os.path.join(run_dir, "root"), os.path.join(run_dir, "scratch")
    os.makedirs(root, mode=0o700, exist_ok=True)
    shutil.rmtree(scratch, ignore_errors=True)
    layers = msgspec.json.decode(arguments.layers, type=Layers)
    os.mkdir(scratch, mode=0o700)
    if layers.root and not layers.namespaces:  # other users' functions pass to a folder that they alone may read
        os.chmod(scratch, 0o711)  # noqa: S103 - for the reason above
    reactor = Reactor()
    workers = Workers(reactor, layers, root, template.run, ahead=arguments.workers)
    outlets = Outlets(reactor, arguments.egress)
    spawner = Spawner(reactor, workers, outlets, template_budget_bytes=arguments.template_budget)
    ControlSocket(reactor, spawner, arguments.socket)
    sys.path[:] = [entry for entry in sys.path if entry not in arguments.path]
    sys.path_importer_cache.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    return reactor


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
