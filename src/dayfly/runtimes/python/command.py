"""How the Python runtime's processes are started: all that others have to know about it."""

import importlib.util
import os
from pathlib import Path

import msgspec

from dayfly.model.errors import ConfigError
from dayfly.runtimes.jail.layers import Layers

_PACKAGES = ("dayfly", "httptools", "uvloop", "msgspec")


def zygote_argv(
    *,
    interpreter: str,
    socket: Path,
    template_budget_bytes: int,
    layers: Layers,
    egress: Path | None = None,
    workers: int = 0,
) -> list[str]:
    """Return the command line of a zygote that listens at `socket`.

    It confines functions by the `layers`, has the egress proxy at `egress` serve their connections, and keeps `workers`
    jails built ahead.

    Start it with a small explicit environment and no descriptors beyond 0, 1 and 2, from a thread that lives as long
    as it should: it dies with the thread that started it. Templates together may keep about `template_budget_bytes`
    of memory. Raises ConfigError when a package that the runtime needs is not installed.
    """
    program = Path(__file__).with_name("zygote.py")
    argv = [interpreter, "-I", "-S", str(program), "--socket", str(socket)]
    argv += ["--template-budget", str(template_budget_bytes)]
    argv += [f"--layers={msgspec.json.encode(layers).decode()}", "--workers", str(workers)]
    argv += ["--egress", str(egress)] if egress is not None else []
    return argv + _paths()


def once_argv(*, interpreter: str, order: int, listener: int, log: int, channel: int) -> list[str]:
    """Return the command line of a replica that no zygote makes; the numbers are of descriptors that it inherits.

    They are the order, a listening socket, a log pipe's writing end and the replica's end of a channel. It ends with
    the thread that starts it. Raises ConfigError as above.
    """
    program = Path(__file__).with_name("once.py")
    argv = [interpreter, "-I", "-S", str(program), "--order", str(order), "--listener", str(listener)]
    return [*argv, "--log", str(log), "--channel", str(channel), "--parent", str(os.getpid()), *_paths()]


def _paths() -> list[str]:
    folders = dict.fromkeys(map(_folder_of, _PACKAGES))
    return [word for folder in folders for word in ("--path", folder)]


def _folder_of(package: str) -> str:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ConfigError(f"the package {package} is not installed; install dayfly anew")
    return os.path.dirname(os.path.dirname(os.path.realpath(spec.origin)))
