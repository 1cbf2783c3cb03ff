"""The program of a function that is no Python: its words, where it is, and what it finds around it.

A process is written as one line and split at single spaces, as OpenFaaS does; no shell reads it. The function's folder
is the working folder and the first place on PATH, so that a program of its own is found by its name alone.
"""

import os
import shutil

from dayfly.model.replica import StartOrder
from dayfly.runtimes.python.handler import HandlerUnfit


def environment(order: StartOrder) -> dict[str, str]:
    """Return the environment of the function's program: this process's, and what it needs beside that.

    Python programs find the function's layers, and do not hold back what they print.
    """
    python = {"PYTHONPATH": ":".join(order.layer_dirs)} if order.layer_dirs else {}
    return {**os.environ, **python, "PATH": _path(order), "PWD": order.code_dir, "PYTHONUNBUFFERED": "1"}


def words(order: StartOrder) -> list[str]:
    """Return the program of `order` and its arguments. Raises HandlerUnfit when there is no such program."""
    argv = order.process.strip(" ").split(" ")
    name = argv[0]
    whole = os.path.join(order.code_dir, name)
    if "/" not in name and shutil.which(name, path=_path(order)):
        return argv
    if not os.path.isfile(whole):
        where = "in the function's folder" if "/" in name else "in the function's folder or on its PATH"
        raise HandlerUnfit(
            f"process: there is no program {name[:200]!r} {where}; its words are split at single spaces and no shell"
            " reads them"
        )
    if not os.access(whole, os.X_OK):
        raise HandlerUnfit(f"process: {name[:200]} is not executable; `chmod +x` it and deploy again")
    return argv


def _path(order: StartOrder) -> str:
    return f"{order.code_dir}:{os.environ.get('PATH', os.defpath)}"
